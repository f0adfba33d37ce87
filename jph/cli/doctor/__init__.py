"""Gathers facts for `doctor`."""
