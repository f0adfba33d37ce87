"""The subject 'stream': its page and its API."""
