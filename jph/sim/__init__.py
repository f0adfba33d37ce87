"""The simulated house: what a machine without a meter, chips and radiators cannot have.

Nobody imports this package: nodes reach it through a serial device and an I2C bus, as they would
reach the real things, and its one node kind is found by its name.

    physics   rooms, heaters, appliances and weather; pure, the time is an argument
    meter     what the electricity meter says, and the line it says it on
    chips     the MCP23017 chips that drive the pilot wires, and the bus they sit on
"""
