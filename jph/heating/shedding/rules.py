"""Types of the shedding policy: its numbers, its inputs and its results. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from jph.config.house.loads import Load
from jph.config.house.shedder import BREAKER_CURVE, SheddingSettings
from jph.heating.orders.coding import Order

NEVER: Final = -math.inf
_NOTHING: Final[Mapping[int, float]] = MappingProxyType({})
_NO_ROOMS: Final[Mapping[str, "RoomReading | None"]] = MappingProxyType({})
_NO_ORDERS: Final[Mapping[str, Order]] = MappingProxyType({})
_NO_SHEDS: Final[Mapping[str, "Held"]] = MappingProxyType({})
_NO_AMPERES: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policy's numbers: amperes, seconds, volts; docs/nodes/shedding.md says which is which."""

    margin_a: float = 0.6
    settle_s: float = 2.6
    minimum_off_s: float = 120.0
    minimum_on_s: float = 60.0
    maximum_off_s: float = 3600.0
    silence_s: float = 3.9
    surprise_a: float = 12.0
    blind_after_s: float = 300.0
    blind_share: float = 0.5
    assumed_a: float = 5.0
    volts: float = 230.0
    breaker_a: float | None = None
    breaker_curve: Sequence[tuple[float, float]] = BREAKER_CURVE
    priority_s: float = 200.0
    rotate_s: float = 600.0
    want_s: float = 90.0
    cost_a: float = 0.8
    reserve: float = 1.0
    eco_first: bool = False


def rules_of(settings: SheddingSettings) -> Rules:
    """Return the policy's numbers as a shedder's settings give them."""
    return Rules(
        margin_a=settings.margin,
        settle_s=settings.settle,
        minimum_off_s=settings.minimum_off,
        minimum_on_s=settings.minimum_on,
        maximum_off_s=settings.maximum_off,
        silence_s=settings.silence,
        surprise_a=settings.surprise,
        blind_after_s=settings.blind_after,
        blind_share=settings.blind_share,
        assumed_a=settings.assumed_watts / settings.voltage,
        volts=settings.voltage,
        breaker_a=settings.breaker,
        breaker_curve=settings.breaker_curve,
        priority_s=settings.priority_worth,
        eco_first=settings.eco_first,
    )


class Urgent(NamedTuple):
    """Heaters that matter more for a while than their priority says, by codifier.

    `frost` are those of rooms below their frost floor, `boosted` those of rooms with a boost.
    """

    frost: frozenset[str] = frozenset()
    boosted: frozenset[str] = frozenset()


class RoomReading(NamedTuple):
    """The air of a room and its wish, °C; the wish is None where none is known."""

    celsius: float
    wish_c: float | None = None


class LoadReadings(NamedTuple):
    """What steered loads report: values as they are ordered, measured powers in W.

    `fed_in` is the current that each phase feeds in, A; `off_peak` is None where nothing is new.
    """

    values: Mapping[str, float] = _NO_AMPERES
    powers: Mapping[str, float] = _NO_AMPERES
    fed_in: Mapping[int, float] = _NOTHING
    off_peak: bool | None = None


class Readings(NamedTuple):
    """Readings since the last step; any part may be missing.

    `warnings` are the currents of the meter's overrun warnings (ADIR1–3), `overrun` is bit 7 of its
    status (STGE).  Both stand in for currents that have not come for a while, and are not needed.
    `urgent` is None where nothing new is known of it.  `rooms` are the thermometers, by room; a
    reading of None ends one that fell silent.  `loads` is what steered loads report.
    """

    currents: Mapping[int, float] = _NOTHING
    limits: Mapping[int, float] = _NOTHING
    warnings: Mapping[int, float] = _NOTHING
    orders: Mapping[str, Order] = _NO_ORDERS
    overrun: bool | None = None
    urgent: Urgent | None = None
    rooms: Mapping[str, RoomReading | None] = _NO_ROOMS
    loads: LoadReadings = LoadReadings()


class Reason(NamedTuple):
    """One heater switched, and why; `turn_of` are the heaters that take its place."""

    phase: int
    heater: Load
    shed: bool
    current_a: float | None
    limit_a: float
    cause: str
    turn_of: Sequence[str] = ()

    def __str__(self) -> str:
        verb = "shed" if self.shed else "restored"
        current = "no current known" if self.current_a is None else f"{self.current_a:g} A"
        text = f"phase {self.phase}: {self.heater} {verb}, {self.cause}"
        return f"{text} ({current}, limit {self.limit_a:g} A)"


class Decision(NamedTuple):
    """Masks of all phases, what changed and why, and the phases nothing more can be done for.

    `warnings` are sentences for people: a heater off for very long, a table that is wrong.
    `changes` are what steered loads do from now on, as sentences.
    """

    masks: Mapping[int, int]
    reasons: Sequence[Reason]
    helpless: Sequence[int]
    warnings: Sequence[str] = ()
    changes: Sequence[str] = ()

    @property
    def shed(self) -> int:
        """The number of heaters shed."""
        return sum(mask.bit_count() for mask in self.masks.values())


class Held(NamedTuple):
    """A heater that is shed: since when, why, and the range of seconds in which it may return.

    `restore_s` to `restore_by_s` holds most returns, see `Phase.back_range`.  `turn_of` are the
    heaters that took its place.
    """

    since_s: float
    current_a: float | None
    limit_a: float
    cause: str
    restore_s: float
    restore_by_s: float
    turn_of: Sequence[str] = ()


class Report(NamedTuple):
    """A phase now: `trip_s` to the trip, infinite if none is near; learned amperes.

    `silent_s` is the age of the current, infinite where none was heard.
    """

    current_a: float | None = None
    limit_a: float | None = None
    trip_s: float = math.inf
    shed: Mapping[str, Held] = _NO_SHEDS
    amperes: Mapping[str, float] = _NO_AMPERES
    silent_s: float = math.inf
