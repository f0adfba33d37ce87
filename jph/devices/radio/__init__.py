"""Radio: RFXCOM on a serial port, Z-Wave behind its server."""
