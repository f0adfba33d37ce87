"""Messages of a shedder on the data bus, and which of several shedders decides. Pure."""
