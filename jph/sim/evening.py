"""The first start of a simulated house: a warm evening, shortly before its first overload."""

from typing import Final

from jph.sim.physics.house import COMFORT_C, EVENING_S, SimulatedHouse
from jph.sim.physics.spec import HouseSpec
from jph.sim.physics.weather import HOUR_S

WARM_FROM_S: Final = 12 * HOUR_S
"""Thermostats need some hours until they switch independently of each other."""

SEARCH_S: Final = 2 * HOUR_S
STEP_S: Final = 5.0
LEAD_S: Final = 60.0
"""Time from the start to the overload: the programs start meanwhile."""


def evening(spec: HouseSpec, *, seed: int, thermal_speed: float = 1.0) -> SimulatedHouse:
    """Return a warm house, `LEAD_S` before its first overload after half past six.

    A house that is not overloaded within two hours begins at half past six.
    """
    house = SimulatedHouse(
        spec, seed=seed, start_s=WARM_FROM_S, indoor_c=COMFORT_C, thermal_speed=thermal_speed
    )
    house.step(EVENING_S - WARM_FROM_S)
    begin_s = _overload_s(house, seed) - LEAD_S
    house.step(max(0.0, begin_s - house.time_s))
    return house


def _overload_s(house: SimulatedHouse, seed: int) -> float:
    """Return the house time of the first current over the contract, of the start if none."""
    scout = SimulatedHouse.resume(house.spec, house.snapshot(), seed=seed)
    while scout.time_s < EVENING_S + SEARCH_S:
        scout.step(STEP_S)
        if max(scout.amps) > scout.spec.subscribed_a + 0.5:  # as the meter rounds
            return scout.time_s
    return EVENING_S
