"""Histories of several codifiers as columns, in JSON that PostgreSQL writes. Every function blocks.

A graph of three codifiers over a year is a thousand rows. Made into arrays where they lie they cost
less than as many rows fetched, and their numbers are never taken apart on the way to the browser.
Levels and buckets are those of `collector.history.reading_back`; times are ms since 1970, a point's
is the end of what it sums up.
"""

from collections.abc import Sequence, Set
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from collector.db.connecting import query
from collector.history.numbers import FINITE, NUMBER
from collector.history.reading_back import Level
from collector.statistics.buckets import Width, bucket_of, buckets, to_datetime

if TYPE_CHECKING:
    from psycopg2.extensions import connection

RAW_MOST: Final = 50_000
"""As many readings of a codifier are looked at where 10 minutes would leave a page nearly empty."""
ASKED_RAW_MOST: Final = 2_000_000
"""As many where somebody asks for readings; statistics stand in beyond."""
GAPS_MOST: Final = 300
_SPARSE: Final = 4
_MOST_DAYS: Final = 40_000  # a hundred years; what is later counts as one day
_DIRECT_MS: Final = 1_200_000
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_LENGTHS_MS: Final = {Level.TEN_MINUTES: 600_000, Level.HOUR: 3_600_000, Level.DAY: 86_400_000}
_STEPS_MS: Final = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(1000 * s for s in (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600)),
)


class Statistic(StrEnum):
    """What the line of a curve follows."""

    MEAN = "mean"
    MEDIAN = "median"
    MODE = "mode"
    MIN = "min"
    MAX = "max"
    DEVIATION = "stdev"


_MERGED: Final = {
    Statistic.MEAN: "sum(mean * count) / sum(count)",
    Statistic.MEDIAN: "percentile_cont(0.5) WITHIN GROUP (ORDER BY median)",
    Statistic.MODE: "mode() WITHIN GROUP (ORDER BY mode)",
    Statistic.MIN: "min(min)",
    Statistic.MAX: "max(max)",
    # of the buckets' own deviations and of their means around the common one
    Statistic.DEVIATION: "sqrt(greatest(0, sum((stdev ^ 2 + mean ^ 2) * count) / sum(count)"
    " - (sum(mean * count) / sum(count)) ^ 2))",
}
"""What several buckets are together; a median or mode is that of theirs."""
_OF_PARTS: Final = {each: _MERGED[each] for each in (Statistic.MEAN, Statistic.MIN, Statistic.MAX)}
"""What can be told of a bucket that still runs, and of readings as they are."""


class Wanted(NamedTuple):
    """The moments after `start_ms` up to and with `end_ms`, in at most about `points` points each.

    `every` chooses how fine instead of the length of time; neighbours are joined all the same.
    """

    codifiers: tuple[str, ...]
    start_ms: int
    end_ms: int
    points: int = 1500
    every: Level | None = None
    statistic: Statistic = Statistic.MEAN


class Curve(NamedTuple):
    """The history of one codifier.

    Attributes:
        times, values, low, high: JSON arrays, the latter two "" where each point is one reading.
        step_ms: how long a point is; 0 for readings as they are.
        readings: how many were summed up.
        expected_s: after how long without a reading its value counts as late; None if unknown.
        gaps: JSON, [[from_ms, to_ms, cause, messages], …] of readings that are lost for good.
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


def read_curves(connection: "connection", wanted: Wanted, zone: ZoneInfo) -> list[Curve]:
    """Return a curve for each codifier, in order; days are those of `zone`.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    length_ms = wanted.end_ms - wanted.start_ms
    raw = wanted.statistic in _OF_PARTS
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


_COMMON: Final = f"""
    (SELECT seconds FROM expected WHERE codifier = wanted.codifier AND since <= %(end)s
        ORDER BY since DESC LIMIT 1),
    (SELECT json_agg(json_build_array(
            (date_part('epoch', from_time) * 1000)::bigint,
            (date_part('epoch', to_time) * 1000)::bigint, cause, messages) ORDER BY from_time)::text
        FROM (SELECT from_time, to_time, cause, messages FROM gap
            WHERE codifier = wanted.codifier AND from_time < %(end)s AND to_time > %(start)s
            ORDER BY from_time DESC LIMIT {GAPS_MOST}) AS newest),
    (SELECT {_MS} FROM statistics_until)
"""
_ARRAYS: Final = """
    sum(count)::bigint AS readings, max(count)::bigint AS most,
    array_to_json(array_agg(ms))::text AS times,
    -- a mean has as many digits as a number can: seven draw the same line
    CASE WHEN max(abs(value)) < 1e5
        THEN array_to_json(array_agg(
            (CASE WHEN abs(value) < 1e-30 THEN 0 ELSE value END)::real))
        ELSE array_to_json(array_agg(value)) END::text AS values,
    array_to_json(array_agg(low))::text AS low, array_to_json(array_agg(high))::text AS high
"""
_CURVES: Final = f"""
    SELECT wanted.codifier, readings, most, times, values, low, high, {_COMMON}
    FROM unnest(%(codifiers)s::text[]) WITH ORDINALITY AS wanted (codifier, place)
    LEFT JOIN LATERAL (SELECT {_ARRAYS} FROM ({{points}}) AS point) AS found ON true
    ORDER BY wanted.place
"""
_WHICH: Final = "codifier = wanted.codifier AND timestamp > %(start)s AND timestamp <= %(end)s"
_BUCKETS: Final = f"""
    SELECT {_MS} AS ms, {{statistic}} AS value, min AS low, max AS high, count
    FROM statistic_{{width}} WHERE {_WHICH} ORDER BY timestamp
"""
_JOINED: Final = f"""
    SELECT max({_MS}) AS ms, {{statistic}} AS value, min(min) AS low, max(max) AS high,
        sum(count) AS count
    FROM statistic_{{width}} WHERE {_WHICH} GROUP BY ({_MS} - {{half}}) / {{step}} ORDER BY 1
"""
_READINGS: Final = f"""
    SELECT max(ms) AS ms, {{statistic}} AS value, min(min) AS low, max(max) AS high,
        count(*) AS count
    FROM (SELECT ms, value AS mean, value AS min, value AS max, 1 AS count FROM (
        SELECT {_MS} AS ms, {NUMBER} AS value
        FROM readings(%(code)s, %(start)s, %(end)s) WHERE {FINITE}
    ) AS number) AS each GROUP BY (ms - 1) / {{step}} ORDER BY 1
"""
_RUNNING: Final = f"""
    SELECT codifier, max(ms), {{statistic}}, min(min), max(max), sum(count)::bigint FROM (
        SELECT codifier, {_MS} AS ms, mean, min, max, count FROM statistic_10min
        WHERE codifier = ANY(%(codifiers)s) AND timestamp > %(open)s AND timestamp <= %(known)s
        UNION ALL {{readings}}
    ) AS part GROUP BY codifier, {{bucket}} ORDER BY 2
"""
# One after the other, each by its name: `readings` then looks only once what is doubted.
_SINCE: Final = f"""
    SELECT codifier, ms, value, value, value, 1 FROM (
        SELECT codifier, {_MS} AS ms, {NUMBER} AS value
        FROM readings(%(code{{place}})s, %(unknown)s, %(end)s) WHERE {FINITE}
    ) AS number
"""


def _raw(connection: "connection", wanted: Wanted, whole: Set[str] = frozenset()) -> list[Curve]:
    """Return readings, joined where they may be more than the points: not those of `whole`."""
    joined_ms = _step(wanted.end_ms - wanted.start_ms, wanted.points)
    curves = []
    for code in wanted.codifiers:
        step_ms = 1 if code in whole else joined_ms
        points = _READINGS.format(statistic=_OF_PARTS[wanted.statistic], step=step_ms)
        values = _values(wanted._replace(codifiers=(code,))) | {"code": code}
        (row,) = query(connection, _CURVES.format(points=points), values)
        curves.append(_curve(row, Level.RAW, step_ms if (row[2] or 0) > 1 else 0))
    return curves


def _step(length_ms: int, points: int) -> int:
    """Return a step that cuts a length of time into at most `points`: one that people know."""
    least = length_ms / max(1, points - 1)
    fitting = (each for each in _STEPS_MS if each >= least)
    return next(fitting, -(-length_ms // (3_600_000 * max(1, points - 1))) * 3_600_000)


def _statistics(
    connection: "connection", wanted: Wanted, level: Level, zone: ZoneInfo
) -> list[Curve]:
    """Return the buckets that reach into the range, those that run as far as they are."""
    width, length_ms = Width(level.value), _LENGTHS_MS[level]
    end_ms = bucket_of(width, wanted.end_ms * 1000, zone).end // 1000
    many = -(-(end_ms - wanted.start_ms) // (length_ms * wanted.points))
    step_ms = many * length_ms
    if many > 1:
        # local midnights lie around those of UTC, so days are counted from noon to noon
        half = length_ms // 2 if level is Level.DAY else 1
        points = _JOINED.format(
            statistic=_MERGED[wanted.statistic], width=width, step=step_ms, half=half
        )
    else:
        points = _BUCKETS.format(statistic=wanted.statistic, width=width)
    whole = wanted._replace(end_ms=end_ms)
    rows = query(connection, _CURVES.format(points=points), _values(whole))
    curves = [_curve(row, level, step_ms) for row in rows]
    until_ms = rows[0][-1] if rows else end_ms
    if end_ms <= until_ms or wanted.statistic not in _OF_PARTS:
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
    """Add the buckets that are not computed yet: of statistics of 10 minutes, and readings."""
    begin_ms = bucket_of(width, wanted.start_ms * 1000 + 1, zone).start // 1000
    closed_ms = bucket_of(width, until_ms * 1000 + 1, zone).start // 1000
    open_ms = max(begin_ms, closed_ms)
    known_ms = min(until_ms, bucket_of(Width.TEN_MINUTES, wanted.end_ms * 1000, zone).end // 1000)
    bucket = f"(ms - 1) / {step_ms}"
    if width is Width.DAY:
        bucket = "width_bucket(ms - 1, %(midnights)s::bigint[])"
    values = _values(wanted) | {
        "open": _moment(open_ms),
        "known": _moment(max(open_ms, known_ms)),
        "unknown": _moment(max(open_ms, until_ms)),
        "midnights": _midnights(open_ms, wanted.end_ms, zone),
        **{f"code{place}": code for place, code in enumerate(wanted.codifiers)},
    }
    readings = " UNION ALL ".join(_SINCE.format(place=n) for n in range(len(wanted.codifiers)))
    statement = _RUNNING.format(
        statistic=_OF_PARTS[wanted.statistic], bucket=bucket, readings=readings
    )
    running: dict[str, list[tuple[float, ...]]] = {}
    for codifier, *point in query(connection, statement, values):
        running.setdefault(codifier, []).append(tuple(point))
    return [_continued(curve, running.get(curve.codifier, ())) for curve in curves]


def _midnights(start_ms: int, end_ms: int, zone: ZoneInfo) -> list[int]:
    """Return when the days end that have a moment after `start_ms` up to `end_ms`."""
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
    )


def _longer(array: str, more: Sequence[float]) -> str:
    """Return a JSON array with more numbers at its end."""
    added = ",".join(map(repr, more))
    return f"[{added}]" if array in ("", "[]") else f"{array[:-1]},{added}]"


def _curve(row: Sequence[object], level: Level, step_ms: int) -> Curve:
    codifier, readings, _, times, values, low, high, expected_s, gaps, _ = row
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
    )


def _values(wanted: Wanted) -> dict[str, object]:
    return {
        "codifiers": list(wanted.codifiers),
        "start": _moment(wanted.start_ms),
        "end": _moment(wanted.end_ms),
    }


def _moment(ms: int) -> str:
    return to_datetime(ms * 1000).isoformat()
