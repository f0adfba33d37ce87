"""The subject 'energy': its page and its API."""
