"""Wishes of rooms on the pages: the API of the plan, and the plan editor."""
