"""The chips that drive the pilot wires.

mcp23017  one chip's registers (pure)
i2cbus    the chips of a bus by address, and its errors (pure)
server    the bus on a Unix socket, in a thread of its own
"""
