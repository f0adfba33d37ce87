"""Reads stored history."""
