"""The newest of a codifier: its last readings as they came, its last buckets whole. Blocks."""

from typing import TYPE_CHECKING, Final, NamedTuple

from collector.db.connecting import query
from collector.db.statistics_schema import STATISTICS
from collector.history.numbers import TEXT
from collector.history.reading_back import Level

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_COLUMNS: Final = f"{_MS}, epoch, sequence, left({TEXT}, 200), quality"
_NEWEST: Final = "ORDER BY timestamp DESC, epoch DESC, sequence DESC LIMIT %s"
_READINGS: Final = f"SELECT {_COLUMNS} FROM reading WHERE codifier = %s {_NEWEST}"
# Of one that has been silent for long nothing is left but what is packed.
_PACKED: Final = f"""
    SELECT {_COLUMNS} FROM readings(%s, (SELECT max(first_time) - interval '1 second' FROM packed
        WHERE codifier = %s), 'infinity') {_NEWEST}
"""
_BUCKETS: Final = f"""
    SELECT {_MS}, {", ".join(STATISTICS[1:])} FROM statistic_{{level}} WHERE codifier = %s
    ORDER BY timestamp DESC LIMIT %s
"""


class StoredReading(NamedTuple):
    """A reading as text, of at most 200 characters."""

    timestamp_ms: int
    epoch: int
    sequence: int
    value: str
    quality: int


class Bucket(NamedTuple):
    """What the calculator made of a stretch of time; `timestamp_ms` is its end, coverage in %."""

    timestamp_ms: int
    mean: float
    mode: float | None
    median: float
    max: float
    min: float
    stdev: float
    readings: int
    coverage: float
    time_mean: float | None


def latest_readings(connection: "connection", codifier: str, most: int) -> list[StoredReading]:
    """Return the last readings of a codifier, newest first.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    found = query(connection, _READINGS, (codifier, most))
    if not found:
        found = query(connection, _PACKED, (codifier, codifier, most))
    return [StoredReading._make(row) for row in found]


def latest_buckets(
    connection: "connection", codifier: str, level: Level, most: int
) -> list[Bucket]:
    """Return the last buckets of a codifier that are computed, newest first.

    Raises:
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    rows = query(connection, _BUCKETS.format(level=level), (codifier, most))
    return [Bucket._make(row) for row in rows]
