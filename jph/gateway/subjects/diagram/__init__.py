"""The subject 'diagram': its page and its API."""
