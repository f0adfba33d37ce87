"""Creates the tables of the history and brings them up to date.

The DDL is in `migrations/NNNN_name.sql`, plain SQL for PostgreSQL 14 and later. A migration, once
released, is never changed; a new one gets the next number. Statements run one by one, name no
schema (`search_path` decides), and have one subcommand per ALTER; no SQL-language function reads a
table (Citus refuses such functions). `targets/NAME.sql` changes an empty database for an extension.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.db.statements import split
from collector.db.tables import lock_statement
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

LOCK: Final = 0x6A7068  # "jph"
"""Advisory lock of a transaction that changes tables."""
FIRST_MONTH: Final = 2000 * 12
"""Earlier readings have no partition of their own: their clock was never set."""
TARGETS: Final = ("timescaledb", "citus")
"""Extensions for which `target_statements` has SQL."""

_VERSIONS: Final = (
    "CREATE TABLE IF NOT EXISTS jph_schema ("
    "version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
)
_APPLIED: Final = "INSERT INTO jph_schema (version) VALUES ({})"
# One codifier after the other by the index, however many rows there are.
_OTHERS: Final = """
    WITH RECURSIVE each AS (
        (SELECT codifier FROM {name} ORDER BY codifier LIMIT 1) UNION ALL
        SELECT (SELECT codifier FROM {name} WHERE codifier > each.codifier ORDER BY 1 LIMIT 1)
        FROM each WHERE codifier IS NOT NULL
    ) SELECT codifier FROM each WHERE codifier <> ALL (%s::text[]) LIMIT 1
"""


class Migration(NamedTuple):
    """The statements that bring the schema from `version` - 1 to `version`."""

    version: int
    statements: tuple[str, ...]


@cache
def migrations() -> tuple[Migration, ...]:
    """Return all migrations in order."""
    folder = files("collector.db") / "migrations"
    found = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".sql")),
        key=lambda each: each.name,
    )
    return tuple(
        Migration(int(each.name.split("_")[0]), tuple(split(each.read_text("utf-8"))))
        for each in found
    )


def schema_statements(after: int = 0, until: int | None = None) -> Iterator[str]:
    """Yield every statement that brings an empty database, or one of version `after`, up to date.

    With `until` the statements end with that version. They include the rows of
    `jph_schema`: a program that starts afterwards applies nothing twice.
    """
    yield _VERSIONS
    for migration in migrations():
        if after < migration.version and (until is None or migration.version <= until):
            yield from migration.statements
            yield _APPLIED.format(migration.version)


def target_statements(target: str) -> Iterator[str]:
    """Yield the statements that change an empty database for an extension of TARGETS."""
    yield from split((files("collector.db") / "targets" / f"{target}.sql").read_text("utf-8"))


def migrate(connection: "connection") -> None:
    """Bring the database to this program's schema; several programs may do so at once.

    Raises:
        StoreError: a newer program has changed the schema.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # a large table takes its time
        cursor.execute(lock_statement(LOCK))
        cursor.execute(_VERSIONS)
        cursor.execute("SELECT coalesce(max(version), 0) FROM jph_schema")
        (version,) = cursor.fetchone() or (0,)
        known = migrations()[-1].version
        if version > known:
            raise StoreError(
                f"the database has schema {version}, this program knows {known}: "
                "update this program"
            )
        for statement in schema_statements(version):
            cursor.execute(statement)


def create_months(connection: "connection", wanted: Iterable[int]) -> None:
    """Create the partitions of these months (since the year 0) that do not exist yet.

    Where `reading` is a plain table an extension partitions it; then nothing is created.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(lock_statement(LOCK))
        if has_months(cursor):
            for month in sorted({*wanted}.difference(months_of(cursor, "reading"))):
                create_month(cursor, month)


def has_months(cursor: "cursor") -> bool:
    """Return whether `reading` is partitioned by month."""
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
    year_and_month = (name.split("_")[-2:] for (name,) in cursor.fetchall())
    return [int(year) * 12 + int(month) - 1 for year, month in year_and_month]


def create_packed(cursor: "cursor", month: int) -> None:
    """Create the partition of `packed` for a month if it does not exist."""
    if month in months_of(cursor, "packed"):
        return
    cursor.execute(lock_statement(LOCK))
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {partition(month, 'packed')} PARTITION OF packed "
        "FOR VALUES FROM (%s) TO (%s)",
        (first_day(month), first_day(month + 1)),
    )


def drop_month(cursor: "cursor", month: int, table: str, gone: Iterable[str] = ()) -> bool:
    """Drop a month's partition if it has rows of no other codifiers than `gone`.

    Return whether it was dropped. Waits at most a second for other users of the table, because
    later users wait behind this one.
    """
    name, codifiers = partition(month, table), list(gone)
    cursor.execute("SET LOCAL lock_timeout = '1s'")
    cursor.execute(lock_statement(LOCK))
    for lock in ("", f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE"):  # then none can write
        if lock:
            cursor.execute(lock)
        cursor.execute(_OTHERS.format(name=name), (codifiers,))
        if cursor.rowcount:
            return False
    cursor.execute(f"DROP TABLE {name}")
    return True


def create_month(cursor: "cursor", month: int) -> None:
    """Create a month's partition with the rows of the default partition that belong to it."""
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
    """Return the start of a month as PostgreSQL reads it: a moment, or a date."""
    return f"{month // 12:04}-{month % 12 + 1:02}-01 00:00+00"
