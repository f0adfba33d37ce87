"""Late readings: their statistics are computed already, or their day is packed.

They are noted, or left out, in their own transaction. A batch of live readings costs one query of a
table with one row, and one for the lock.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from collector.db.tables import LATE_LOCK, PACK_LOCK, UNPACKED, lock_statement
from collector.ingest.runs import span_ms
from collector.statistics.buckets import to_datetime
from jph.wire.codec import Reading

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_HOUR_MS: Final = 3_600_000
# After the lock: it sees everything that was committed before.
_UNTIL: Final = """
    SELECT (extract(epoch FROM timestamp) * 1000)::bigint,
        (extract(epoch FROM packed) * 1000)::bigint FROM statistics_until
"""
_NOTE: Final = """
    INSERT INTO touched (codifier, from_time, to_time)
    SELECT codifier, to_timestamp(from_ms / 1000.0), to_timestamp(to_ms / 1000.0)
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS new (codifier, from_ms, to_ms)
"""
_PACKED: Final = f"""
    WITH late AS MATERIALIZED (
        SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[])
            WITH ORDINALITY AS late (codifier, timestamp, epoch, sequence, number)
    ), days AS (SELECT DISTINCT codifier, (timestamp AT TIME ZONE 'UTC')::date AS day FROM late)
    SELECT number - 1 FROM late WHERE (
        -- IS TRUE makes PostgreSQL hash the packed readings, whatever it estimates
        (codifier, timestamp, epoch, sequence) IN (
            SELECT codifier, timestamp, epoch, sequence FROM ({UNPACKED}
                WHERE (packed.codifier, packed.day) IN (SELECT * FROM days)) AS known
        )) IS TRUE
"""


def note_late(cursor: "cursor", readings: Sequence[Reading]) -> Sequence[Reading]:
    """Touch the statistics that these readings are late for.

    Return the readings that are not packed already, which no unique key shows.
    """
    if not readings:
        return readings
    cursor.execute(lock_statement(LATE_LOCK, shared=True))
    cursor.execute(_UNTIL)
    until_ms, packed_ms = cursor.fetchone() or (0, 0)
    first_ms, _ = span_ms(readings)
    if first_ms > until_ms and first_ms >= packed_ms:
        return readings
    readings = [each for each in readings if each.flag != "n"]
    if first_ms < packed_ms:
        readings = _not_packed(cursor, readings, packed_ms)
    rows = [(*key, *ends) for key, ends in late_hours(readings, until_ms).items()]
    if rows:
        codifiers, _, from_ms, to_ms = map(list, zip(*rows, strict=True))
        cursor.execute(_NOTE, (codifiers, from_ms, to_ms))
    return readings


def _not_packed(cursor: "cursor", readings: list[Reading], packed_ms: int) -> list[Reading]:
    late = [each for each in enumerate(readings) if each[1].timestamp_ms < packed_ms]
    if not late:  # only an announcement was late
        return readings
    keys = [
        (each.source, to_datetime(each.timestamp_ms * 1000), each.epoch, each.sequence)
        for _, each in late
    ]
    cursor.execute(lock_statement(PACK_LOCK, shared=True))
    cursor.execute(_PACKED, tuple(map(list, zip(*keys, strict=True))))
    known = {late[number][0] for (number,) in cursor.fetchall()}
    return [each for number, each in enumerate(readings) if number not in known]


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
