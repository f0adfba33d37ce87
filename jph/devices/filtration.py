"""Running time of a pool's pump, from the temperature of its water. Pure.

The rule of thumb of the trade: hours a day = temperature in °C / 2. With its usual refinements:

- the warmest of the day counts, and yesterday's until today has been warmer: algae do not wait;
- cold water (below 10 °C nearly nothing grows) needs only the stirring of the winter;
- hot water (from 30 °C on) is filtered without a pause;
- water near freezing is kept moving, whatever else is planned;
- the hours lie around the early afternoon, when the sun is on the water and chlorine is used up.

Sources: iopool's "What is the filtration time for your pool water" (the rule, continuous filtration
above 86 °F, little below 50 °F); the modes of Jeedom's and Home Assistant's pool plugins (pivot
hour, winter hours, frost guard). Every number can be set.

Moments are ms since 1970 UTC; a day is local.
"""

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

DAY_H: Final = 24.0
_HOUR_MS: Final = 3_600_000
_MOST_RUNS: Final = 48
_JOINED_MS: Final = 90_000
"""Runs with a shorter pause are one run: a restart of the program is no pause of the pump."""


class Reason(StrEnum):
    """The reason for the planned hours."""

    TEMPERATURE = "temperature"
    WINTER = "winter"
    HOT = "hot"
    FROST = "frost"
    UNKNOWN = "unknown"


class FiltrationRule(NamedTuple):
    """The numbers: °C, hours a day, and the local time around which the hours lie."""

    divisor: float = 2.0
    least_h: float = 2.0
    most_h: float = DAY_H
    winter_below_c: float = 10.0
    winter_h: float = 2.0
    hot_from_c: float = 30.0
    frost_below_c: float = 1.0
    unknown_h: float = 8.0
    middle: time = time(14)

    def hours(self, warmest_c: float | None) -> tuple[float, Reason]:
        """Return the hours of a day whose warmest water is `warmest_c`, and why so many."""
        if warmest_c is None:
            return self.unknown_h, Reason.UNKNOWN
        if warmest_c < self.winter_below_c:
            return self.winter_h, Reason.WINTER
        if warmest_c >= self.hot_from_c:
            return DAY_H, Reason.HOT
        return min(self.most_h, max(self.least_h, warmest_c / self.divisor)), Reason.TEMPERATURE


class PumpRun(NamedTuple):
    """A time in which the pump ran or will run."""

    start_ms: int
    end_ms: int


class FiltrationPlan(NamedTuple):
    """The plan at a moment: `run` now or not, and `ahead`, the rest of today."""

    hours: float
    why: Reason
    run: bool
    ahead: PumpRun | None


class FiltrationMemory(NamedTuple):
    """The state of a day: all that must survive a restart."""

    day: str = ""
    warmest_c: float | None = None
    before_c: float | None = None
    done_ms: int = 0
    runs: tuple[PumpRun, ...] = ()


class Filtration:
    """Follows a pool through its days.

    Attributes:
        memory: the state to store.
    """

    def __init__(self, rule: FiltrationRule, zone: ZoneInfo, memory: FiltrationMemory) -> None:
        self.memory = memory
        self._rule = rule
        self._zone = zone
        self._newest_c: float | None = None

    def hear(self, temperature_c: float, now_ms: int, *, counts: bool = True) -> None:
        """Take the water's temperature; `counts` if it is that of the pool, not of a still pipe."""
        self._turn(now_ms)
        self._newest_c = temperature_c
        warmest = self.memory.warmest_c
        if counts and (warmest is None or temperature_c > warmest):
            self.memory = self.memory._replace(warmest_c=temperature_c)

    def ran(self, now_ms: int, elapsed_ms: int) -> None:
        """Take note that the pump has run for the last `elapsed_ms`."""
        self._turn(now_ms)
        start_ms, _ = day_bounds(self._day_of(now_ms), self._zone)
        run = PumpRun(max(start_ms, now_ms - elapsed_ms), now_ms)
        runs = list(self.memory.runs)
        if runs and run.start_ms - runs[-1].end_ms <= _JOINED_MS:
            run = PumpRun(min(runs[-1].start_ms, run.start_ms), max(runs[-1].end_ms, run.end_ms))
            runs.pop()
        done_ms = self.memory.done_ms + min(elapsed_ms, now_ms - start_ms)
        self.memory = self.memory._replace(
            runs=tuple([*runs, run][-_MOST_RUNS:]), done_ms=max(0, done_ms)
        )

    def plan(self, now_ms: int) -> FiltrationPlan:
        """Return the plan; the pump catches up on missed hours until the day ends."""
        self._turn(now_ms)
        day = self._day_of(now_ms)
        start_ms, end_ms = day_bounds(day, self._zone)
        hours, why = self._rule.hours(self.counting_c)
        planned_ms = min(round(hours * _HOUR_MS), end_ms - start_ms)
        if hours >= DAY_H:
            planned_ms = end_ms - start_ms
        left_ms = max(0, planned_ms - self.memory.done_ms)
        begin_ms = max(now_ms, self._begin(day, planned_ms))
        ahead = PumpRun(begin_ms, min(end_ms, begin_ms + left_ms)) if left_ms else None
        frozen = self._newest_c is not None and self._newest_c < self._rule.frost_below_c
        if frozen:
            return FiltrationPlan(DAY_H, Reason.FROST, True, PumpRun(now_ms, end_ms))
        run = ahead is not None and ahead.start_ms <= now_ms
        return FiltrationPlan(
            (end_ms - start_ms) / _HOUR_MS if hours >= DAY_H else hours, why, run, ahead
        )

    @property
    def counting_c(self) -> float | None:
        """The temperature that counts: the warmest of today and yesterday."""
        known = [c for c in (self.memory.warmest_c, self.memory.before_c) if c is not None]
        return max(known, default=None)

    def _begin(self, day: date, planned_ms: int) -> int:
        """Return when a day's hours begin: half of them before the middle, all in the day."""
        start_ms, end_ms = day_bounds(day, self._zone)
        middle = datetime.combine(day, self._rule.middle, self._zone)
        begin_ms = round(middle.timestamp() * 1000) - planned_ms // 2
        return max(start_ms, min(begin_ms, end_ms - planned_ms))

    def _turn(self, now_ms: int) -> None:
        """Begin a new day, if it is one."""
        today = self._day_of(now_ms)
        memory = self.memory
        if memory.day == today.isoformat():
            return
        follows = memory.day == (today - timedelta(days=1)).isoformat()
        before = memory.warmest_c if follows else None
        if (
            follows and before is None
        ):  # not measured yesterday: the temperature before it counts on
            before = memory.before_c
        self.memory = FiltrationMemory(day=today.isoformat(), before_c=before)

    def _day_of(self, now_ms: int) -> date:
        return datetime.fromtimestamp(now_ms / 1000, self._zone).date()


def day_bounds(day: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return when a local day begins and ends: 23, 24 or 25 hours later."""
    start, end = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
    return round(start.timestamp() * 1000), round(end.timestamp() * 1000)
