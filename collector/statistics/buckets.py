"""Buckets of statistics: 10 minutes, hours, local days. Pure.

A bucket is the half-open interval (start, end] and is labelled with its end. Moments are whole µs
since 1970 UTC, as exact as PostgreSQL keeps them. Buckets of 10 minutes and of an hour are those of
UTC; a day is a day of a zone, 23 or 25 hours long when the clock changes.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DEFAULT_ZONE: Final = "Europe/Paris"
_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Width(StrEnum):
    """Length of a bucket."""

    TEN_MINUTES = "10min"
    HOUR = "hour"
    DAY = "day"


class Bucket(NamedTuple):
    """The moments after `start`, up to and with `end`."""

    start: int
    end: int


FIXED_US: Final = {Width.TEN_MINUTES: 10 * MINUTE_US, Width.HOUR: HOUR_US}


def find_zone(name: str) -> ZoneInfo:
    """Return a zone of the IANA database.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (OSError, KeyError, ValueError) as error:  # a name may be a path, or no path at all
        raise ValueError(f"TimeZone: expected a zone as {DEFAULT_ZONE}, found {name!r}") from error


def bucket_of(width: Width, moment: int, zone: ZoneInfo) -> Bucket:
    """Return the bucket that a moment (µs) lies in."""
    if width is not Width.DAY:
        length = FIXED_US[width]
        end = -(-moment // length) * length
        return Bucket(end - length, end)
    day = local_day(moment, zone)
    return Bucket(midnight(day, zone), midnight(day + timedelta(days=1), zone))


def buckets(width: Width, first: int, last: int, zone: ZoneInfo) -> Iterator[Bucket]:
    """Yield the buckets that hold a moment from `first` up to `last`, in order."""
    bucket = bucket_of(width, first, zone)
    while bucket.start < last:
        yield bucket
        bucket = bucket_of(width, bucket.end + 1, zone)


def local_day(moment: int, zone: ZoneInfo) -> date:
    """Return the day that a moment (µs) lies in; midnight belongs to the day that it ends."""
    return to_datetime(moment - 1).astimezone(zone).date()


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return when a day begins in `zone`, µs.

    Where the clock changes at midnight, the first midnight of two, or the moment of the change.
    """
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))


def to_us(moment: datetime) -> int:
    """Return an aware datetime as µs since 1970."""
    return (moment.astimezone(UTC) - _1970) // timedelta(microseconds=1)


def to_datetime(moment: int) -> datetime:
    """Return µs since 1970 as a datetime in UTC."""
    return _1970 + timedelta(microseconds=moment)
