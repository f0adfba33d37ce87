"""Readings as rows of PostgreSQL's binary COPY format. Pure.

Format: PostgreSQL documentation, COPY, "Binary Format"; timestamps are µs since 2000-01-01 UTC.
A binary row needs no escapes, so that a value arrives as it was sent. Rows of numbers are all of
one length: those of a batch are made together, a byte of all of them at a time. Two values cannot
be stored: a NUL in text, which PostgreSQL cannot hold, becomes U+2400, and a value that travelled
as JSON but is none is stored as text. Both become IMPLAUSIBLE, and so does a float of
`collector.db.tables.LARGEST` or more, an infinity or NaN: its bits are kept.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from collector.db.tables import LARGEST
from collector.ingest.columns import KINDS, Columns, kind_of
from collector.ingest.runs import uniform_parts
from jph.wire.codec import Quality, Reading

COLUMNS: Final = (
    *("codifier", "timestamp", "epoch", "sequence", "quality"),
    *("value_real", "value_integer", "value_text", "value_json"),
)
_HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER: Final = struct.pack(">h", -1)
LAST_MS: Final = 253_402_300_799_999
"""The last ms of the year 9999; programs that read the table know no later ones."""
DAY_MS: Final = 86_400_000

_DAY_0: Final = date(1970, 1, 1).toordinal()
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
_START: Final = ">hi2siqiqiqih"  # count of columns, then length and content of each
_TEXT: Final = struct.Struct(_START + "iii")
_LENGTH: Final = struct.Struct(">i")
_FIRST_BYTE: Final = struct.pack(">d", LARGEST)[0]
_BEYOND: Final = bytes(int(byte & 0x7F >= _FIRST_BYTE) for byte in range(256))
"""1 for the first byte of a float of LARGEST or more."""
_PIECE: Final = 2048
"""Rows; about what the socket to PostgreSQL holds."""
_NULL: Final = -1
_WIDTH: Final = len(COLUMNS)
_NOTHING: Final = struct.pack(_START, _WIDTH, 2, b"", 8, 0, 8, 0, 8, 0, 2, 0)
_ROWS: Final = {
    "d": (_NOTHING + struct.pack(">iqiii", 8, 0, _NULL, _NULL, _NULL), len(_NOTHING) + 4),
    "q": (_NOTHING + struct.pack(">iiqii", _NULL, 8, 0, _NULL, _NULL), len(_NOTHING) + 8),
}
"""A row with nothing in its fields, and where its value begins, by what takes the values."""
# Where fields begin in a row; of epoch and sequence the last four bytes, of quality the last.
_CODIFIER_AT, _TIME_AT, _EPOCH_AT, _SEQUENCE_AT, _QUALITY_AT = 6, 12, 28, 40, 49


def storable(reading: Reading) -> bool:
    """Whether there can be a row: no announcement, a time that readers of the table know."""
    return reading.flag != "n" and reading.timestamp_ms <= LAST_MS


def encode_all(readings: Sequence[Reading]) -> Iterator[bytes]:
    """Yield what COPY takes: header, the rows of these readings, trailer.

    Announcements have no row. The order is not kept: numbers are gathered until a piece is full.
    PostgreSQL works on one piece while the next is made.
    """
    gathered = {kind: Columns(kind) for kind in KINDS}
    yield _HEADER
    for part in uniform_parts(readings):
        if isinstance(part, Columns):
            yield _rows(part)
            continue
        if kind := kind_of(part):
            gathered[kind].add(part)
        else:
            yield from _sort(part, gathered)
        for kind, columns in gathered.items():
            if len(columns) >= _PIECE:
                yield _rows(columns)
                gathered[kind] = Columns(kind)
    yield b"".join((*map(_rows, gathered.values()), _TRAILER))


def _sort(part: Sequence[Reading], gathered: Mapping[str, Columns]) -> Iterator[bytes]:
    """Put readings of any flags where they belong; yield the rows of texts."""
    for kind, flags in KINDS.items():
        if numbers := [reading for reading in part if reading.flag in flags]:
            gathered[kind].add(numbers)
    if texts := [_encode_text(reading) for reading in part if reading.flag in "sj"]:
        yield b"".join(texts)  # an empty piece would be the end


def _rows(columns: Columns) -> bytes:
    """Return the rows of numbers.

    They are one empty row as often as needed, then each byte of each field put into all.
    """
    row, value_at = _ROWS[columns.kind]
    size, count = len(row), len(columns)
    rows = bytearray(row * count)
    times_us = array("q", [1000 * ms - _POSTGRES_EPOCH_US for ms in columns.times_ms])
    values = _big_endian(columns.values)
    qualities = _judged(columns.qualities, values) if columns.kind == "d" else columns.qualities
    for column, width, at in (
        (columns.codifiers, 2, _CODIFIER_AT),
        (_big_endian(times_us), 8, _TIME_AT),
        (_big_endian(columns.epochs), 4, _EPOCH_AT),
        (_big_endian(columns.sequences), 4, _SEQUENCE_AT),
        (qualities, 1, _QUALITY_AT),
        (values, 8, value_at),
    ):
        for byte in range(width):
            rows[at + byte :: size] = column[byte::width]
    return bytes(rows)


def _judged(qualities: bytearray, values: bytes) -> bytearray:
    """Return the qualities of floats; those beyond LARGEST are implausible.

    Their first byte says so: the sign and the upper seven bits of the exponent.
    """
    beyond = values[::8].translate(_BEYOND)
    if 1 not in beyond:
        return qualities
    judged = bytearray(qualities)
    at = beyond.find(1)
    while at >= 0:
        judged[at] = Quality.IMPLAUSIBLE
        at = beyond.find(1, at + 1)
    return judged


def _big_endian(numbers: "array[Any]") -> bytes:
    if sys.byteorder == "little":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _encode_text(reading: Reading) -> bytes:
    """Return the row of a reading of text."""
    value, quality = str(reading.value), reading.quality
    # A codifier is ASCII, and every other field has the width the wire gives it: pack cannot fail.
    start = (
        *(_WIDTH, 2, reading.source.encode()),
        *(8, reading.timestamp_ms * 1000 - _POSTGRES_EPOCH_US),
        *(8, reading.epoch, 8, reading.sequence, 2),
    )
    is_json = reading.flag == "j" and _is_json(value)
    if (reading.flag == "j") != is_json or "\0" in value:
        quality = Quality.IMPLAUSIBLE
    content = value.replace("\0", "\u2400").encode("utf-8", "replace")
    length = _LENGTH.pack(len(content))
    if is_json:
        return _TEXT.pack(*start, quality, _NULL, _NULL, _NULL) + length + content
    return _TEXT.pack(*start, quality, _NULL, _NULL, len(content)) + content + _LENGTH.pack(_NULL)


def _is_json(text: str) -> bool:
    """Whether PostgreSQL would take `text` as JSON (RFC 8259: no NaN)."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False
    return True


def months(days: Iterable[int]) -> Iterator[int]:
    """Yield the month of each day: days since 1970 to months since the year 0."""
    for day in days:
        when = date.fromordinal(_DAY_0 + day)
        yield when.year * 12 + when.month - 1
