"""Node kinds, one file each, found by the Type they declare."""
