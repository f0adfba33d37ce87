"""Local days and their hours, with the two clock changes of a year. Pure.

Moments are ms since 1970 UTC. An hour or a day is the half-open (start, end]. The hours of a day
are counted from its midnight, so that they make up the day exactly: 24 of them, 23 or 25 when the
clocks change, with a shorter last one where they change by half an hour.
"""

from datetime import date, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

HOUR_MS: Final = 3_600_000
ONE_DAY: Final = timedelta(days=1)


class Hour(NamedTuple):
    """An hour (start, end] of a local day."""

    start_ms: int
    end_ms: int
    day: date


class LocalDays:
    """The days of one time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._start_ms = self._end_ms = 0  # of the day asked for last: the next is mostly the same
        self._day = date(1970, 1, 1)

    def midnight_ms(self, day: date) -> int:
        """Return when a day begins."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()) * 1000

    def day_of(self, at_ms: int) -> date:
        """Return the day in which a moment lies; midnight ends a day."""
        self._seek(at_ms)
        return self._day

    def hour_of(self, at_ms: int) -> Hour:
        """Return the hour in which a moment lies; a full hour ends one."""
        self._seek(at_ms)
        start_ms = self._start_ms + (at_ms - self._start_ms - 1) // HOUR_MS * HOUR_MS
        return Hour(start_ms, min(start_ms + HOUR_MS, self._end_ms), self._day)

    def _seek(self, at_ms: int) -> None:
        if not self._start_ms < at_ms <= self._end_ms:
            day = datetime.fromtimestamp((at_ms - 1) // 1000, self.zone).date()
            self._day = day
            self._start_ms, self._end_ms = self.midnight_ms(day), self.midnight_ms(day + ONE_DAY)
