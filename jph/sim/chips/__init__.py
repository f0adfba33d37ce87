"""The chips between the bus and the pilot wires.

mcp23017  one chip's registers (pure)
i2cbus    the chips of a bus by address, and what goes wrong on it (pure)
server    the bus on a Unix socket, in a thread of its own
"""
