"""The subject 'account': its page and its API."""
