"""The subject 'history': its page and its API."""
