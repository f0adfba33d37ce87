"""Services on the network: HTTP requests, their access tokens, and mail."""
