"""Starts the programs of a house and keeps them running."""
