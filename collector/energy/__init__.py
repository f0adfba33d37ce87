"""Energy, tariffs and bills."""
