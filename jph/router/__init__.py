"""Decisions of a router between multicast networks: what passes, who forwards, where to relay."""
