"""The newest state of everything, kept for the page: merged here, written to Redis."""
