"""What a house is made of, and seeded houses of three sizings to judge a policy by."""

from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

from sim.physics.appliances import HOUSEHOLD, Appliance
from sim.physics.weather import Weather

VOLTS: Final = 230.0
PHASES: Final = (1, 2, 3)

DESIGN_DIFFERENCE_K: Final = 27.0
"""Inside minus outside on the day heaters are chosen for: 20 °C against −7 °C."""

HEATER_MARGIN: Final = 1.7
"""Installers choose heaters larger than the loss of that day by about this factor."""


@dataclass(frozen=True, slots=True)
class RoomSpec:
    """A room; `loss_w_per_k` is what it loses to the outside for each kelvin of difference."""

    name: str
    area_m2: float
    loss_w_per_k: float


@dataclass(frozen=True, slots=True)
class HeaterSpec:
    """A heater on a phase (1–3); `obey_s` passes from an order on its wire to its obeying."""

    codifier: str
    phase: int
    room: str
    watts: float
    obey_s: float
    sensor_error_k: float
    wake_s: float


@dataclass(frozen=True, slots=True)
class HouseSpec:
    """A house: rooms, heaters, appliances, the weather it stands in, and its contract."""

    rooms: tuple[RoomSpec, ...]
    heaters: tuple[HeaterSpec, ...]
    appliances: tuple[Appliance, ...]
    weather: Weather
    subscribed_a: int


class Sizing(Enum):
    """Rated heaters of a phase over the subscribed current: from, to."""

    LIGHT = (0.8, 1.0)
    TIGHT = (1.3, 1.6)
    BRUTAL = (2.0, 2.4)


def room_for(name: str, area_m2: float, heater_watts: float) -> RoomSpec:
    """Return a room whose losses these heaters were chosen for."""
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


_ROOMS: Final = (
    ("Living room", 34.0, 4),
    ("Dining room", 22.0, 3),
    ("Hall", 18.0, 3),
    ("Kitchen", 15.0, 2),
    ("Main bedroom", 16.0, 2),
    ("Children's room", 14.0, 2),
    ("Nursery", 11.0, 2),
    ("Bathroom", 8.0, 2),
    ("Study", 12.0, 2),
    ("Laundry", 10.0, 2),
)


def generate(sizing: Sizing, seed: int = 0, subscribed_a: int = 30) -> HouseSpec:
    """Return a house of 24 heaters in ten rooms, eight a phase; the same seed, the same house."""
    random = Random(f"house {sizing.name} {seed}")
    places = [name for name, _, count in _ROOMS for _ in range(count)]
    shares = [random.choice((500.0, 750.0, 1000.0, 1250.0, 1500.0, 2000.0)) for _ in places]
    heaters = []
    for phase in PHASES:
        mine = range(phase - 1, len(places), len(PHASES))
        rated = random.uniform(*sizing.value) * subscribed_a * VOLTS
        scale = rated / sum(shares[index] for index in mine)
        for wire, index in enumerate(mine, 1):
            watts = round(shares[index] * scale)
            heaters.append(heater_for(f"{phase}{wire}", phase, places[index], watts, random))
    rooms = tuple(
        room_for(name, area, sum(heater.watts for heater in heaters if heater.room == name))
        for name, area, _ in _ROOMS
    )
    return HouseSpec(rooms, tuple(heaters), HOUSEHOLD, Weather(seed=seed), subscribed_a)
