#!/usr/bin/env python3
"""Speak to the nodes of a house and run them: `control.py --help`."""

from jph.cli.entry import main

if __name__ == "__main__":
    main()
