"""Quality of the regulation: winter days of simulated houses, each room held at its wish.

    python -m bench.wishes [--days N] [--houses N] [--first SEED] [--json FILE]

docs/bench/wishes.md describes the method.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Final, NamedTuple

from bench.harness import report
from bench.judge.neighbourhood import Sizing, generate
from jph.heating.orders.coding import Order
from jph.heating.rooms.regulation import (
    CYCLE_S,
    RegulationState,
    Thermometer,
    heat_s,
    heat_share,
    room_temperature,
)
from jph.sim.physics import HouseSpec, SimulatedHouse
from jph.sim.physics.house import ECO_BELOW_COMFORT_K
from jph.sim.physics.weather import DAY_S, HOUR_S

OPTIONS: Final[dict[str, report.Option]] = {
    "days": (20, "days of each house"),
    "houses": (3, "houses, each with its own weather"),
    "first": (0, "seed of the first house"),
}
TABLE: Final = (
    ("held", "held", "9.1%"),
    ("worst", "worst room", "12.1%"),
    ("off_k", "mean off, K", "13.2f"),
    ("reachable", "reachable", "11.1%"),
    ("all_off_k", "of all, K", "11.2f"),
    ("switchings", "switch", "9.1f"),
    ("energy_kwh", "kWh a day", "11.1f"),
)
NEAR_K: Final = 0.5
LOOK_S: Final = 10.0
MEASURED_S: Final = 60.0
"""Interval of a thermometer; it sends tenths."""
WISHES_C: Final = (18.0, 19.0, 20.0, 21.0)
COMFORT_C: Final = 20.0
NIGHT_C: Final = 17.0
HIGHEST_C: Final = 26.0
"""Setpoint of the heaters' own thermostats: above all wishes, so that comfort means heat."""
WishAt = Callable[[float], float]
"""Returns the wish of a room at a time, s since midnight of the first day; °C."""


def programme(day_c: float, night_c: float) -> WishAt:
    """Return the wish of a room that is warm from 6:30 to 22:30."""
    return lambda time_s: day_c if 6.5 * HOUR_S <= time_s % DAY_S < 22.5 * HOUR_S else night_c


@dataclass(slots=True)
class RoomScore:
    """The minutes of a room: all, those in which its wish was reachable, and those held.

    A wish is not reachable from its change until the room first comes near it, and while the
    room is too cold though its heaters have had heat for a whole cycle.
    """

    all: int = 0
    reachable: int = 0
    held: int = 0
    off_k: float = 0.0
    all_off_k: float = 0.0
    arrived: bool = False
    wish_c: float = 0.0
    heated_s: float = 0.0

    def look(self, wish_c: float, air_c: float) -> None:
        """Count a minute."""
        near = abs(air_c - wish_c) <= NEAR_K
        if wish_c != self.wish_c:
            self.wish_c, self.arrived = wish_c, False
        self.arrived = self.arrived or near
        self.all += 1
        self.all_off_k += abs(air_c - wish_c)
        if self.arrived and not (air_c < wish_c - NEAR_K and self.heated_s >= CYCLE_S):
            self.reachable += 1
            self.held += near
            self.off_k += abs(air_c - wish_c)


class Regulated:
    """One room that the regulation holds; `step` returns the order of its heaters."""

    def __init__(self, offset_s: float) -> None:
        self._state = RegulationState()
        self._seen: list[float] = []
        self._begins_s = offset_s
        self._on_s = 0.0

    def measure(self, air_c: float, now_s: float) -> None:
        """Take a value of the room's thermometer."""
        found, _ = room_temperature([Thermometer("T", round(air_c, 1), 0.0)], MEASURED_S)
        self._seen = [*self._seen, found or air_c][-round(CYCLE_S / MEASURED_S) :]

    def step(self, wish_c: float, now_s: float) -> Order:
        """Return the order at this time; a new cycle begins each `CYCLE_S`."""
        if now_s >= self._begins_s + CYCLE_S:
            self._begins_s = now_s
            share, self._state = heat_share(self._state, mean(self._seen), wish_c, now_s)
            self._on_s = heat_s(share)
        return Order.COMFORT if now_s - self._begins_s < self._on_s else Order.FROST


class HouseScore(NamedTuple):
    """The rooms of a house, switchings a heater and day, and its energy a day."""

    rooms: dict[str, RoomScore]
    switchings: float
    energy_kwh: float


def live(
    spec: HouseSpec, wishes: dict[str, WishAt], days: float, *, regulated: bool, seed: int = 0
) -> HouseScore:
    """Return how a house held its wishes, by the regulation or by its heaters' thermostats."""
    house = SimulatedHouse(spec, seed=seed, start_s=0.0, indoor_c=18.0)
    house.comfort_c = HIGHEST_C if regulated else COMFORT_C
    rooms = {name: Regulated(-CYCLE_S * index / len(wishes)) for index, name in enumerate(wishes)}
    scores = {name: RoomScore() for name in wishes}
    was_on = dict.fromkeys(house.heaters, False)
    switchings = 0
    for look in range(round(days * DAY_S / LOOK_S)):
        now_s = look * LOOK_S
        orders = {}
        for name, wish_at in wishes.items():
            wish_c, air_c = wish_at(now_s), house.rooms[name].air_c
            if look % round(MEASURED_S / LOOK_S) == 0:
                rooms[name].measure(air_c, now_s)
                scores[name].look(wish_c, air_c)
            if regulated:
                orders[name] = rooms[name].step(wish_c, now_s)
            else:
                orders[name] = Order.COMFORT if wish_c > NIGHT_C else Order.ECO
        drawing = dict.fromkeys(wishes, True)
        for codifier, heater in house.heaters.items():
            house.order(codifier, orders[heater.spec.room])
            switchings += heater.on is not was_on[codifier]
            was_on[codifier] = heater.on
            drawing[heater.spec.room] &= heater.on
        for name, score in scores.items():
            score.heated_s = score.heated_s + LOOK_S if drawing[name] else 0.0
        house.step(LOOK_S)
    return HouseScore(
        scores, switchings / len(house.heaters) / days, house.heating_joules() / 3.6e6 / days
    )


def spec_of(seed: int) -> HouseSpec:
    """Return a house whose contract is never the limit and that has no appliances."""
    return replace(generate(Sizing.LIGHT, seed), appliances=())


def row_of(name: str, found: Sequence[HouseScore]) -> report.Row:
    """Return the figures of some houses."""
    rooms = [room for house in found for room in house.rooms.values()]
    reachable, every = (
        sum(each) for each in zip(*((r.reachable, r.all) for r in rooms), strict=True)
    )
    return {
        "name": name,
        "held": sum(room.held for room in rooms) / reachable if reachable else None,
        "worst": min(room.held / room.reachable if room.reachable else 0.0 for room in rooms),
        "off_k": sum(room.off_k for room in rooms) / reachable if reachable else None,
        "reachable": reachable / every,
        "all_off_k": sum(room.all_off_k for room in rooms) / every,
        "switchings": mean(house.switchings for house in found),
        "energy_kwh": mean(house.energy_kwh for house in found),
    }


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Let the same houses live by a programme of comfort and eco, and by wishes."""
    eco_c = COMFORT_C - ECO_BELOW_COMFORT_K
    runs: dict[str, list[HouseScore]] = {}
    for seed in range(options.first, options.first + options.houses):
        spec = spec_of(seed)
        names = [room.name for room in spec.rooms]
        same = dict.fromkeys(names, programme(COMFORT_C, eco_c))
        own = {n: programme(WISHES_C[i % 4], NIGHT_C) for i, n in enumerate(names)}
        for name, wishes, regulated in (
            ("comfort and eco by the heaters", same, False),
            ("the same wishes, regulated", same, True),
            ("wishes by room, comfort and eco", own, False),
            ("wishes by room, regulated", own, True),
        ):
            found = live(spec, wishes, options.days, regulated=regulated, seed=seed)
            runs.setdefault(name, []).append(found)
    rows = [row_of(name, found) for name, found in runs.items()]
    report.table(rows, TABLE, 34, f"{options.houses} houses, {options.days} days each")
    return rows


if __name__ == "__main__":
    report.run("wishes", __doc__, measure, OPTIONS)
