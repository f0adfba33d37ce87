"""Energy so far today beside yesterday at this hour, and when a tariff period usually ends.

What asks PostgreSQL blocks; the rest is pure.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from collector.db.connecting import transaction
from collector.energy.consumed import HourOfPeriod, hours
from collector.energy.meters import has_periods, indexes
from collector.energy.money import local_days, read_energy
from collector.history.query import Range
from collector.history.stored import read_changes
from collector.statistics.local_days import ONE_DAY
from jph.config.model import Network

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_HOUR: Final = timedelta(hours=1)
_DAYS_BACK: Final = 3
_SAME: Final = timedelta(minutes=10)
"""So far apart the ends of a period on two days may be to count as one habit."""


class Today(msgspec.Struct, frozen=True):
    """Wh from local midnight `until` a moment (ms since 1970), and yesterday by the same hour.

    `day_before` is all of yesterday; None is not known.
    """

    until: int
    wh: int
    yesterday: int | None = None
    day_before: int | None = None


class Glance(msgspec.Struct, frozen=True):
    """What the history tells the page of the house: `tariff_ends` is ms since 1970."""

    energy: Today | None = None
    tariff_ends: int | None = None


def drawn_by(hours_of_day: Iterable[HourOfPeriod], moment: datetime) -> int | None:
    """Return the Wh of a day up to a moment; of the hour it lies in, a share by time."""
    wh, known = 0.0, False
    for hour in hours_of_day:
        left = (hour.end - moment) / _HOUR
        if left < 1:
            known = True
            wh += hour.wh * min(1.0, 1 - left)
    return round(wh) if known else None


def day_earlier(moment: datetime, zone: tzinfo) -> datetime:
    """Return the same local time of the day before."""
    local = moment.astimezone(zone)
    return datetime.combine(local.date() - ONE_DAY, local.time(), zone)


def usual_end(changes: Sequence[tuple[int, str]], now: datetime, zone: tzinfo) -> datetime | None:
    """Return when the period that runs now should end: as it did on two of the last days.

    `changes` are moments (ms since 1970) and what began then, in order.
    """
    if not changes:
        return None
    period = changes[-1][1]
    pairs = pairwise(changes)
    ends = [_local(then, zone) for (_, was), (then, _) in pairs if was == period]
    coming = sorted(_next(end.time(), now.astimezone(zone)) for end in ends)
    for each in coming:
        if sum(abs(other - each) <= _SAME for other in coming) > 1:
            return each
    return None


def read_today(connection: "connection", network: Network, now: datetime) -> Today | None:
    """Return what was drawn today and yesterday; None if nothing is known, or nothing to be.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    days = local_days(network)
    meter = next((index.meter for index in indexes(network)), None)
    if meter is None:
        return None
    day = now.astimezone(days.zone).date()
    total = not has_periods(network, meter)
    with transaction(connection) as cursor:
        drawn = read_energy(cursor, meter, day, day + ONE_DAY, total=total)
        if drawn.until is None:
            return None
        before = hours(cursor, meter, day - ONE_DAY, day, total=total)
    wh = round(sum(sum(periods.values()) for periods in drawn.energy.values()))
    zone = days.zone
    return Today(
        until=round(drawn.until.timestamp() * 1000),
        wh=wh,
        yesterday=drawn_by(before, day_earlier(drawn.until, zone)),
        day_before=sum(hour.wh for hour in before) if before else None,
    )


def read_end(
    connection: "connection", network: Network, tariff: str, now: datetime
) -> datetime | None:
    """Return when the period that `tariff` tells should end, None if it is not known.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    zone = local_days(network).zone
    now_ms = round(now.timestamp() * 1000)
    since_ms = now_ms - round(1000 * timedelta(days=_DAYS_BACK).total_seconds())
    return usual_end(read_changes(connection, Range(tariff, since_ms, now_ms)), now, zone)


def _local(at_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, zone)


def _next(end: time, now: datetime) -> datetime:
    """Return when a time of day comes next."""
    today = datetime.combine(now.date(), end, now.tzinfo)
    return today if today > now else today + ONE_DAY
