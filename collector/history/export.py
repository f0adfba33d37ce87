"""The history out of PostgreSQL, reading by reading: into CSV or a SQLite file. Blocks.

Readings come through a cursor of the server: memory stays small however long the history.
"""

import csv
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from collector.db.connecting import transaction
from collector.db.statistics_schema import STATISTICS, WIDTHS
from collector.history.reading_back import Range
from collector.statistics.buckets import to_datetime
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

COLUMNS: Final = ("codifier", "timestamp_ms", "value", "quality", "epoch", "sequence")
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_ROWS_AT_ONCE: Final = 5000
_WHICH: Final = "WHERE codifier = %s AND timestamp > %s AND timestamp <= %s"
_READINGS: Final = f"""
    SELECT codifier, {_MS}, value_real, value_integer, coalesce(value_text, value_json::text),
        quality, epoch, sequence
    FROM readings(%s, %s, %s) ORDER BY timestamp, epoch, sequence
"""
_NEXT: Final = f"SELECT {_MS.replace('timestamp', 'next_reading(%s, %s, %s)')}"
_DAY_MS: Final = 86_400_000
_STATISTICS: Final = f"""
    SELECT codifier, {_MS}, {", ".join(STATISTICS[1:])} FROM statistic_{{width}} {_WHICH}
    ORDER BY timestamp
"""
Row = tuple[Any, ...]
Progress = Callable[[Range, int], None]
"""Is told of whom up to which ms everything was written."""


def beginning(cursor: "cursor", wanted: Range) -> Range:
    """Return a range without the time before its first reading."""
    cursor.execute(_NEXT, _values(wanted))
    (first_ms,) = cursor.fetchone() or (None,)
    return wanted if first_ms is None else wanted._replace(start_ms=first_ms - 1)


def write_csv(
    connection: "connection", wanted: Iterable[Range], file: TextIO, progress: Progress
) -> int:
    """Write readings, each exactly as it was sent; return how many.

    Raises:
        StoreError: PostgreSQL is away.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for each in wanted:
        for rows in ordered_readings(connection, each):
            writer.writerows(map(as_sent, rows))
            written += len(rows)
            progress(each, rows[-1][1])
        progress(each, each.end_ms)
    return written


def write_sqlite(
    connection: "connection", wanted: Iterable[Range], path: Path, progress: Progress
) -> int:
    """Make a SQLite file with readings and statistics; return how many readings.

    Raises:
        StoreError: PostgreSQL is away, or the file cannot be written.
    """
    written = 0
    try:
        with closing(sqlite3.connect(path)) as file, file:
            _make_tables(file)
            for each in wanted:
                for rows in ordered_readings(connection, each):
                    file.executemany(_insert("reading", COLUMNS), map(as_sent, rows))
                    written += len(rows)
                    progress(each, rows[-1][1])
                for width in WIDTHS:
                    columns = ("codifier", "timestamp_ms", *STATISTICS[1:])
                    for rows in _batches(connection, _STATISTICS.format(width=width), each):
                        file.executemany(_insert(f"statistic_{width}", columns), rows)
                progress(each, each.end_ms)
    except sqlite3.Error as error:
        raise StoreError(f"cannot write {path}: {error}") from error
    return written


def ordered_readings(connection: "connection", wanted: Range) -> Iterator[list[Row]]:
    """Yield readings in order, sorted a day at a time: packed ones are not."""
    while True:
        with transaction(connection) as cursor:
            wanted = beginning(cursor, wanted)
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


def _batches(connection: "connection", statement: str, wanted: Range) -> Iterator[list[Row]]:
    with transaction(connection), connection.cursor("export") as cursor:
        cursor.execute(statement, _values(wanted))
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows


def _values(wanted: Range) -> tuple[str, str, str]:
    start, end = (to_datetime(ms * 1000).isoformat() for ms in wanted[1:])
    return wanted.codifier, start, end


def as_sent(row: Row) -> Row:
    """Return a row of `ordered_readings` as codifier, ms, value, quality, epoch, sequence."""
    codifier, ms, real, integer, text, quality, epoch, sequence = row
    value = real if real is not None else integer if integer is not None else text
    if real is not None and real != real:
        value = "NaN"  # SQLite would make it NULL
    return codifier, ms, value, quality, epoch, sequence


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' for _ in columns)})"


def _make_tables(file: sqlite3.Connection) -> None:
    # `value` has no type, so that each keeps its own
    file.execute(
        "CREATE TABLE reading (codifier TEXT, timestamp_ms INTEGER, value, quality INTEGER, "
        "epoch INTEGER, sequence INTEGER, "
        "PRIMARY KEY (codifier, timestamp_ms, epoch, sequence)) WITHOUT ROWID"
    )
    for width in WIDTHS:
        values = ", ".join(f"{column} REAL" for column in STATISTICS[1:])
        file.execute(
            f"CREATE TABLE statistic_{width} (codifier TEXT, timestamp_ms INTEGER, "
            f"{values}, PRIMARY KEY (codifier, timestamp_ms)) WITHOUT ROWID"
        )
