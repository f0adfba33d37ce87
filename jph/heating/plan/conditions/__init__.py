"""Conditions of rules: weeks, kinds of day, the sun, the tariff, values of the bus. Pure."""
