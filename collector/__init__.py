"""Everything that ends in PostgreSQL."""
