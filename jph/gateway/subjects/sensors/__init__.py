"""The subject 'sensors': its page and its API."""
