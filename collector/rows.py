"""Readings as rows of PostgreSQL's binary COPY format, batch by batch. Pure.

Format: PostgreSQL documentation, COPY, "Binary Format"; timestamps are µs since 2000-01-01 UTC.
A binary row is quicker to make than a text one and needs no escapes, so that a value arrives as it
was sent. Two values cannot: text with a NUL, which PostgreSQL has no room for, is stored with
U+2400 in its place, and what travelled as JSON but is none is stored as text. Both become
IMPLAUSIBLE.
"""

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final, NamedTuple

import msgspec

from jph.wire import SEQUENCE_LIMIT, Quality, Reading

COLUMNS: Final = (
    *("codifier", "timestamp", "epoch", "sequence", "quality"),
    *("value_real", "value_integer", "value_text", "value_json"),
)
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER: Final = struct.pack(">h", -1)
LAST_MS: Final = 253_402_300_799_999
"""The last ms of the year 9999; programs that read the table know no later ones."""
BATCH_ROWS: Final = 8192
"""A full batch: enough that the cost of a transaction does not count."""
DAY_MS: Final = 86_400_000

_DAY_0: Final = date(1970, 1, 1).toordinal()
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
_START: Final = ">hi2siqiqiqih"  # count of columns, then length and content of each
_REAL: Final = struct.Struct(_START + "idiii")
_INTEGER: Final = struct.Struct(_START + "iiqii")
_TEXT: Final = struct.Struct(_START + "iii")
_COUNT: Final = struct.Struct(">h")
_LENGTH: Final = struct.Struct(">i")
_NULL: Final = -1
_WIDTH: Final = len(COLUMNS)


class Mark(NamedTuple):
    """The newest reading of a source: what is durable when its batch is."""

    epoch: int
    sequence: int
    timestamp_ms: int


class Batch:
    """Rows that will be stored together, and what their transaction must know.

    Attributes:
        data: the rows, without header and trailer.
        rows: how many.
        days: the days (since 1970, UTC) they fall on.
        marks: the newest reading by source.
        closed: whether it takes no more rows.
    """

    __slots__ = ("closed", "data", "days", "marks", "rows")

    def __init__(self) -> None:
        self.data = bytearray()
        self.rows = 0
        self.days: set[int] = set()
        self.marks: dict[str, Mark] = {}
        self.closed = False

    def add(self, reading: Reading) -> None:
        """Append the row of one reading."""
        self.data += encode(reading)
        self.rows += 1
        self.days.add(reading.timestamp_ms // DAY_MS)
        epoch, sequence, source = reading.epoch, reading.sequence, reading.source
        known = self.marks.get(source)
        if (
            known is None
            or known.epoch != epoch
            or (sequence - known.sequence) % SEQUENCE_LIMIT < SEQUENCE_LIMIT // 2
        ):
            self.marks[source] = Mark(epoch, sequence, reading.timestamp_ms)

    def halves(self) -> "tuple[Batch, Batch]":
        """Return the first and the second half; the marks go with the second."""
        rows = self.rows // 2
        middle = _offset(self.data, rows)
        first, second = Batch(), Batch()
        first.data, first.rows, first.days = self.data[:middle], rows, self.days
        second.data, second.rows, second.days = self.data[middle:], self.rows - rows, self.days
        second.marks = self.marks
        return first, second


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


def _offset(data: bytearray, rows: int) -> int:
    """Return where in `data` the row after the first `rows` begins."""
    at = 0
    for _ in range(rows):
        at += _COUNT.size
        for _ in range(_WIDTH):
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size + max(length, 0)
    return at


class Buffer:
    """Readings that wait for PostgreSQL, in the order they came; bounded.

    Attributes:
        rows: how many wait.
        dropped: how many were dropped, the oldest first, because the buffer was full.
        refused: how many have a time that PostgreSQL's readers do not know.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._batches: deque[Batch] = deque()
        self.rows = 0
        self.dropped = 0
        self.refused = 0

    def add(self, readings: Iterable[Reading]) -> None:
        """Take readings in; announcements are none."""
        batch = self._open()
        for reading in readings:
            if reading.flag == "n":
                continue
            if reading.timestamp_ms > LAST_MS:
                self.refused += 1
                continue
            before = len(batch.data)
            batch.add(reading)
            self.rows += 1
            self._bytes += len(batch.data) - before
            if batch.rows >= BATCH_ROWS:
                batch.closed = True
                batch = self._open()
        self._make_room()

    @property
    def full_batch(self) -> bool:
        """Whether there is a batch that will not grow any more."""
        return bool(self._batches) and self._batches[0].closed

    def take(self) -> Batch | None:
        """Return the oldest batch, which is the caller's from now on; None if there is nothing."""
        if not self.rows:
            return None
        batch = self._batches.popleft()
        batch.closed = True
        self.rows -= batch.rows
        self._bytes -= len(batch.data)
        return batch

    def put_back(self, batch: Batch) -> None:
        """Return a batch that could not be stored to the front."""
        self._batches.appendleft(batch)
        self.rows += batch.rows
        self._bytes += len(batch.data)
        self._make_room()

    def _open(self) -> Batch:
        """Return the batch that takes the next row."""
        if not self._batches or self._batches[-1].closed:
            self._batches.append(Batch())
        return self._batches[-1]

    def _make_room(self) -> None:
        while self._bytes > self._max_bytes and (oldest := self.take()):
            self.dropped += oldest.rows


def months(days: Iterable[int]) -> Iterator[int]:
    """Yield the month of each day: days since 1970 to months since the year 0."""
    for day in days:
        when = date.fromordinal(_DAY_0 + day)
        yield when.year * 12 + when.month - 1
