"""Readings for times whose statistics are computed already: noted in their own transaction.

A batch of live readings costs one look at a table of one row; nothing is done a reading.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from collector.statistics_schema import LATE_LOCK
from jph.wire import Reading

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_HOUR_MS: Final = 3_600_000
# Two statements: the second sees what was committed before the lock was had.
_UNTIL: Final = f"""
    SELECT pg_advisory_xact_lock_shared({LATE_LOCK});
    SELECT (extract(epoch FROM timestamp) * 1000)::bigint FROM statistics_until
"""
_NOTE: Final = """
    INSERT INTO touched (codifier, from_time, to_time)
    SELECT codifier, to_timestamp(from_ms / 1000.0), to_timestamp(to_ms / 1000.0)
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS new (codifier, from_ms, to_ms)
"""

_timestamp = itemgetter(Reading._fields.index("timestamp_ms"))


def note_late(cursor: "cursor", readings: Iterable[Reading]) -> None:
    """Have the statistics computed again that these new readings are late for."""
    readings = list(readings)
    if not readings:
        return
    cursor.execute(_UNTIL)
    (until_ms,) = cursor.fetchone() or (0,)
    if min(map(_timestamp, readings)) > until_ms:
        return
    rows = [(*key, *ends) for key, ends in late_hours(readings, until_ms).items()]
    codifiers, _, from_ms, to_ms = map(list, zip(*rows, strict=True))
    cursor.execute(_NOTE, (codifiers, from_ms, to_ms))


def late_hours(
    readings: Iterable[Reading], until_ms: int
) -> dict[tuple[str, int], tuple[int, int]]:
    """Return first and last late reading, ms, of each codifier and hour."""
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for reading in readings:
        when = reading.timestamp_ms
        if when <= until_ms:
            key = reading.source, when // _HOUR_MS
            first, last = found.get(key, (when, when))
            found[key] = min(first, when), max(last, when)
    return found
