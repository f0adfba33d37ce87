"""The document of a plan: its checks, its versions and its other file format. Pure."""
