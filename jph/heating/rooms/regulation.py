"""Holds a room at its wish by slow cycles of comfort and rest on a wire that switches freely. Pure.

A proportional-integral rule gives the share of time with heat; each cycle begins with the heat. The
heater's own thermostat must be set above the wish, so that comfort means heat. A relay would wear
out under such cycles: its heaters have the warmest order that is not above the wish, and their own
thermostats regulate.
"""

from collections.abc import Iterable
from statistics import median
from typing import Final, NamedTuple

CYCLE_S: Final = 300.0
"""Air takes up 30 kJ/K for each m² of floor: half a cycle of a strong heater moves it by 0.4 K."""
BAND_K: Final = 1.0
"""Below the wish by so much there is heat all the time. A wider band is slower."""
INTEGRAL_S: Final = 2 * 3600.0
"""The walls follow within hours; an integral much faster than they overshoots."""
SHORTEST_S: Final = 30.0
"""No heat or rest shorter than this within a cycle."""
_OUTLIER_K: Final = 4.0
"""A thermometer so far from the median of three or more is left out."""


class Thermometer(NamedTuple):
    """A reading of a thermometer, °C, and its age."""

    codifier: str
    temperature_c: float
    age_s: float


class RegulationState(NamedTuple):
    """What the rule carries from one cycle to the next: the share that the walls need."""

    integral: float = 0.0
    at_s: float | None = None


def room_temperature(
    thermometers: Iterable[Thermometer], oldest_s: float
) -> tuple[float | None, list[str]]:
    """Return the median of the fresh thermometers, and the codifiers that are left out.

    None if none is fresh.
    """
    listed = list(thermometers)
    stale = [each.codifier for each in listed if not 0 <= each.age_s <= oldest_s]
    fresh = [each for each in listed if each.codifier not in stale]
    if not fresh:
        return None, stale
    middle = median(each.temperature_c for each in fresh)
    if len(fresh) < 3:
        return middle, stale
    far = [each for each in fresh if abs(each.temperature_c - middle) > _OUTLIER_K]
    near = [each.temperature_c for each in fresh if each not in far]
    return median(near or [middle]), stale + [each.codifier for each in far]


def heat_share(
    state: RegulationState, temperature_c: float, wish_c: float, now_s: float
) -> tuple[float, RegulationState]:
    """Return the share of the next cycle with heat, 0 to 1, and the state after it.

    `temperature_c` is the mean of the last cycle, so that its ripple does not count. The integral
    moves only while the share is within its limits, so that a long warm-up does not wind it up.
    """
    error = wish_c - temperature_c
    passed_s = 0.0 if state.at_s is None else min(max(now_s - state.at_s, 0.0), 2 * CYCLE_S)
    share = error / BAND_K + state.integral
    integral = state.integral
    if 0.0 < share < 1.0 or (share >= 1.0 and error < 0) or (share <= 0.0 and error > 0):
        integral = min(max(integral + error / BAND_K * passed_s / INTEGRAL_S, 0.0), 1.0)
    return min(max(error / BAND_K + integral, 0.0), 1.0), RegulationState(integral, now_s)


def heat_s(share: float) -> float:
    """Return how long the heat of a cycle lasts; nothing shorter than `SHORTEST_S` is switched."""
    wanted_s = share * CYCLE_S
    if wanted_s < SHORTEST_S / 2:
        return 0.0
    if wanted_s > CYCLE_S - SHORTEST_S / 2:
        return CYCLE_S
    return min(max(wanted_s, SHORTEST_S), CYCLE_S - SHORTEST_S)
