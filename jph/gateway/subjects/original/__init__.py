"""The subject 'original': its page and its API."""
