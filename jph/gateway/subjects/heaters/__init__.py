"""The subject 'heaters': its page and its API."""
