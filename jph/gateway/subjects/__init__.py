"""The subjects of the gateway: the page and the API of each together."""
