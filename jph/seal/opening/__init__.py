"""The receiving half of the seal: refusals, trusted and untrusted starts, hellos, opened frames."""
