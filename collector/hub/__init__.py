"""Collects the histories of many houses: a schema of PostgreSQL for each."""
