"""The subject 'users': its page and its API."""
