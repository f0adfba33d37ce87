"""The history in PostgreSQL: ingest, statistics, energy, queries."""
