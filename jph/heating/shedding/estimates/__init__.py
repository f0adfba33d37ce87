"""Estimates from a phase's current and a room's air: heaters that draw, heat needed. Pure."""
