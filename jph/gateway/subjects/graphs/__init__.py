"""The subject 'graphs': its page and its API."""
