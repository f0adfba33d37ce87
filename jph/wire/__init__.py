"""The messages of both buses: bytes to values and back. Pure."""
