"""The door of the heating app: its topics, messages and answers."""
