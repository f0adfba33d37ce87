"""Readings packed by the day: a tenth of the room. Every function blocks.

A codifier's day is one transaction, and one statement: what leaves `reading` and what the day had
in `packed` before become the day's rows there, each reading once. Killed at any instant, it is as
it was or done. PostgreSQL does it by itself, in the memory it allows any statement (`work_mem`).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from collector.db.connecting import query, transaction
from collector.db.schema import (
    FIRST_MONTH,
    create_packed,
    drop_month,
    has_months,
    months_of,
    partition,
)
from collector.db.tables import CHUNK, COLUMNS, LATE_LOCK, PACK_LOCK, UNPACKED
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

DEFAULT_AFTER_DAYS: Final = 7
_DAY: Final = timedelta(days=1)
_FIRST: Final = date(FIRST_MONTH // 12, 1, 1)
_ALL: Final = ", ".join(COLUMNS)
_PACK: Final = f"""
    WITH taken AS (
        DELETE FROM reading
        WHERE codifier = %(codifier)s AND timestamp >= %(start)s AND timestamp < %(end)s
        RETURNING {_ALL}
    ), packed AS (
        DELETE FROM packed WHERE codifier = %(codifier)s AND day = %(day)s RETURNING *
    ), once AS (
        -- one that somebody wrote again, past the collector: what was packed stays
        SELECT DISTINCT ON (epoch, timestamp, sequence) {_ALL}
        FROM ({UNPACKED} UNION ALL SELECT {_ALL} FROM taken) AS every
        ORDER BY epoch, timestamp, sequence
    ), numbered AS (
        SELECT *, row_number() OVER (PARTITION BY epoch ORDER BY timestamp, sequence) - 1 AS number
        FROM once
    )
    INSERT INTO packed SELECT
        min(timestamp), max(timestamp), epoch, min(sequence), %(day)s, number / {CHUNK}, count(*),
        min(quality), %(codifier)s,
        array_agg(timestamp ORDER BY number),
        CASE WHEN min(sequence::numeric - number) < max(sequence::numeric - number)
            THEN array_agg(sequence ORDER BY number) END,
        CASE WHEN min(quality) < max(quality) THEN array_agg(quality ORDER BY number) END,
        CASE WHEN count(value_real) > 0 THEN array_agg(value_real ORDER BY number) END,
        CASE WHEN count(value_integer) > 0 THEN array_agg(value_integer ORDER BY number) END,
        CASE WHEN count(value_text) > 0 THEN array_agg(value_text ORDER BY number) END,
        CASE WHEN count(value_json) > 0 THEN array_agg(value_json ORDER BY number) END
    FROM numbered GROUP BY epoch, number / {CHUNK}
"""


def allow(connection: "connection", until: datetime) -> None:
    """Say that readings for times up to `until` (midnight UTC) may be packed from now on.

    Waits for who adds readings; from then on they look whether theirs are packed.

    Raises:
        StoreError: PostgreSQL is away.
    """
    with transaction(connection) as cursor:
        cursor.execute("SELECT packed >= %s FROM statistics_until", (until,))
        if cursor.fetchone() == (True,):
            return
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LATE_LOCK,))
        cursor.execute("UPDATE statistics_until SET packed = greatest(packed, %s)", (until,))


def pack_day(connection: "connection", codifier: str, day: date) -> int:
    """Pack what there is of a codifier on a UTC day; return how many rows that is.

    Raises:
        StoreError: PostgreSQL is away.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    wanted = {"codifier": codifier, "day": day, "start": start, "end": start + _DAY}
    with transaction(connection) as cursor:
        create_packed(cursor, day.year * 12 + day.month - 1)
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (PACK_LOCK,))
        cursor.execute(_PACK, wanted)
        return int(cursor.rowcount)


def pack_all(connection: "connection", until: datetime) -> Iterator[None]:
    """Pack every day that is over by `until` (midnight UTC), yielding after each transaction.

    Readings from before 2000 stay: their clock was never set.

    Raises:
        StoreError: PostgreSQL is away.
    """
    with transaction(connection) as cursor:
        if not has_months(cursor) or _is_distributed(cursor):  # something else makes them small
            return
    allow(connection, until)
    span = datetime(_FIRST.year, 1, 1, tzinfo=UTC), until
    codifiers = query(connection, "SELECT codifiers_between('-infinity', 'infinity')")
    emptied: set[int] = set()
    for (codifier,) in codifiers:
        while (day := oldest(connection, codifier, *span)) is not None:
            pack_day(connection, codifier, day)
            emptied.add(day.year * 12 + day.month - 1)
            yield
    yield from tidy(connection, until, emptied)


def _is_distributed(cursor: "cursor") -> bool:
    """Whether Citus is there, which packs in its own way (docs/scale.md)."""
    cursor.execute("SELECT FROM pg_extension WHERE extname = 'citus'")
    return cursor.rowcount > 0


def oldest(connection: "connection", codifier: str, start: datetime, end: datetime) -> date | None:
    """Return the first UTC day in [start, end) of which a codifier has readings not packed.

    Raises:
        StoreError: PostgreSQL is away.
    """
    found = query(
        connection,
        "SELECT (timestamp AT TIME ZONE 'UTC')::date FROM reading "
        "WHERE codifier = %s AND timestamp >= %s AND timestamp < %s ORDER BY timestamp LIMIT 1",
        (codifier, start, end),
    )
    return found[0][0] if found else None


def tidy(connection: "connection", until: datetime, emptied: set[int]) -> Iterator[None]:
    """Give back the room of what was taken out of months: to the month, or with the whole month.

    Raises:
        StoreError: PostgreSQL is away.
    """
    with transaction(connection) as cursor:
        months = months_of(cursor, "reading")
    for month in months:
        if month in emptied:
            vacuum(connection, partition(month))
            yield
        if month < until.year * 12 + until.month - 1:
            try_to_drop(connection, month, "reading")
            yield


def vacuum(connection: "connection", table: str) -> None:
    """Have a table's room used again.

    Raises:
        StoreError: PostgreSQL is away.
    """
    connection.autocommit = True  # VACUUM is no part of a transaction
    try:
        with transaction(connection) as cursor:
            cursor.execute(f"VACUUM {table}")
    finally:
        if not connection.closed:
            connection.autocommit = False


def try_to_drop(connection: "connection", month: int, table: str, gone: Iterable[str] = ()) -> bool:
    """Drop a month's partition if it has rows of nobody but `gone`; tell whether it went.

    Not while somebody uses the table.

    Raises:
        StoreError: PostgreSQL is away.
    """
    import psycopg2

    try:
        with transaction(connection) as cursor:
            return drop_month(cursor, month, table, gone)
    except StoreError as error:
        if isinstance(error.__cause__, psycopg2.errors.LockNotAvailable):
            return False  # another time
        raise
