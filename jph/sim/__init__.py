"""The simulated house: meter, chips, radiators and weather for a machine without them.

No production module imports this package. Nodes reach it through a serial device and an I2C bus, as
they reach real hardware; its one node kind is found by its name.

    physics   rooms, heaters, appliances and weather; pure, the time is an argument
    meter     the electricity meter and its serial line
    chips     the MCP23017 chips that drive the pilot wires, and their I2C bus
"""
