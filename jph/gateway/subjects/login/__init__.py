"""The subject 'login': its page and its API."""
