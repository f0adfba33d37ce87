"""The physics of the simulated house, without a clock: `SimulatedHouse.step(dt)` advances it.

spec        the parts of a house
room        one room as two heat capacities and two resistances, solved exactly
weather     outdoor temperature
appliances  appliances and their habits, by phase
house       all of it together, event by event
protection  the breaker in the meter and the main breaker
"""

from jph.sim.physics.house import SimulatedHouse
from jph.sim.physics.spec import HeaterSpec, HouseSpec, RoomSpec

__all__ = ["HeaterSpec", "HouseSpec", "RoomSpec", "SimulatedHouse"]
