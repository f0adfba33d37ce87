"""Findings about an installation, from facts that a console gathers. Pure."""
