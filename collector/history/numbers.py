"""Numbers among the readings of one codifier: exact, and fast by binary COPY."""

import io
import struct
from itertools import repeat
from typing import TYPE_CHECKING, Final

from collector.db.tables import LARGEST
from collector.statistics.statistics import Number
from collector.statistics.touched import as_text

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

IMPLAUSIBLE: Final = 2
NUMBER: Final = "coalesce(value_real, value_integer, json_number(value_json))"
"""SQL of a reading's number, double precision; null if it has none."""
TEXT: Final = "coalesce(value_text, value_json::text, value_real::text, value_integer::text)"
"""SQL of a reading's value as text."""
FINITE: Final = f"""
    quality <> {IMPLAUSIBLE} AND value_text IS NULL AND CASE
        WHEN value_real IS NOT NULL THEN abs(value_real) < {LARGEST!r}
        ELSE value_json IS NULL OR abs(json_number(value_json)) < {LARGEST!r} END
"""
"""A condition on `reading`: it carries a plausible number; sums of squares of such stay finite."""
_QUERY: Final = f"""
    COPY (
        SELECT timestamp, value_integer IS NOT NULL,
            CASE WHEN value_real IS NOT NULL THEN float8send(value_real)
                WHEN value_integer IS NOT NULL THEN int8send(value_integer)
                ELSE float8send(json_number(value_json)) END
        FROM readings(%s, %s, %s) WHERE {FINITE}
        ORDER BY timestamp, epoch, sequence
    ) TO STDOUT (FORMAT binary)
"""
_HEADER_BYTES: Final = 19
_TRAILER_BYTES: Final = 2
_REAL: Final = struct.Struct(">hiqi?id")  # count of columns, then length and content of each
_INTEGER: Final = struct.Struct(">hiqi?iq")
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000


def fetch_numbers(
    cursor: "cursor", codifier: str, after: int, until: int
) -> tuple[list[int], list[Number]]:
    """Return times and values of the readings in (after, until], µs, sorted by time.

    Of readings at one moment the order is that of their epochs and sequences.
    """
    statement = cursor.mogrify(_QUERY, (codifier, as_text(after), as_text(until))).decode()
    taken = io.BytesIO()
    cursor.copy_expert(statement, taken)
    rows = taken.getbuffer()[_HEADER_BYTES:-_TRAILER_BYTES]
    if not rows:
        return [], []
    _, _, stamps, _, whole, _, values = zip(*_REAL.iter_unpack(rows), strict=True)
    times = list(map(int.__add__, stamps, repeat(_POSTGRES_EPOCH_US)))
    if not any(whole):
        return times, list(values)
    integers = [row[-1] for row in _INTEGER.iter_unpack(rows)]
    if all(whole):
        return times, integers
    chosen = zip(whole, integers, values, strict=True)
    return times, [integer if is_whole else value for is_whole, integer, value in chosen]
