"""Lead times: how early a room starts to warm up, learned from its own record. Pure.

A rise of the wish takes the time from its start until the room is near it. The rise in kelvin over
this time is the room's rate: a first-order estimate that contains how far the room cools before,
what the shedder takes, and the weather of the last days. The slowest of the last rises counts.
"""

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from jph.heating.plan.conditions.calendar import ONE_DAY, instant_of
from jph.heating.plan.document.check import Tree
from jph.heating.plan.evaluation.timeline import values_at
from jph.heating.plan.evaluation.value import Scheduled, Week, chain_of, slots_of_day

NEAR_K: Final = 0.3
LEAST_RISE_K: Final = 1.0
"""A smaller rise says little of the rate."""
_UNCOOLED_K: Final = 3.0
"""A room so far above its old wish says little: a window was open, or an absence was short."""
LONGEST_H: Final = 24.0
_KEPT: Final = 5
_SLOWEST_K_H: Final = 0.05
_FASTEST_K_H: Final = 20.0
_SURPLUS: Final = 1.1
"""The next rise may be this much slower than the slowest one."""


class Rate(msgspec.Struct, frozen=True):
    """The rates of a room's last rises, K/h, oldest first."""

    seen: tuple[float, ...] = ()

    @classmethod
    def of(cls, seen: Iterable[float]) -> "Rate":
        """Return stored rates, without those that no room has."""
        return cls(tuple(each for each in seen if _SLOWEST_K_H <= each <= _FASTEST_K_H)[-_KEPT:])

    def k_per_h(self, assumed: float) -> float:
        """Return the rate to count on; `assumed` while none was seen."""
        return min(self.seen) / _SURPLUS if self.seen else assumed

    @property
    def confidence(self) -> float:
        """Confidence from 0 (assumed) to 1: many rises that were alike."""
        count = len(self.seen)
        return count / (count + 1) * min(self.seen) / max(self.seen) if count else 0.0

    def with_rise(self, kelvin: float, hours: float) -> "Rate":
        """Return the rates with one more rise."""
        found = min(max(kelvin / max(hours, 0.01), _SLOWEST_K_H), _FASTEST_K_H)
        return Rate((*self.seen, found)[-_KEPT:])


class _Rise(NamedTuple):
    start_ms: int
    from_c: float
    wish_c: float


class RateLearner:
    """Follows a room's wish and temperature, and learns from each rise that ends near the wish."""

    def __init__(self, rate: Rate | None = None) -> None:
        self.rate = rate or Rate()
        self._rise: _Rise | None = None
        self._wish_c: float | None = None

    def take(self, now_ms: int, wish_c: float, temperature_c: float | None) -> bool:
        """Take wish and temperature now; return whether something was learned."""
        before_c, self._wish_c = self._wish_c, wish_c
        if temperature_c is None:
            self._rise = None
            return False
        if before_c is not None and wish_c != before_c:
            from_c = min(before_c, temperature_c)
            uncooled = temperature_c - before_c > _UNCOOLED_K
            rises = wish_c - from_c >= LEAST_RISE_K and temperature_c < wish_c - NEAR_K
            rises = rises and wish_c > before_c and not uncooled
            self._rise = _Rise(now_ms, from_c, wish_c) if rises else None
        rise = self._rise
        if rise is None or temperature_c < rise.wish_c - NEAR_K:
            return False
        self._rise = None
        hours = (now_ms - rise.start_ms) / 3_600_000
        self.rate = self.rate.with_rise(rise.wish_c - rise.from_c, hours)
        return True


def lead_ms(rise_k: float, k_per_h: float) -> int:
    """Return how long a rise takes, ms."""
    return round(min(max(rise_k, 0.0) / k_per_h, LONGEST_H) * 3_600_000)


class Due(NamedTuple):
    """A value that a room shall have reached at a moment."""

    at: datetime.datetime
    value: Scheduled


def due_values(
    scheduler: Tree, now: datetime.datetime, zone: ZoneInfo, week: Week
) -> dict[str, list[Due]]:
    """Return what slots marked `by` want of each device within the longest lead, by time."""
    found: dict[str, list[Due]] = {}
    end = now + datetime.timedelta(hours=LONGEST_H)
    for device, at in sorted(set(_marked(scheduler, now, zone, week)), key=lambda each: each[1]):
        value = values_at(scheduler, at, zone, week).get(device) if now < at <= end else None
        if value is not None:
            found.setdefault(device, []).append(Due(at, value))
    return found


def by_moments(
    scheduler: Tree,
    start: datetime.datetime,
    end: datetime.datetime,
    zone: ZoneInfo,
    week: Week,
) -> set[datetime.datetime]:
    """Return the moments of slots marked `by`, from `start` until a lead after `end`."""
    found: set[datetime.datetime] = set()
    at = start
    while at <= end + ONE_DAY:
        found |= {moment for _, moment in _marked(scheduler, at, zone, week)}
        at += ONE_DAY
    return found


def _marked(
    scheduler: Tree, now: datetime.datetime, zone: ZoneInfo, week: Week
) -> Iterator[tuple[str, datetime.datetime]]:
    """Yield each device of a slot marked `by`, with its moment, from today to the day after."""
    today = now.astimezone(zone).date()
    for schedule in chain_of(scheduler, scheduler.get("active_schedule")):
        for item in schedule["schedule_items"]:
            for day in (today, today + ONE_DAY):
                for slot in slots_of_day(item, day, week):
                    if slot.get("by") is True:
                        time = datetime.time.fromisoformat(slot["start_time"])
                        moment = instant_of(day, time, zone)
                        for device in item["devices"]:
                            yield device, moment


def shown(rate: Rate, assumed: float) -> dict[str, Any]:
    """Return the rate as the state of a room shows it."""
    return {
        "k_per_h": round(rate.k_per_h(assumed), 2),
        "rises": len(rate.seen),
        "confidence": round(rate.confidence, 2),
    }
