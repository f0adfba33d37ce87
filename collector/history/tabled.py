"""Histories of several codifiers as one CSV text, piece by piece. Blocks.

Rows come through a cursor of the server, so memory stays small however long the history.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from collector.db.connecting import transaction
from collector.db.statistics_schema import STATISTICS
from collector.history.export import as_sent, ordered_readings
from collector.history.reading_back import Level, Range
from collector.statistics.buckets import to_datetime

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_ROWS_AT_ONCE: Final = 2000
_WHICH: Final = "WHERE codifier = %s AND timestamp > %s AND timestamp <= %s"
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
_STATISTICS: Final = f"""
    SELECT codifier, {_MS}, {", ".join(STATISTICS[1:])} FROM statistic_{{level}} {_WHICH}
    ORDER BY timestamp
"""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a spreadsheet knows what it is to compute."""


def csv_pieces(connection: "connection", wanted: Sequence[Range], level: Level) -> Iterator[bytes]:
    """Yield CSV: readings as text with their quality, or whole buckets with all their statistics.

    Times are ISO 8601 in UTC; a bucket's is its end.

    Raises:
        StoreError: PostgreSQL is away.
    """
    if level is Level.RAW:
        yield _text([("codifier", "time", "value", "quality")])
        for each in wanted:
            for rows in ordered_readings(connection, each):
                yield _text(_row(*as_sent(row)[:4]) for row in rows)
        return
    yield _text([("codifier", "time", *STATISTICS[1:])])
    statement = _STATISTICS.format(level=level)
    for each in wanted:
        start, end = (to_datetime(ms * 1000).isoformat() for ms in each[1:])
        with transaction(connection), connection.cursor("csv") as cursor:
            cursor.execute(statement, (each.codifier, start, end))
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield _text(_row(*row) for row in rows)


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
