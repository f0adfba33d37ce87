"""The subject 'pool': its page and its API."""
