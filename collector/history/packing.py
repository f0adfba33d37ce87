"""Packs readings by the day into a tenth of the disk space. Every function blocks.

A codifier's day is one transaction and one statement: the rows of `reading` and the earlier rows of
the day in `packed` become its new rows there, each reading once. A kill at any instant leaves the
day packed or not packed. PostgreSQL needs no more memory than for any statement (`work_mem`).
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
from collector.db.tables import (
    CHUNK,
    COLUMNS,
    LATE_LOCK,
    PACK_LOCK,
    UNPACKED,
    lock_statement,
)
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
        -- a reading that was inserted again, not by the collector: the packed one stays
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
    """Allow packing of readings for times up to `until` (midnight UTC).

    Waits for transactions that add readings; later ones check whether theirs are packed.

    Raises:
        StoreError: PostgreSQL is away.
    """
    with transaction(connection) as cursor:
        cursor.execute("SELECT packed >= %s FROM statistics_until", (until,))
        if cursor.fetchone() == (True,):
            return
        cursor.execute(lock_statement(LATE_LOCK))
        cursor.execute("UPDATE statistics_until SET packed = greatest(packed, %s)", (until,))


def pack_day(connection: "connection", codifier: str, day: date) -> int:
    """Pack the readings of a codifier on a UTC day; return the number of rows.

    Raises:
        StoreError: PostgreSQL is away.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    wanted = {"codifier": codifier, "day": day, "start": start, "end": start + _DAY}
    with transaction(connection) as cursor:
        create_packed(cursor, day.year * 12 + day.month - 1)
        cursor.execute(lock_statement(PACK_LOCK))
        cursor.execute(_PACK, wanted)
        return int(cursor.rowcount)


def pack_all(connection: "connection", until: datetime) -> Iterator[None]:
    """Pack every day that is over by `until` (midnight UTC), yielding after each transaction.

    Readings from before 2000 stay rows: their clock was never set.

    Raises:
        StoreError: PostgreSQL is away.
    """
    with transaction(connection) as cursor:
        if not has_months(cursor) or _is_distributed(cursor):  # an extension compresses them
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
    """Return whether Citus is installed, which has its own compression (docs/scale.md)."""
    cursor.execute("SELECT FROM pg_extension WHERE extname = 'citus'")
    return cursor.rowcount > 0


def oldest(connection: "connection", codifier: str, start: datetime, end: datetime) -> date | None:
    """Return the first UTC day in [start, end) with readings of a codifier that are not packed.

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
    """Free the space of packed or removed readings: inside a month, or the whole month.

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
    """Let PostgreSQL use a table's free space again.

    Raises:
        StoreError: PostgreSQL is away.
    """
    connection.autocommit = True  # VACUUM cannot run in a transaction
    try:
        with transaction(connection) as cursor:
            cursor.execute(f"VACUUM {table}")
    finally:
        if not connection.closed:
            connection.autocommit = False


def try_to_drop(connection: "connection", month: int, table: str, gone: Iterable[str] = ()) -> bool:
    """Drop a month's partition if it has rows of no other codifiers than `gone`.

    Return whether it was dropped: not while another program uses the table.

    Raises:
        StoreError: PostgreSQL is away.
    """
    import psycopg2

    try:
        with transaction(connection) as cursor:
            return drop_month(cursor, month, table, gone)
    except StoreError as error:
        if isinstance(error.__cause__, psycopg2.errors.LockNotAvailable):
            return False  # a later round
        raise
