"""The parts of a simulated house, and their usual properties."""

from dataclasses import dataclass
from random import Random
from typing import Final

from jph.sim.physics.appliances import Appliance
from jph.sim.physics.weather import Weather

VOLTS: Final = 230.0
PHASES: Final = (1, 2, 3)

DESIGN_DIFFERENCE_K: Final = 27.0
"""Inside minus outside on the day heaters are chosen for: 20 °C against −7 °C."""

HEATER_MARGIN: Final = 1.7
"""Installers choose heaters larger than the loss of that day by about this factor."""


HYSTERESIS_K: Final = 0.25


@dataclass(frozen=True, slots=True)
class RoomSpec:
    """A room; `loss_w_per_k` is its heat loss to the outside, W for each kelvin of difference."""

    name: str
    area_m2: float
    loss_w_per_k: float


@dataclass(frozen=True, slots=True)
class HeaterSpec:
    """A heater on a phase (1–3); `obey_s` is the delay from an order on its wire to its effect.

    Its thermostat switches `band_k` above and below its target.
    """

    codifier: str
    phase: int
    room: str
    watts: float
    obey_s: float
    sensor_error_k: float
    wake_s: float
    band_k: float = HYSTERESIS_K
    priority: int = 1


@dataclass(frozen=True, slots=True)
class HouseSpec:
    """A house: rooms, heaters, appliances, weather, and the contract."""

    rooms: tuple[RoomSpec, ...]
    heaters: tuple[HeaterSpec, ...]
    appliances: tuple[Appliance, ...]
    weather: Weather
    subscribed_a: int


def room_for(name: str, area_m2: float, heater_watts: float) -> RoomSpec:
    """Return a room whose heat loss suits these heaters."""
    return RoomSpec(name, area_m2, heater_watts / (DESIGN_DIFFERENCE_K * HEATER_MARGIN))


def heater_for(codifier: str, phase: int, room: str, watts: float, random: Random) -> HeaterSpec:
    """Return a heater with the tolerances that `random` gives it.

    Electronics read the pilot wire over some mains periods before they obey (1 to 2 s), sensors
    err by a few tenths, and after the power comes back no two heaters wake together.
    """
    return HeaterSpec(
        codifier,
        phase,
        room,
        watts,
        obey_s=random.uniform(1.0, 2.0),
        sensor_error_k=random.gauss(0.0, 0.2),
        wake_s=random.uniform(5.0, 50.0),
    )
