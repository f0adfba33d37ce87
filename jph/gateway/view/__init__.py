"""Text, panels and input widgets of the pages, made from the board. Pure."""
