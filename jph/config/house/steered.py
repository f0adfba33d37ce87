"""Settings of loads that are no heaters on pilot wires: switches and chargers. Pure."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from jph.config.model import Network
from jph.config.settings import described
from jph.errors import Problem

MINUTES: Final = 1440
LARGEST_A: Final = 80.0


class LoadSort(StrEnum):
    """The sort of a load: on or off, or a current in A that can be set."""

    SWITCH = "switch"
    CHARGER = "charger"


class SteeredLoadSettings(
    msgspec.Struct, rename="pascal", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A water heater's contactor, a pump, a relay; or a car charger."""

    codifier: Annotated[
        str, described('element or node that takes 0 and 1, or A; it needs "Control": "enabled"')
    ]
    sort: Annotated[LoadSort, described("switch, or charger with a settable current")] = (
        LoadSort.SWITCH
    )
    name: Annotated[str, described("name for people")] = ""
    phases: Annotated[tuple[int, ...], described("its phases")] = (1,)
    priority: Annotated[
        int,
        described("a wanting heater of this priority or a higher one goes first; others wait"),
    ] = 0
    watts: Annotated[float | None, described("power when on, until it is learned", "W")] = None
    least: Annotated[float, described("smallest current of a charger", "A")] = 6.0
    most: Annotated[float, described("largest current of a charger", "A")] = 32.0
    minimum_on: Annotated[float, described("shortest time on", "s", ge=0, le=7200)] = 300.0
    minimum_off: Annotated[float, described("shortest time off", "s", ge=0, le=7200)] = 300.0
    hours: Annotated[float | None, described("hours of each day that it needs")] = None
    kwh: Annotated[float | None, described("energy of each day that it needs", "kWh")] = None
    by: Annotated[str, described("time of day by which it needs that, HH:MM")] = "00:00"
    off_peak: Annotated[bool, described("wait for off-peak hours while there is time")] = False
    surplus: Annotated[bool, described("take what would be fed in")] = False
    power: Annotated[str, described("element with its measured power, W")] = ""
    fallback: Annotated[
        float, described("value that it has when the shedder is stopped", ge=0, le=80)
    ] = 0.0

    def __post_init__(self) -> None:
        if not self.phases or not set(self.phases) <= {1, 2, 3}:
            raise ValueError("Phases: expected some of 1, 2 and 3")
        if len(set(self.phases)) < len(self.phases):
            raise ValueError("Phases: a phase is there twice")
        if not 0 < self.least <= self.most <= LARGEST_A:
            raise ValueError(f"Least and Most: expected 0 < Least <= Most <= {LARGEST_A:g} A")
        if self.watts is not None and self.watts <= 0:
            raise ValueError("Watts: expected more than 0")
        if not 0 <= (self.hours or 0.0) <= 24 or not 0 <= (self.kwh or 0.0) <= 1000:
            raise ValueError("Hours: expected 0 to 24; Kwh: expected 0 to 1000")
        if self.hours is not None and self.kwh is not None:
            raise ValueError("Hours and Kwh: only one of both is the need")
        if self.sort is LoadSort.CHARGER and self.hours is not None:
            raise ValueError("Hours: a charger needs Kwh")
        minute_of(self.by)

    def __str__(self) -> str:
        return f"{self.codifier} ({self.name})" if self.name else self.codifier


def minute_of(text: str) -> int:
    """Return the minute of the day of HH:MM."""
    hours, _, minutes = text.partition(":")
    if not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
        raise ValueError(f"By: expected HH:MM, found {text!r}")
    return 60 * int(hours) + int(minutes)


def steered_problems(
    network: Network, loads: Sequence[SteeredLoadSettings], path: str, phases: set[int]
) -> Iterator[Problem]:
    """Yield loads that cannot be ordered, are there twice, or are on a phase without a limit."""
    entries = {sensor.codifier: sensor for sensor in network.sensors}
    seen: set[str] = set()
    for load in loads:
        here = f"{path}.Loads[{load.codifier}]"
        entry = entries.get(load.codifier)
        if entry is None:
            yield Problem(here, f"no such codifier: {load.codifier!r}")
        elif entry.control != "enabled":
            text = f'{load.codifier} takes no orders: it needs "Control": "enabled"'
            yield Problem(here, text)
        if load.power and load.power not in entries:
            yield Problem(f"{here}.Power", f"no such codifier: {load.power!r}")
        if load.codifier in seen:
            yield Problem(here, f"load {load.codifier} is there twice")
        seen.add(load.codifier)
        for phase in set(load.phases) - phases:
            yield Problem(here, f"phase {phase} is not protected by this shedder")
