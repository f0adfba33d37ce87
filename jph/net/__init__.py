"""Multicast sockets: channels, groups and batches."""
