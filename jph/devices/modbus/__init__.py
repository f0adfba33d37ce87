"""Modbus by TCP and RTU, and SunSpec's models in its registers."""
