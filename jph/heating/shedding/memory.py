"""State that a shedder keeps on disk across restarts and reloads. Pure.

Learned currents have no age limit.  What follows the weather, or a day of the meter, is forgotten
after a while.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

ROOMS_S: Final = 10_000.0
"""Age from which the rooms' estimates are forgotten: the weather has changed (see `DRIFT_S`)."""

HELD_S: Final = 3600.0
"""Age from which reasons are forgotten: the cards' fallback has restored the heaters meanwhile."""

PEAKS_S: Final = 86_400.0
"""Age from which the peaks of the meter's day are forgotten."""


class LearnedHeater(msgspec.Struct, frozen=True):
    """The steps in A that a heater made when it was switched alone, oldest first."""

    steps: list[float]
    seen: int


class HeldHeater(msgspec.Struct, frozen=True):
    """A heater that is shed: since when (ms since 1970), at which current and limit, and why."""

    since_ms: float
    current: float | None
    limit: float
    cause: str
    turn_of: list[str] = []


class LearnedRoom(msgspec.Struct, frozen=True):
    """The hypotheses of a room: weight, heat shortage and heat of its walls, both in s.

    `offsets` are the weights of the errors of its heaters' thermostats, none in older files.
    """

    hypotheses: list[tuple[float, float, float]]
    offsets: list[float] = []


class LearnedLoad(msgspec.Struct, frozen=True):
    """A steered load: its steps in A on a phase, and the energy and time on of its day so far."""

    steps: list[float] = []
    period: int | None = None
    wh: float = 0.0
    error_wh: float = 0.0
    on_s: float = 0.0


class DayPeaks(msgspec.Struct, frozen=True):
    """The peaks of a phase since the meter's day began, and the meter's own highest power, VA."""

    shown_a: float
    filtered_a: float
    meter_va: float | None
    whole: bool


class Memory(msgspec.Struct, frozen=True):
    """Everything a policy has learned; `misplaced` counts steps seen on a wrong phase.

    `energy` is what each heater drew on the day `energy_day`, and its error, Wh.
    """

    saved_ms: float = 0.0
    heaters: Mapping[str, LearnedHeater] = {}
    held: Mapping[str, HeldHeater] = {}
    rooms: Mapping[str, LearnedRoom] = {}
    peaks: Mapping[int, DayPeaks] = {}
    misplaced: Mapping[str, Mapping[int, int]] = {}
    loads: Mapping[str, LearnedLoad] = {}
    energy: Mapping[str, tuple[float, float]] = {}
    energy_day: int | None = None


def to_stored(memory: Memory) -> dict[str, object]:
    """Return a memory as JSON can hold it."""
    stored = msgspec.to_builtins(memory, str_keys=True)
    assert isinstance(stored, dict)
    return stored


def from_stored(stored: object) -> Memory:
    """Return the memory that a file holds, an empty one where it is no such thing."""
    try:
        return msgspec.convert(stored, Memory, strict=False)
    except (msgspec.ValidationError, ValueError):
        return Memory()
