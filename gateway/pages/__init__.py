"""What people look at: HTML, a file a page, found by being here."""
