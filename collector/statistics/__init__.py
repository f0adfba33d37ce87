"""Statistics of readings."""
