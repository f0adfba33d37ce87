"""The subject 'commands': its page and its API."""
