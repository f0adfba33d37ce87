"""The web application: server, request limits and page frame."""
