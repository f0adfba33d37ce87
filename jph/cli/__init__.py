"""The commands of control.py: speaking to nodes over the control bus, and running them."""
