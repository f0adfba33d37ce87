"""Switches and chargers beside the heaters: one, and all together. Pure."""
