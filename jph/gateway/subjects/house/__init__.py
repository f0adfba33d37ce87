"""The subject 'house': its page and its API."""
