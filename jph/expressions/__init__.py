"""Language of computed values: numbers and choices over readings, checked before it runs."""
