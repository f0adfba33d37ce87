"""Readings and statistics as they are stored, row by row. Every function blocks.

Rows come through a cursor of the server: memory stays small however long the history.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from collector.db.connecting import query, transaction
from collector.history.numbers import TEXT
from collector.history.query import DEFAULT_MOST, Level, Range, moment_text
from collector.statistics.statistics import COLUMN_NAMES

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

_DAY_MS: Final = 86_400_000
_ROWS_AT_ONCE: Final = 5000
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_STATISTICS: Final = ", ".join(COLUMN_NAMES)
_READINGS: Final = f"""
    SELECT codifier, {_MS}, value_real, value_integer, coalesce(value_text, value_json::text),
        quality, epoch, sequence
    FROM readings(%s, %s, %s) ORDER BY timestamp, epoch, sequence
"""
_BUCKETS: Final = f"""
    SELECT codifier, {_MS}, {_STATISTICS} FROM statistic_{{level}}
    WHERE codifier = %s AND timestamp > %s AND timestamp <= %s ORDER BY timestamp
"""
_ANY: Final = "next_reading(%s, '-infinity', 'infinity')"
_NEXT: Final = f"SELECT {_MS.replace('timestamp', 'next_reading(%s, %s, %s)')}"
_FIRST: Final = f"SELECT {_MS.replace('timestamp', _ANY)}"
_CHANGES: Final = f"""
    SELECT ms, text FROM (
        SELECT {_MS} AS ms, {TEXT} AS text, epoch, sequence,
            lag({TEXT}) OVER (ORDER BY timestamp, epoch, sequence) AS before
        FROM readings(%s, %s, %s)
    ) AS each WHERE text IS DISTINCT FROM before
    ORDER BY ms DESC, epoch DESC, sequence DESC LIMIT %s
"""
_COLUMNS: Final = f"{_MS}, epoch, sequence, left({TEXT}, 200), quality"
_NEWEST: Final = "ORDER BY timestamp DESC, epoch DESC, sequence DESC LIMIT %s"
_NEWEST_ROWS: Final = f"SELECT {_COLUMNS} FROM reading WHERE codifier = %s {_NEWEST}"
# A codifier that has been silent for long has packed readings only.
_NEWEST_PACKED: Final = f"""
    SELECT {_COLUMNS} FROM readings(%s, (SELECT max(first_time) - interval '1 second' FROM packed
        WHERE codifier = %s), 'infinity') {_NEWEST}
"""
_NEWEST_BUCKETS: Final = f"""
    SELECT {_MS}, {_STATISTICS} FROM statistic_{{level}} WHERE codifier = %s
    ORDER BY timestamp DESC LIMIT %s
"""

SqlRow = tuple[Any, ...]


class StoredReading(NamedTuple):
    """A reading as text, of at most 200 characters."""

    timestamp_ms: int
    epoch: int
    sequence: int
    value: str
    quality: int


class StoredBucket(NamedTuple):
    """A computed bucket: its end, and its statistics in the order of `Statistic`."""

    timestamp_ms: int
    statistics: tuple[float | None, ...]


def from_first_reading(cursor: "cursor", wanted: Range) -> Range:
    """Return a range without the time before its first reading."""
    cursor.execute(_NEXT, _values(wanted))
    (first_ms,) = cursor.fetchone() or (None,)
    return wanted if first_ms is None else wanted._replace(start_ms=first_ms - 1)


def ordered_readings(connection: "connection", wanted: Range) -> Iterator[list[SqlRow]]:
    """Yield readings in order; they are sorted a day at a time, because packed ones are not."""
    while True:
        with transaction(connection) as cursor:
            wanted = from_first_reading(cursor, wanted)
        end_ms = min(wanted.end_ms, (wanted.start_ms // _DAY_MS + 1) * _DAY_MS)
        if wanted.start_ms >= end_ms:
            return
        found = False
        for rows in _batches(connection, _READINGS, wanted._replace(end_ms=end_ms)):
            found = True
            yield rows
        if not found:  # nothing is left
            return
        wanted = wanted._replace(start_ms=end_ms)


def ordered_buckets(
    connection: "connection", wanted: Range, level: Level
) -> Iterator[list[SqlRow]]:
    """Yield codifier, end in ms and every statistic of buckets, in order."""
    return _batches(connection, _BUCKETS.format(level=level), wanted)


def as_sent(row: SqlRow) -> SqlRow:
    """Return a row of `ordered_readings` as codifier, ms, value, quality, epoch, sequence."""
    codifier, ms, real, integer, text, quality, epoch, sequence = row
    value = real if real is not None else integer if integer is not None else text
    if real is not None and real != real:
        value = "NaN"  # SQLite would make it NULL
    return codifier, ms, value, quality, epoch, sequence


def read_changes(
    connection: "connection", wanted: Range, most: int = DEFAULT_MOST
) -> list[tuple[int, str]]:
    """Return the times (ms) at which a value changed, with the value as text; the last `most`.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    return query(connection, _CHANGES, (*_values(wanted), most))[::-1]


def first_times(connection: "connection", codifiers: Iterable[str]) -> dict[str, int]:
    """Return the time of the first stored reading (ms) of each codifier that has one.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    found = {code: query(connection, _FIRST, (code,)) for code in codifiers}
    return {code: rows[0][0] for code, rows in found.items() if rows and rows[0][0] is not None}


def latest_readings(connection: "connection", codifier: str, most: int) -> list[StoredReading]:
    """Return the last readings of a codifier, newest first.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    found = query(connection, _NEWEST_ROWS, (codifier, most))
    if not found:
        found = query(connection, _NEWEST_PACKED, (codifier, codifier, most))
    return [StoredReading._make(row) for row in found]


def latest_buckets(
    connection: "connection", codifier: str, level: Level, most: int
) -> list[StoredBucket]:
    """Return the last computed buckets of a codifier, newest first.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    rows = query(connection, _NEWEST_BUCKETS.format(level=level), (codifier, most))
    return [StoredBucket(row[0], row[1:]) for row in rows]


def _batches(connection: "connection", statement: str, wanted: Range) -> Iterator[list[SqlRow]]:
    with transaction(connection), connection.cursor("export") as cursor:
        cursor.execute(statement, _values(wanted))
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows


def _values(wanted: Range) -> tuple[str, str, str]:
    return wanted.codifier, moment_text(wanted.start_ms), moment_text(wanted.end_ms)
