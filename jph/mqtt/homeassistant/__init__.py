"""The door of Home Assistant: its devices, states and commands."""
