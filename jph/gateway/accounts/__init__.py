"""Who may do what: accounts, roles, sessions, tokens, and the doors they open."""
