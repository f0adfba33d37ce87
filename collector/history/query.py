"""Histories of codifiers in as many points as a graph can draw: for page, API and console.

A request for a day, a month or a year gets 10 minutes, hours or days: as many rows as it draws,
however many readings and years are stored. Each point has minimum and maximum beside the value, so
that no spike disappears. Times are ms since 1970; the time of a point is the end of what it covers.

PostgreSQL writes the columns as JSON arrays: a graph of three codifiers over a year is a thousand
rows, and arrays cost less than rows. Every function blocks.
"""

from collections.abc import Sequence, Set
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from collector.db.connecting import query
from collector.history.points_sql import (
    CURVES,
    JOINED_BUCKETS,
    MIDNIGHTS,
    RAW,
    RUNNING,
    SINCE,
    WHOLE_BUCKETS,
    WHOLE_READINGS,
)
from collector.statistics.buckets import DEFAULT_ZONE, Width, bucket_of, buckets, to_datetime
from collector.statistics.statistics import Statistic

if TYPE_CHECKING:
    from psycopg2.extensions import connection

DEFAULT_MOST: Final = 1500
"""A wide screen has about as many columns."""
RAW_MOST: Final = 50_000
"""Up to so many readings are read where points of 10 minutes would leave a page nearly empty."""
ASKED_RAW_MOST: Final = 2_000_000
"""Up to so many where readings are asked for; beyond, statistics replace them."""
_SPARSE: Final = 4
_UNLIMITED: Final = 10**9
_MOST_DAYS: Final = 40_000  # a hundred years; what is later counts as one day
_DIRECT_MS: Final = 1_200_000
_STEPS_MS: Final = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(1000 * s for s in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)),
)


class Level(StrEnum):
    """Resolution of a history."""

    RAW = "raw"
    TEN_MINUTES = "10min"
    HOUR = "hour"
    DAY = "day"


_LENGTHS_MS: Final = {
    Level.TEN_MINUTES: 600_000,
    Level.HOUR: 3_600_000,
    Level.DAY: 86_400_000,
}


class Range(NamedTuple):
    """A codifier, and the moments after `start_ms` up to and with `end_ms`."""

    codifier: str
    start_ms: int
    end_ms: int


class Wanted(NamedTuple):
    """The moments after `start_ms` up to and with `end_ms`, in at most about `points` points each.

    `every` sets the resolution, else the length of time does; neighbours are joined all the same.
    `exact` gives every digit, and the readings of each point (`Curve.counts`).
    """

    codifiers: tuple[str, ...]
    start_ms: int
    end_ms: int
    points: int = DEFAULT_MOST
    every: Level | None = None
    statistic: Statistic = Statistic.MEAN
    exact: bool = False


class Curve(NamedTuple):
    """The history of one codifier.

    Attributes:
        times, values, low, high: JSON arrays, the latter two "" where each point is one reading.
        step_ms: the length of a point; 0 for readings as they are.
        readings: the number of readings in all points.
        expected_s: after this time without a reading the value counts as late; None if unknown.
        gaps: JSON, [[from_ms, to_ms, cause, messages], …] of readings that are lost for good.
        counts: JSON array, the readings of each point, if `Wanted.exact`.
    """

    codifier: str
    level: Level
    step_ms: int
    readings: int
    expected_s: float | None
    times: str
    values: str
    low: str
    high: str
    gaps: str
    counts: str = "[]"


class Point(NamedTuple):
    """A stretch of time; for one reading mean, min and max are its value."""

    timestamp_ms: int
    mean: float
    min: float
    max: float
    count: int  # type: ignore[assignment]  # not the method of tuples


class PointSeries(NamedTuple):
    """Points in order, and their resolution."""

    level: Level
    points: list[Point]


def read_history(
    connection: "connection",
    wanted: Range,
    most: int = DEFAULT_MOST,
    every: Level | None = None,
    zone: ZoneInfo | None = None,
) -> PointSeries:
    """Return the history of one codifier in at most about `most` points, with all digits.

    `every` sets the resolution instead, without a limit. A bucket that reaches into the range is
    whole; the running one goes as far as its readings do.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    codifier, start_ms, end_ms = wanted
    if every is Level.RAW:
        span = {"code": codifier, "start": moment_text(start_ms), "end": moment_text(end_ms)}
        rows = query(connection, RAW, span)
        return PointSeries(Level.RAW, [Point(ms, value, value, value, 1) for ms, value in rows])
    points = _UNLIMITED if every else most
    request = Wanted((codifier,), start_ms, end_ms, points, every, exact=True)
    (curve,) = read_curves(connection, request, zone or ZoneInfo(DEFAULT_ZONE))
    return PointSeries(curve.level, _points(curve))


def read_curves(connection: "connection", wanted: Wanted, zone: ZoneInfo) -> list[Curve]:
    """Return a curve for each codifier, in order; days are those of `zone`.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    length_ms = wanted.end_ms - wanted.start_ms
    raw = wanted.statistic.of_parts
    if raw and wanted.every is None and length_ms <= _DIRECT_MS:
        return _raw(connection, wanted)
    level = _level(wanted)
    curves = _statistics(connection, wanted, level, zone)
    if not raw or wanted.every not in (None, Level.RAW):
        return curves
    coarse = level is Level.TEN_MINUTES and length_ms / 600_000 * _SPARSE < wanted.points
    most = RAW_MOST if coarse else wanted.points
    if wanted.every is Level.RAW:
        most = ASKED_RAW_MOST
    few = tuple(curve.codifier for curve in curves if curve.readings <= most)
    if not few:
        return curves
    whole = {curve.codifier for curve in curves if curve.readings <= wanted.points}
    readings = _raw(connection, wanted._replace(codifiers=few), whole)
    found = {each.codifier: each for each in readings}
    return [_fuller(curve, found.get(curve.codifier)) for curve in curves]


def moment_text(ms: int) -> str:
    """Return ms since 1970 as PostgreSQL reads it."""
    return to_datetime(ms * 1000).isoformat()


def _level(wanted: Wanted) -> Level:
    """Return the finest statistics that are not more than the points."""
    if wanted.every in _LENGTHS_MS:
        return wanted.every
    length_ms = wanted.end_ms - wanted.start_ms
    fitting = (each for each, ms in _LENGTHS_MS.items() if length_ms / ms < wanted.points)
    return next(fitting, Level.DAY)


def _fuller(statistics: Curve, raw: Curve | None) -> Curve:
    """Return the readings, unless they are no longer kept where their statistics are."""
    return statistics if raw is None or raw.readings < statistics.readings // 2 else raw


def _raw(connection: "connection", wanted: Wanted, whole: Set[str] = frozenset()) -> list[Curve]:
    """Return readings, joined where they may be more than the points; those of `whole` are not."""
    joined_ms = _step(wanted.end_ms - wanted.start_ms, wanted.points)
    curves = []
    for code in wanted.codifiers:
        step_ms = 1 if code in whole else joined_ms
        points = WHOLE_READINGS.format(statistic=wanted.statistic.merged, step=step_ms)
        values = _values(wanted._replace(codifiers=(code,))) | {"code": code}
        (row,) = query(connection, CURVES.format(points=points), values)
        curves.append(_curve(row, Level.RAW, step_ms if (row[2] or 0) > 1 else 0))
    return curves


def _step(length_ms: int, points: int) -> int:
    """Return a usual step that cuts a length of time into at most `points`."""
    least = length_ms / max(1, points - 1)
    fitting = (each for each in _STEPS_MS if each >= least)
    return next(fitting, -(-length_ms // (3_600_000 * max(1, points - 1))) * 3_600_000)


def _statistics(
    connection: "connection", wanted: Wanted, level: Level, zone: ZoneInfo
) -> list[Curve]:
    """Return the buckets that reach into the range; a running one goes as far as it is."""
    width, length_ms = Width(level.value), _LENGTHS_MS[level]
    end_ms = bucket_of(width, wanted.end_ms * 1000, zone).end // 1000
    many = -(-(end_ms - wanted.start_ms) // (length_ms * wanted.points))
    step_ms = many * length_ms
    if many > 1:
        # local midnights lie around those of UTC, so days are counted from noon to noon
        half = length_ms // 2 if level is Level.DAY else 1
        points = JOINED_BUCKETS.format(
            statistic=wanted.statistic.merged, width=width, step=step_ms, half=half
        )
    else:
        points = WHOLE_BUCKETS.format(statistic=wanted.statistic, width=width)
    whole = wanted._replace(end_ms=end_ms)
    rows = query(connection, CURVES.format(points=points), _values(whole))
    curves = [_curve(row, level, step_ms) for row in rows]
    until_ms = rows[0][-1] if rows else end_ms
    if end_ms <= until_ms or not wanted.statistic.of_parts:
        return curves
    return _with_running(connection, wanted, width, zone, until_ms, step_ms, curves)


def _with_running(
    connection: "connection",
    wanted: Wanted,
    width: Width,
    zone: ZoneInfo,
    until_ms: int,
    step_ms: int,
    curves: list[Curve],
) -> list[Curve]:
    """Add the buckets that are not computed yet, from statistics of 10 minutes and readings."""
    begin_ms = bucket_of(width, wanted.start_ms * 1000 + 1, zone).start // 1000
    closed_ms = bucket_of(width, until_ms * 1000 + 1, zone).start // 1000
    open_ms = max(begin_ms, closed_ms)
    known_ms = min(until_ms, bucket_of(Width.TEN_MINUTES, wanted.end_ms * 1000, zone).end // 1000)
    values = _values(wanted) | {
        "open": moment_text(open_ms),
        "known": moment_text(max(open_ms, known_ms)),
        "unknown": moment_text(max(open_ms, until_ms)),
        "midnights": _midnights(open_ms, wanted.end_ms, zone),
        **{f"code{number}": code for number, code in enumerate(wanted.codifiers)},
    }
    since = (SINCE.format(number=number) for number in range(len(wanted.codifiers)))
    statement = RUNNING.format(
        statistic=wanted.statistic.merged,
        bucket=MIDNIGHTS if width is Width.DAY else f"(ms - 1) / {step_ms}",
        readings=" UNION ALL ".join(since),
    )
    running: dict[str, list[tuple[float, ...]]] = {}
    for codifier, *point in query(connection, statement, values):
        running.setdefault(codifier, []).append(tuple(point))
    return [_continued(curve, running.get(curve.codifier, ())) for curve in curves]


def _midnights(start_ms: int, end_ms: int, zone: ZoneInfo) -> list[int]:
    """Return the ends of the days that have a moment after `start_ms` up to `end_ms`."""
    last_ms = min(end_ms, start_ms + _MOST_DAYS * _LENGTHS_MS[Level.DAY])
    days = buckets(Width.DAY, 1000 * start_ms + 1, 1000 * last_ms, zone)
    return [day.end // 1000 for day in days]


def _continued(curve: Curve, points: Sequence[tuple[float, ...]]) -> Curve:
    if not points:
        return curve
    times, values, low, high, counts = zip(*points, strict=True)
    return curve._replace(
        readings=curve.readings + int(sum(counts)),
        times=_longer(curve.times, times),
        values=_longer(curve.values, values),
        low=_longer(curve.low, low),
        high=_longer(curve.high, high),
        counts=_longer(curve.counts, counts),
    )


def _longer(array: str, more: Sequence[float]) -> str:
    """Return a JSON array with more numbers at its end."""
    added = ",".join(map(repr, more))
    return f"[{added}]" if array in ("", "[]") else f"{array[:-1]},{added}]"


def _curve(row: Sequence[object], level: Level, step_ms: int) -> Curve:
    codifier, readings, _, times, values, low, high, counts, expected_s, gaps, _ = row
    envelope = (str(low or "[]"), str(high or "[]")) if step_ms else ("", "")
    return Curve(
        str(codifier),
        level,
        step_ms,
        int(str(readings or 0)),
        None if expected_s is None else float(str(expected_s)),
        str(times or "[]"),
        str(values or "[]"),
        *envelope,
        str(gaps or "[]"),
        str(counts or "[]"),
    )


def _points(curve: Curve) -> list[Point]:
    numbers = list[float]
    times = msgspec.json.decode(curve.times, type=list[int])
    values = msgspec.json.decode(curve.values, type=numbers)
    low = msgspec.json.decode(curve.low, type=numbers) if curve.low else values
    high = msgspec.json.decode(curve.high, type=numbers) if curve.high else values
    counts = msgspec.json.decode(curve.counts, type=list[int])
    return [Point(*each) for each in zip(times, values, low, high, counts, strict=True)]


def _values(wanted: Wanted) -> dict[str, object]:
    return {
        "codifiers": list(wanted.codifiers),
        "start": moment_text(wanted.start_ms),
        "end": moment_text(wanted.end_ms),
        "exact": wanted.exact,
    }
