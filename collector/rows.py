"""Readings as rows of PostgreSQL's binary COPY format. Pure.

Format: PostgreSQL documentation, COPY, "Binary Format"; timestamps are µs since 2000-01-01 UTC.
A binary row is quicker to make than a text one and needs no escapes, so that a value arrives as it
was sent. Two values cannot: text with a NUL, which PostgreSQL has no room for, is stored with
U+2400 in its place, and what travelled as JSON but is none is stored as text. Both become
IMPLAUSIBLE.
"""

import struct
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

import msgspec

from jph.wire import Quality, Reading

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
_REAL: Final = struct.Struct(_START + "idiii")
_INTEGER: Final = struct.Struct(_START + "iiqii")
_TEXT: Final = struct.Struct(_START + "iii")
_LENGTH: Final = struct.Struct(">i")
_NULL: Final = -1
_WIDTH: Final = len(COLUMNS)


def storable(reading: Reading) -> bool:
    """Whether there can be a row: no announcement, a time that readers of the table know."""
    return reading.flag != "n" and reading.timestamp_ms <= LAST_MS


def encode_all(readings: Iterable[Reading]) -> bytes:
    """Return what COPY takes: the rows of these readings, with header and trailer."""
    return b"".join((_HEADER, *map(encode, readings), _TRAILER))


def encode(reading: Reading) -> bytes:
    """Return the row of a reading (any flag but `n`, a time up to LAST_MS)."""
    value, flag = reading.value, reading.flag
    # A codifier is ASCII, and every other field has the width the wire gives it: pack cannot fail.
    start = (
        *(_WIDTH, 2, reading.source.encode()),
        *(8, reading.timestamp_ms * 1000 - _POSTGRES_EPOCH_US),
        *(8, reading.epoch, 8, reading.sequence, 2),
    )
    if isinstance(value, float):
        return _REAL.pack(*start, reading.quality, 8, value, _NULL, _NULL, _NULL)
    if isinstance(value, int):
        return _INTEGER.pack(*start, reading.quality, _NULL, 8, value, _NULL, _NULL)
    quality = reading.quality
    is_json = flag == "j" and _is_json(value)
    if (flag == "j") != is_json or "\0" in value:
        quality = Quality.IMPLAUSIBLE
    content = value.replace("\0", "\u2400").encode("utf-8", "replace")
    if is_json:
        return (
            _TEXT.pack(*start, quality, _NULL, _NULL, _NULL) + _LENGTH.pack(len(content)) + content
        )
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
