"""The subject 'health': its page and its API."""
