"""Weeks A and B, days of a kind, and local wall time across the two changes of clock. Pure.

Holidays come as functions of a date that return None for "not known", which is never taken for
"no holiday".
"""

import datetime
from collections.abc import Callable
from typing import Final, Literal
from zoneinfo import ZoneInfo

ONE_DAY: Final = datetime.timedelta(days=1)
TEMPO_DAY_BEGINS: Final = datetime.time(6)
"""A Tempo day runs from 6:00 to 6:00 of the next day."""
_MIDDLE_OF_NIGHT: Final = datetime.time(3)
_NIGHT_ENDS: Final = datetime.time(6)
IsDay = Callable[[datetime.date], bool | None]


def iso_week(date: datetime.date) -> Literal["A", "B"]:
    """Return A in even ISO weeks and B in odd ones: two B weeks follow a year of 53 weeks."""
    return "A" if date.isocalendar().week % 2 == 0 else "B"


def alternating_week(monday_of_a: datetime.date) -> Callable[[datetime.date], Literal["A", "B"]]:
    """Return the letter of weeks that alternate; `monday_of_a` is any day of a week A."""
    first = monday_of_a - datetime.timedelta(days=monday_of_a.weekday())

    def letter(date: datetime.date) -> Literal["A", "B"]:
        return "A" if (date - first).days // 7 % 2 == 0 else "B"

    return letter


def is_eve(is_holiday: IsDay, date: datetime.date) -> bool | None:
    """Say whether the next day is a holiday."""
    return is_holiday(date + ONE_DAY)


def night_after(now_ms: int, zone: ZoneInfo) -> int:
    """Return 3:00 of the coming night, ms since 1970; before 6:00 that of this night, or now."""
    now = datetime.datetime.fromtimestamp(now_ms / 1000, zone)
    day = now.date() if now.time() < _NIGHT_ENDS else now.date() + ONE_DAY
    return max(round(instant_of(day, _MIDDLE_OF_NIGHT, zone).timestamp() * 1000), now_ms)


def tempo_date(at: datetime.datetime) -> datetime.date:
    """Return the Tempo day of a local time."""
    return at.date() if at.time() >= TEMPO_DAY_BEGINS else at.date() - ONE_DAY


def instant_of(date: datetime.date, time: datetime.time, zone: ZoneInfo) -> datetime.datetime:
    """Return the moment, in UTC, at which a local wall time is first reached or passed.

    A time that the night of March skips is passed when the clock jumps. A time that the night of
    October has twice is the first one.
    """
    wall = datetime.datetime.combine(date, time)
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(datetime.UTC)
    back = moment.astimezone(zone).replace(tzinfo=None)
    if back == wall:
        return moment
    return _jump_between(moment - ONE_DAY, moment, zone)


def _jump_between(
    before: datetime.datetime, after: datetime.datetime, zone: ZoneInfo
) -> datetime.datetime:
    """Return the first whole second after the change of offset between two moments."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > datetime.timedelta(seconds=1):
        middle = before + (after - before) / 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def wall_time(moment: datetime.datetime, zone: ZoneInfo) -> datetime.datetime:
    """Return the local wall time of a moment, naive, which never goes back.

    In the hour that the night of October repeats, the wall time stands at the end of that hour: a
    slot that began in it the first time goes on.
    """
    local = moment.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    jump = _jump_between(moment - ONE_DAY, moment, zone)
    end = (jump - datetime.timedelta(microseconds=1)).astimezone(zone)
    return max(end, local.replace(fold=0)).replace(tzinfo=None, fold=0)
