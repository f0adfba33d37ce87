"""Text on a terminal: tables, values, curves, and the context of every command."""
