"""The house itself, without a clock: call `House.step(dt)` as fast as you like.

spec        what a house is made of; houses of three sizings, each different by seed
room        one room as two heat capacities and two resistances, solved exactly
weather     outdoor temperature
appliances  what people switch on, by phase
house       all of it together, event by event
"""

from sim.physics.house import House
from sim.physics.spec import HeaterSpec, HouseSpec, RoomSpec, Sizing, generate

__all__ = ["HeaterSpec", "House", "HouseSpec", "RoomSpec", "Sizing", "generate"]
