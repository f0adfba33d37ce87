"""I2C: the bus and its thread, and the chips on it."""
