"""Changes of the document: commands of people, edits of the app, the week of a room. Pure."""
