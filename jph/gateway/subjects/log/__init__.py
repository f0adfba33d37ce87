"""The subject 'log': its page and its API."""
