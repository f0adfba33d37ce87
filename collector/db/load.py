"""Loads the rows of an archive into tables that our migrations create."""

import re
from collections.abc import Collection, Iterable
from typing import IO, TYPE_CHECKING, Final

from collector.db.archive import Copy, Entry, copies
from collector.db.schema import (
    create_month,
    create_packed,
    migrations,
    schema_statements,
)
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

VERSIONS: Final = "jph_schema"
"""Table of the migrations that an archive has; it is read, not loaded."""

_MONTH: Final = re.compile(r"(reading|packed)_(\d{4})_(0[1-9]|1[0-2])")
_TABLES: Final = """
    SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
"""
_KNOWN: Final = """
    SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace UNION
    SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace UNION
    SELECT relname || ' ' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = 'public'::regnamespace
"""
_FORMER: Final = {"gap touch"}
"""Triggers that earlier versions had."""
_IDENTITIES: Final = """
    SELECT table_name::text, column_name::text FROM information_schema.columns
    WHERE table_schema = 'public' AND is_identity = 'YES'
"""


def version_in(script: IO[bytes]) -> int:
    """Return the schema's version that an archive has; the script holds the rows of VERSIONS.

    Raises:
        StoreError: it has none, or one that this program does not know.
    """
    found = 0
    for copy in copies(script):
        text = b"".join(iter(copy.rows.read, b"")).decode("ascii", "replace")
        if copy.table == VERSIONS and "version" in copy.columns:
            column = copy.columns.index("version")
            numbers = [line.split("\t")[column] for line in text.splitlines()]
            found = max((int(each) for each in numbers if each.isdecimal()), default=0)
    known = migrations()[-1].version
    if found > known:
        raise StoreError(
            f"the archive has schema {found}, this program knows {known}: update this program"
        )
    if not found:
        raise StoreError("the archive is no history: it has no version of a schema")
    return found


def create_tables(cursor: "cursor", version: int, contents: Iterable[Entry]) -> dict[str, int]:
    """Create the tables of a version, and the months of an archive.

    Return the tables whose rows are loaded, with the numbers of their entries.
    """
    for statement in schema_statements(until=version):
        cursor.execute(statement)
    cursor.execute(_TABLES)
    tables = {name for (name,) in cursor.fetchall()} - {VERSIONS}
    taken = {}
    for entry in contents:
        if entry.kind != "TABLE DATA" or entry.schema != "public":
            continue
        if entry.name not in tables:
            match = _MONTH.fullmatch(entry.name)
            if match is None or match[1] not in tables:
                continue
            create = create_month if match[1] == "reading" else create_packed
            create(cursor, int(match[2]) * 12 + int(match[3]) - 1)
        taken[entry.name] = entry.number
    return taken


def load(cursor: "cursor", tables: Collection[str], script: IO[bytes]) -> set[str]:
    """Load the rows in a script; return the tables that are complete.

    Raises:
        StoreError: the script has rows of another table.
    """
    loaded = set()
    for copy in copies(script):
        if copy.table not in tables:
            raise StoreError(f"the archive has rows of {copy.table} where it does not list them")
        _load(cursor, copy, again=copy.table in loaded)
        if copy.rows.whole:
            loaded.add(copy.table)
    return loaded


def finish(cursor: "cursor", version: int) -> set[str]:
    """Bring loaded tables of a version up to date; return the names of all that is there."""
    cursor.execute(_IDENTITIES)
    for table, column in cursor.fetchall():
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), "
            f"coalesce(max({column}), 0) + 1, false) FROM {table}"
        )
    for statement in schema_statements(version):
        cursor.execute(statement)
    cursor.execute(_KNOWN)
    return {name for (name,) in cursor.fetchall()} | _FORMER


def _load(cursor: "cursor", copy: Copy, *, again: bool) -> None:
    """Load the rows of a table; neither our triggers nor rows of a migration count."""
    cursor.execute(f"ALTER TABLE {copy.table} DISABLE TRIGGER USER")
    if not again:
        cursor.execute(f"DELETE FROM {copy.table}")
    columns = ", ".join(f'"{column}"' for column in copy.columns)
    cursor.copy_expert(
        f"COPY {copy.table} ({columns}) FROM STDIN (ENCODING '{copy.encoding}')", copy.rows
    )
    cursor.execute(f"ALTER TABLE {copy.table} ENABLE TRIGGER USER")
