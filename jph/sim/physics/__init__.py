"""The house itself, without a clock: call `House.step(dt)` as fast as you like.

spec           what a house is made of
neighbourhood  houses of three sizings to judge by, each different by seed
room           one room as two heat capacities and two resistances, solved exactly
weather        outdoor temperature
appliances     what people switch on, by phase
house          all of it together, event by event
protection     the meter's breaker and the main breaker
"""

from jph.sim.physics.house import House
from jph.sim.physics.neighbourhood import Sizing, generate
from jph.sim.physics.spec import HeaterSpec, HouseSpec, RoomSpec

__all__ = ["HeaterSpec", "House", "HouseSpec", "RoomSpec", "Sizing", "generate"]
