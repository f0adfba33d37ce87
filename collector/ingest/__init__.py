"""Readings from the bus into PostgreSQL."""
