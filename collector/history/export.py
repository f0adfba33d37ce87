"""Writes histories as CSV or as a SQLite file. Every function blocks."""

import csv
import io
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from collector.db.tables import WIDTHS
from collector.history.query import Level, Range
from collector.history.stored import as_sent, ordered_buckets, ordered_readings
from collector.statistics.buckets import to_datetime
from collector.statistics.statistics import COLUMN_NAMES
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection

COLUMNS: Final = ("codifier", "timestamp_ms", "value", "quality", "epoch", "sequence")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes text that begins with one of these for a formula."""
Progress = Callable[[Range, int], None]
"""Takes a range and the time in ms up to which everything of it is written."""


def write_csv(
    connection: "connection",
    wanted: Iterable[Range],
    file: TextIO,
    progress: Progress,
    *,
    decimal_comma: bool = False,
) -> int:
    """Write readings exactly as they were sent; return how many.

    With `decimal_comma` numbers have a comma and fields are separated by semicolons.

    Raises:
        StoreError: PostgreSQL is away.
    """
    writer = csv.writer(file, lineterminator="\n", delimiter=";" if decimal_comma else ",")
    writer.writerow(COLUMNS)
    written = 0
    for each in wanted:
        for rows in ordered_readings(connection, each):
            sent = map(as_sent, rows)
            writer.writerows(map(with_comma, sent) if decimal_comma else sent)
            written += len(rows)
            progress(each, rows[-1][1])
        progress(each, each.end_ms)
    return written


def with_comma(row: Iterable[object]) -> tuple[object, ...]:
    """Return a row whose floats are texts with a decimal comma."""
    return tuple(repr(cell).replace(".", ",") if isinstance(cell, float) else cell for cell in row)


def csv_pieces(connection: "connection", wanted: Sequence[Range], level: Level) -> Iterator[bytes]:
    """Yield CSV: readings as text with their quality, or whole buckets with every statistic.

    Times are ISO 8601 in UTC; the time of a bucket is its end.

    Raises:
        StoreError: PostgreSQL is away.
    """
    if level is Level.RAW:
        yield _text([("codifier", "time", "value", "quality")])
        for each in wanted:
            for rows in ordered_readings(connection, each):
                yield _text(_row(*as_sent(row)[:4]) for row in rows)
        return
    yield _text([("codifier", "time", *COLUMN_NAMES)])
    for each in wanted:
        for rows in ordered_buckets(connection, each, level):
            yield _text(_row(*row) for row in rows)


def write_sqlite(
    connection: "connection", wanted: Iterable[Range], path: Path, progress: Progress
) -> int:
    """Write readings and statistics into a new SQLite file; return how many readings.

    Raises:
        StoreError: PostgreSQL is away, or the file cannot be written.
    """
    written = 0
    columns = ("codifier", "timestamp_ms", *COLUMN_NAMES)
    try:
        with closing(sqlite3.connect(path)) as file, file:
            _make_tables(file)
            for each in wanted:
                for rows in ordered_readings(connection, each):
                    file.executemany(_insert("reading", COLUMNS), map(as_sent, rows))
                    written += len(rows)
                    progress(each, rows[-1][1])
                for width in WIDTHS:
                    for rows in ordered_buckets(connection, each, Level(width)):
                        file.executemany(_insert(f"statistic_{width}", columns), rows)
                progress(each, each.end_ms)
    except sqlite3.Error as error:
        raise StoreError(f"cannot write {path}: {error}") from error
    return written


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
        values = ", ".join(f"{column} REAL" for column in COLUMN_NAMES)
        file.execute(
            f"CREATE TABLE statistic_{width} (codifier TEXT, timestamp_ms INTEGER, "
            f"{values}, PRIMARY KEY (codifier, timestamp_ms)) WITHOUT ROWID"
        )


def _row(codifier: str, ms: int, *values: object) -> tuple[object, ...]:
    time = to_datetime(1000 * ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return codifier, time, *map(_harmless, values)


def _harmless(value: object) -> object:
    """Return a value that no spreadsheet takes for a formula."""
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _text(rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
