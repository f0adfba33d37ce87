"""Readings between houses: what leaves, blocks of readings, what has arrived. Carried by NATS."""
