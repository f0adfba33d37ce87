"""Orders for heaters: coding, targets, ends, and the book that a card keeps. Pure."""
