"""Facts of a house, gaps in them, and the sentences that say why a heater is off. Pure."""
