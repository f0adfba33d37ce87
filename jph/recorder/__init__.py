"""The flight recorder: what it keeps, in which form, what makes it write. Pure, but for `store`."""
