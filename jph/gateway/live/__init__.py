"""The current state of the network for pages and API."""
