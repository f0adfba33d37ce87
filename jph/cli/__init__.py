"""The commands of control.py: commanding nodes over the control bus, and running them."""
