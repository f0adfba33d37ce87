"""The subject 'network': its page and its API."""
