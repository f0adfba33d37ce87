"""Drivers of the kernel: files of sensors, lines of GPIO chips, PWM channels."""
