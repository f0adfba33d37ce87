"""The newest state of every codifier: merged in memory, written to Redis."""
