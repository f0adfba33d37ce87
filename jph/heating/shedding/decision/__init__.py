"""Decisions: for all phases, for one, the sets to choose, the time until a trip. Pure."""
