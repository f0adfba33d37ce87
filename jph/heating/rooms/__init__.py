"""A room held at its wish: by orders with an end, or by slow cycles of one wire. Pure."""
