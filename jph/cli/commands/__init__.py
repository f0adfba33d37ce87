"""One command of control.py a file."""
