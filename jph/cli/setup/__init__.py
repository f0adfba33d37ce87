"""First configuration of a machine: what is found, and the document that follows from it."""
