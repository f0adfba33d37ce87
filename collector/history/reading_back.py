"""The history of a codifier, as fine as somebody can draw it. Every function blocks.

A page that asks for a day, a month or a year gets 10 minutes, hours or days: as many rows as it
draws, however many readings and years are stored. Each point tells minimum and maximum beside the
mean, so that no spike disappears. Times are ms since 1970; a point's is the end of what it sums up.
"""

import io
import struct
from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from itertools import repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from collector.db.connecting import query, transaction
from collector.history.numbers import FINITE, NUMBER, TEXT
from collector.statistics.buckets import DEFAULT_ZONE, Width, bucket_of, to_datetime

if TYPE_CHECKING:
    from psycopg2.extensions import connection

DEFAULT_MOST: Final = 1500
"""As many points as a wide screen has columns to draw them."""
RAW_MOST: Final = 20_000
"""As many readings are looked at where the next coarser step would leave a page nearly empty."""
_SPARSE: Final = 4
_TEN_MINUTES_MS: Final = 600_000
_moment = itemgetter(0)
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_BUCKETS: Final = f"""
    SELECT {_MS}, mean, min, max, count FROM statistic_{{width}}
    WHERE codifier = %s AND timestamp > %s AND timestamp <= %s
"""
# What the last bucket's parts are together, which matters where it runs: a negative count.
_PART: Final = f"""
    UNION ALL SELECT {_MS.replace("timestamp", "max(timestamp)")},
        sum(mean * count) / sum(count), min(min), max(max), -sum(count)::integer
    FROM statistic_10min WHERE codifier = %s AND timestamp > %s AND timestamp <= %s
    HAVING count(*) > 0
"""
_UNTIL: Final = f"UNION ALL SELECT {_MS}, 0, 0, 0, 0 FROM statistics_until"
_ROW: Final = struct.Struct(">2x4xq4xd4xd4xd4xi")  # count of columns, then length and content
_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2
_RAW: Final = f"""
    SELECT {_MS}, {NUMBER} FROM readings(%s, %s, %s) WHERE {FINITE}
    ORDER BY timestamp, epoch, sequence
"""
_NOT_COMPUTED: Final = f"""
    SELECT max(ms), avg(value), min(value), max(value), count(*) FROM (
        SELECT {_MS} AS ms, {NUMBER} AS value FROM readings(%s, %s, %s) WHERE {FINITE}
    ) AS raw GROUP BY (ms - 1) / {_TEN_MINUTES_MS} ORDER BY 1
"""
_CHANGES: Final = f"""
    SELECT ms, text FROM (
        SELECT {_MS} AS ms, {TEXT} AS text, epoch, sequence,
            lag({TEXT}) OVER (ORDER BY timestamp, epoch, sequence) AS before
        FROM readings(%s, %s, %s)
    ) AS each WHERE text IS DISTINCT FROM before
    ORDER BY ms DESC, epoch DESC, sequence DESC LIMIT %s
"""


class Level(StrEnum):
    """How fine a history is."""

    RAW = "raw"
    TEN_MINUTES = "10min"
    HOUR = "hour"
    DAY = "day"


_LENGTHS_MS: Final = {
    Level.TEN_MINUTES: _TEN_MINUTES_MS,
    Level.HOUR: 3_600_000,
    Level.DAY: 86_400_000,
}


class Point(NamedTuple):
    """What a stretch of time was like; of one reading all three are its value."""

    timestamp_ms: int
    mean: float
    min: float
    max: float
    count: int  # type: ignore[assignment]  # not the method of tuples


class History(NamedTuple):
    """Points in order, and how fine they are."""

    level: Level
    points: list[Point]


class Range(NamedTuple):
    """The history of whom, and the moments after `start_ms` up to and with `end_ms`."""

    codifier: str
    start_ms: int
    end_ms: int


def read_history(
    connection: "connection",
    wanted: Range,
    most: int = DEFAULT_MOST,
    every: Level | None = None,
    zone: ZoneInfo | None = None,
) -> History:
    """Return at most `most` points; `every` chooses how fine instead, and then there is no limit.

    A bucket that reaches into the range is told whole; the running one as far as it is.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    zone = zone or ZoneInfo(DEFAULT_ZONE)
    length_ms = wanted.end_ms - wanted.start_ms
    if every is Level.RAW:
        return History(Level.RAW, _raw(connection, wanted))
    if every is not None:
        return History(every, _statistics(connection, wanted, every, zone))
    if length_ms <= 2 * _TEN_MINUTES_MS:
        return History(Level.RAW, thinned(_raw(connection, wanted), most))
    level = next((each for each in _LENGTHS_MS if length_ms / _LENGTHS_MS[each] < most), Level.DAY)
    points = _statistics(connection, wanted, level, zone)
    readings = sum(point.count for point in points)
    coarse = level is Level.TEN_MINUTES and len(points) * _SPARSE < most
    if readings <= (RAW_MOST if coarse else most):
        return History(Level.RAW, thinned(_raw(connection, wanted), most))
    return History(level, thinned(points, most))


def read_changes(
    connection: "connection", wanted: Range, most: int = DEFAULT_MOST
) -> list[tuple[int, str]]:
    """Return when a value became another, as text, in order; the last `most` of them.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    return query(connection, _CHANGES, (*_values(wanted), most))[::-1]


def thinned(points: list[Point], most: int) -> list[Point]:
    """Join neighbours until there are at most `most`."""
    step = -(-len(points) // most)
    if step <= 1:
        return points
    return [joined(points[start : start + step]) for start in range(0, len(points), step)]


def joined(points: Sequence[Point]) -> Point:
    """Return what several points are together."""
    count = sum(point.count for point in points)
    return Point(
        points[-1].timestamp_ms,
        sum(point.mean * point.count for point in points) / count,
        min(point.min for point in points),
        max(point.max for point in points),
        count,
    )


def _raw(connection: "connection", wanted: Range) -> list[Point]:
    rows = query(connection, _RAW, _values(wanted))
    return [Point(timestamp_ms, value, value, value, 1) for timestamp_ms, value in rows]


def _copied(connection: "connection", statement: str, values: tuple[str, ...]) -> list[Point]:
    """Return rows as points: by binary COPY, which takes half the time of text."""
    taken = io.BytesIO()
    with transaction(connection) as cursor:
        asked = cursor.mogrify(statement, values).decode()
        cursor.copy_expert(f"COPY ({asked}) TO STDOUT (FORMAT binary)", taken)
    rows = _ROW.iter_unpack(taken.getbuffer()[_HEADER_BYTES:-_TRAILER_BYTES])
    return list(map(tuple.__new__, repeat(Point), rows))  # a third of `Point._make`'s time


def _statistics(
    connection: "connection", wanted: Range, level: Level, zone: ZoneInfo
) -> list[Point]:
    """Return the buckets that reach into the range; those that run are summed up here."""
    width = Width(level.value)
    begin_ms, end_ms = (each // 1000 for each in bucket_of(width, wanted.end_ms * 1000, zone))
    values: tuple[str, ...] = _values(wanted._replace(end_ms=end_ms))
    if width is Width.TEN_MINUTES:
        statement = _BUCKETS + _UNTIL
    else:
        parts_end_ms = bucket_of(Width.TEN_MINUTES, wanted.end_ms * 1000, zone).end // 1000
        last = _values(wanted._replace(start_ms=begin_ms, end_ms=parts_end_ms))
        statement = _BUCKETS + _PART + _UNTIL
        values = (*values, *last)
    points = _copied(connection, statement.format(width=width), values)
    until_ms = points.pop().timestamp_ms  # PostgreSQL appends what is appended
    part = []
    if points and points[-1].count < 0:
        last_part = points.pop()
        part.append(last_part._replace(count=-last_part.count))
    points.sort(key=_moment)
    if end_ms <= until_ms:
        return points
    if width is Width.TEN_MINUTES or until_ms < begin_ms:
        return points + _running(connection, wanted, width, zone, until_ms)
    points = points[: bisect_right(points, begin_ms, key=_moment)]
    if until_ms < wanted.end_ms:
        unknown = wanted._replace(start_ms=until_ms)
        part += map(Point._make, query(connection, _NOT_COMPUTED, _values(unknown)))
    return [*points, joined(part)] if part else points


def _running(
    connection: "connection", wanted: Range, width: Width, zone: ZoneInfo, until_ms: int
) -> list[Point]:
    """Return the buckets that are not computed yet: of statistics of 10 minutes, and readings."""
    begin_ms = bucket_of(width, wanted.start_ms * 1000 + 1, zone).start // 1000
    closed_ms = bucket_of(width, until_ms * 1000 + 1, zone).start // 1000
    open_ = wanted._replace(start_ms=max(begin_ms, closed_ms))
    parts: list[Point] = []
    if width is not Width.TEN_MINUTES and open_.start_ms < until_ms:
        known = open_._replace(end_ms=min(until_ms, wanted.end_ms))
        parts += _statistics(connection, known, Level.TEN_MINUTES, zone)
    unknown = open_._replace(start_ms=max(open_.start_ms, until_ms))
    if unknown.start_ms < unknown.end_ms:
        parts += map(Point._make, query(connection, _NOT_COMPUTED, _values(unknown)))
    grouped: dict[int, list[Point]] = {}
    for part in parts:
        end = bucket_of(width, part.timestamp_ms * 1000, zone).end
        grouped.setdefault(end, []).append(part)
    return [joined(each) for each in grouped.values()]


def _values(wanted: Range) -> tuple[str, str, str]:
    start, end = (to_datetime(ms * 1000).isoformat() for ms in wanted[1:])
    return wanted.codifier, start, end
