"""Readings as rows of PostgreSQL's binary COPY format. Pure.

Format: PostgreSQL documentation, COPY, "Binary Format"; timestamps are µs since 2000-01-01 UTC.
A binary row needs no escapes, so that a value arrives as it was sent. Rows of numbers are all of
one length: those of a batch are made together, a byte of all of them at a time. Two values cannot
be stored: text with a NUL, which PostgreSQL has no room for, has U+2400 in its place, and what
travelled as JSON but is none is stored as text. Both become IMPLAUSIBLE.
"""

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec

from collector.parts import flag_of, parts_of
from jph.readings import Readings
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
_TEXT: Final = struct.Struct(_START + "iii")
_LENGTH: Final = struct.Struct(">i")
_PIECE: Final = 2048
"""Rows; about what the socket to PostgreSQL holds."""
_NULL: Final = -1
_WIDTH: Final = len(COLUMNS)
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
    floats, integers = _Columns(_FLOATS), _Columns(_INTEGERS)
    yield _HEADER
    for part in parts_of(readings):
        if isinstance(part, Readings):
            (floats if part.flag in "fd" else integers).add_run(part)
        else:
            yield from _sort(part, floats, integers)
        if len(floats) >= _PIECE:
            yield floats.take()
        if len(integers) >= _PIECE:
            yield integers.take()
    yield floats.take() + integers.take() + _TRAILER


def _sort(part: Sequence[Reading], *columns: "_Columns") -> Iterator[bytes]:
    """Put readings of any flags where they belong; yield the rows of texts."""
    flags = set(map(flag_of, part))
    for each in columns:
        if flags <= each.form.flags:
            each.add(part)
        elif not flags.isdisjoint(each.form.flags):
            each.add([reading for reading in part if reading.flag in each.form.flags])
    if not flags.isdisjoint("sj"):
        yield b"".join([_encode_text(reading) for reading in part if reading.flag in "sj"])


class _Form(NamedTuple):
    """Rows that are as long as each other: for which flags, and one with zeros in its fields."""

    flags: frozenset[str]
    kind: str
    row: bytes
    value_at: int


_NOTHING: Final = struct.pack(_START, _WIDTH, 2, b"", 8, 0, 8, 0, 8, 0, 2, 0)
_FLOATS: Final = _Form(
    frozenset("fd"),
    "d",
    _NOTHING + struct.pack(">iqiii", 8, 0, _NULL, _NULL, _NULL),
    len(_NOTHING) + 4,
)
_INTEGERS: Final = _Form(
    frozenset("iq"),
    "q",
    _NOTHING + struct.pack(">iiqii", _NULL, 8, 0, _NULL, _NULL),
    len(_NOTHING) + 8,
)


class _Columns:
    """Fields of many rows of one form, each field by itself."""

    def __init__(self, form: _Form) -> None:
        self.form = form
        self._begin()

    def _begin(self) -> None:
        self._codifiers, self._qualities = bytearray(), bytearray()
        self._epochs, self._sequences = array("I"), array("I")
        self._times, self._values = array("q"), array(self.form.kind)

    def __len__(self) -> int:
        return len(self._qualities)

    def add_run(self, run: Readings) -> None:
        """Take readings of one source."""
        self._codifiers += run.source.encode() * len(run)
        self._qualities += bytes((run.quality,)) * len(run)
        self._epochs.extend(array("I", (run.epoch,)) * len(run))
        self._sequences.extend(run.sequences)
        self._times.extend([1000 * ms - _POSTGRES_EPOCH_US for ms in run.timestamps_ms()])
        self._values.extend(run.values())

    def add(self, readings: Sequence[Reading]) -> None:
        """Take readings of any sources."""
        sequences, epochs, times, _, sources, _, _, qualities, values = zip(*readings, strict=True)
        self._codifiers += "".join(sources).encode()
        self._qualities += bytes(qualities)
        self._epochs.extend(epochs)
        self._sequences.extend(sequences)
        self._times.extend([1000 * ms - _POSTGRES_EPOCH_US for ms in times])
        self._values.extend(values)

    def take(self) -> bytes:
        """Return the rows, and begin anew.

        They are one empty row as often as needed, then each byte of each field put into all.
        """
        size = len(self.form.row)
        rows = bytearray(self.form.row * len(self))
        for column, width, at in (
            (self._codifiers, 2, _CODIFIER_AT),
            (_big_endian(self._times), 8, _TIME_AT),
            (_big_endian(self._epochs), 4, _EPOCH_AT),
            (_big_endian(self._sequences), 4, _SEQUENCE_AT),
            (self._qualities, 1, _QUALITY_AT),
            (_big_endian(self._values), 8, self.form.value_at),
        ):
            for byte in range(width):
                rows[at + byte :: size] = column[byte::width]
        self._begin()
        return bytes(rows)


def _big_endian(numbers: "array[Any]") -> bytes:
    if sys.byteorder == "little":
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
