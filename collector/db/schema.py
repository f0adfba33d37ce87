"""The tables of the history, made and brought up to date by the programs themselves.

Plain SQL for PostgreSQL 14 and later. A migration, once released, is never changed; a new one is
added at the end of MIGRATIONS.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from collector.db.energy_schema import ENERGY_TABLES
from collector.db.packed_schema import PACKED_TABLES
from collector.db.sql_roles import WEB_USERS
from collector.db.statistics_schema import CODIFIERS_BETWEEN, STATISTICS_TABLES
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

LOCK: Final = 0x6A7068  # "jph": pg_advisory_xact_lock's key for whatever changes tables
FIRST_MONTH: Final = 2000 * 12
"""Earlier readings are kept without a partition of their own: a clock that was never set."""

MIGRATIONS: Final = (
    # 1. Readings exactly as sent; one of the four values is not null. `timestamp` is when the value
    # was true, by the sender's clock. The order of columns leaves no gaps for alignment.
    """
    CREATE TABLE reading (
        timestamp      timestamptz NOT NULL,
        epoch          bigint NOT NULL,
        sequence       bigint NOT NULL,
        value_real     double precision,
        value_integer  bigint,
        quality        smallint NOT NULL,
        codifier       text COLLATE "C" NOT NULL,
        value_text     text,
        value_json     json,
        PRIMARY KEY (codifier, timestamp, epoch, sequence)
    ) PARTITION BY RANGE (timestamp);
    -- times for which no month is made: before 2000, or far in the future
    CREATE TABLE reading_other PARTITION OF reading DEFAULT;
    -- how far each source is stored, written in the transaction of its readings
    CREATE TABLE source (
        codifier   text COLLATE "C" PRIMARY KEY,
        epoch      bigint NOT NULL,
        sequence   bigint NOT NULL,
        timestamp  timestamptz NOT NULL
    ) WITH (fillfactor = 50);
    """,
    # 2. The books of every start of a source: each position (a sequence that goes on counting where
    # the wire's wraps at 2^31) from `first` to `last` is stored, `missing`, or in a gap.
    """
    ALTER TABLE source DROP CONSTRAINT source_pkey;
    ALTER TABLE source RENAME COLUMN sequence TO last;
    ALTER TABLE source ALTER COLUMN last DROP NOT NULL, ALTER COLUMN timestamp DROP NOT NULL,
        ADD COLUMN first bigint, ADD COLUMN missing int8multirange NOT NULL DEFAULT '{}',
        ADD PRIMARY KEY (codifier, epoch);
    UPDATE source SET first = last;
    -- what is lost for good: how many readings from `first` on (null: nobody knows), between which
    -- times, and why
    CREATE TABLE gap (
        id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        codifier   text COLLATE "C" NOT NULL,
        epoch      bigint NOT NULL,
        first      bigint NOT NULL,
        messages   bigint CHECK (messages > 0),
        from_time  timestamptz,
        to_time    timestamptz,
        cause      text NOT NULL,
        noticed    timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON gap (codifier, epoch, first);
    CREATE INDEX ON gap (to_time);
    """,
    # 3. Statistics of 10 minutes, hours and days.
    STATISTICS_TABLES,
    # 4. Energy, sheds and overruns by the hour.
    ENERGY_TABLES,
    # 5. Who may log in to the page.
    WEB_USERS,
    # 6. Which codifiers have readings.
    CODIFIERS_BETWEEN,
    # 7. Readings packed by the day.
    PACKED_TABLES,
)
# One codifier after the other by the index, however many rows there are.
_OTHERS: Final = """
    WITH RECURSIVE each AS (
        (SELECT codifier FROM {name} ORDER BY codifier LIMIT 1) UNION ALL
        SELECT (SELECT codifier FROM {name} WHERE codifier > each.codifier ORDER BY 1 LIMIT 1)
        FROM each WHERE codifier IS NOT NULL
    ) SELECT codifier FROM each WHERE codifier <> ALL (%s::text[]) LIMIT 1
"""


def migrate(connection: "connection") -> None:
    """Bring the database to this program's schema; several programs may do so at once.

    Raises:
        StoreError: a newer program has been here.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # a large table takes its time
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS jph_schema ("
            "version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute("SELECT coalesce(max(version), 0) FROM jph_schema")
        (version,) = cursor.fetchone() or (0,)
        if version > len(MIGRATIONS):
            raise StoreError(
                f"the database has schema {version}, this program knows {len(MIGRATIONS)}: "
                "update this program"
            )
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            cursor.execute(statements)
            cursor.execute("INSERT INTO jph_schema (version) VALUES (%s)", (number,))


def create_months(connection: "connection", wanted: Iterable[int]) -> None:
    """Create the partitions of these months (since the year 0) that are not there yet.

    None where `reading` is a plain table: something else cuts it into parts (`collector.db.scale`).
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        if not has_months(cursor):
            return
        for month in sorted(wanted):
            cursor.execute("SELECT to_regclass(%s)", (partition(month),))
            if cursor.fetchone() == (None,):
                _create_month(cursor, month)


def has_months(cursor: "cursor") -> bool:
    """Whether `reading` is cut into months, by us."""
    cursor.execute("SELECT FROM pg_class WHERE oid = 'reading'::regclass AND relkind = 'p'")
    return cursor.rowcount > 0


def partition(month: int, table: str = "reading") -> str:
    """Return the name of a month's partition."""
    return f"{table}_{month // 12:04}_{month % 12 + 1:02}"


def months_of(cursor: "cursor", table: str) -> list[int]:
    """Return the months for which a table has partitions, in order."""
    cursor.execute(
        "SELECT relname::text FROM pg_inherits JOIN pg_class ON oid = inhrelid "
        "WHERE inhparent = %s::regclass AND relname ~ %s ORDER BY relname",
        (table, rf"^{table}_\d{{4}}_\d\d$"),
    )
    parts = (name.split("_")[-2:] for (name,) in cursor.fetchall())
    return [int(year) * 12 + int(month) - 1 for year, month in parts]


def create_packed(cursor: "cursor", month: int) -> None:
    """Create the partition of `packed` for a month, if it is not there."""
    name = partition(month, "packed")
    cursor.execute("SELECT to_regclass(%s)", (name,))
    if cursor.fetchone() == (None,):
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF packed FOR VALUES FROM (%s) TO (%s)",
            (first_day(month), first_day(month + 1)),
        )


def drop_month(cursor: "cursor", month: int, table: str, gone: Iterable[str] = ()) -> bool:
    """Drop a month's partition if it has rows of nobody but `gone`; tell whether it had.

    Waits a second for whoever uses the table, and no longer: who comes after waits too.
    """
    name, codifiers = partition(month, table), list(gone)
    cursor.execute("SET LOCAL lock_timeout = '1s'")
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    for lock in ("", f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE;"):  # nobody writes then
        cursor.execute(lock + _OTHERS.format(name=name), (codifiers,))
        if cursor.rowcount:
            return False
    cursor.execute(f"DROP TABLE {name}")
    return True


def _create_month(cursor: "cursor", month: int) -> None:
    """Create a month's partition with what the default one holds of it."""
    name, start, end = partition(month), first_day(month), first_day(month + 1)
    cursor.execute("LOCK TABLE reading_other IN ACCESS EXCLUSIVE MODE")
    cursor.execute(f"CREATE TABLE {name} (LIKE reading INCLUDING ALL)")
    cursor.execute(
        "WITH moved AS (DELETE FROM reading_other WHERE timestamp >= %s AND timestamp < %s "
        f"RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        (start, end),
    )
    cursor.execute(
        f"ALTER TABLE reading ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)", (start, end)
    )


def first_day(month: int) -> str:
    """Return when a month begins, as PostgreSQL reads it: a moment, or a date."""
    return f"{month // 12:04}-{month % 12 + 1:02}-01 00:00+00"
