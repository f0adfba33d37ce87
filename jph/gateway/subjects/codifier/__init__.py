"""The subject 'codifier': its page and its API."""
