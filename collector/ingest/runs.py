"""Very many readings as they came: runs of one source, numbers by columns, lists of any. Pure.

They are not taken apart again on their way to PostgreSQL unless they must be: nothing that is done
here costs a call of Python a reading.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Final, overload

from collector.ingest.columns import READING_BYTES, Columns, has_originals, kind_of
from jph.wire.codec import Reading
from jph.wire.columns import Readings

_LONGEST: Final = 4096
"""Longer ones would keep the loop waiting where all of a part is done in one call of C."""
_TUPLE_BYTES: Final = 400
"""What a reading takes as it is, beside its text: the tuple, its integers, strings and value."""
_RUN_BYTES: Final = 400
_RUN_READING_BYTES: Final = 36

flag_of: Final = itemgetter(Reading._fields.index("flag"))
_timestamp_of: Final = itemgetter(Reading._fields.index("timestamp_ms"))
_value_of: Final = itemgetter(Reading._fields.index("value"))


class MixedReadings(Sequence[Reading]):
    """Readings in the order they came.

    Attributes:
        parts: each `Readings`, `Columns` or a list.
        bytes: about as much memory as they take.
    """

    __slots__ = ("_count", "_span", "bytes", "parts")

    def __init__(self) -> None:
        self.parts: list[Sequence[Reading]] = []
        self.bytes = 0
        self._count = 0
        self._span: tuple[int, int] | None = None

    def add(self, readings: Sequence[Reading]) -> int:
        """Take readings in; return about the bytes of memory that they take."""
        before = self.bytes
        if isinstance(readings, Readings):
            self.parts.append(readings)
            self.bytes += memory_of(readings)
        elif (kind := kind_of(readings)) is None or has_originals(readings):
            # of an original program the order matters, whatever its values are
            self._list(readings)
            self.bytes += memory_of(readings)
        else:
            self._columns(kind).add(readings)
            self.bytes += READING_BYTES * len(readings)
        self._count += len(readings)
        self._span = None
        return self.bytes - before

    def _list(self, readings: Sequence[Reading]) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, list) and len(last) < _LONGEST:
            last += readings
        else:
            self.parts.append(list(readings))

    def _columns(self, kind: str) -> Columns:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Columns) and last.kind == kind and len(last) < _LONGEST:
            return last
        columns = Columns(kind)
        self.parts.append(columns)
        return columns

    def span_ms(self) -> tuple[int, int]:
        """Return the earliest and the latest timestamp, ms; there must be readings."""
        if self._span is None:
            firsts, lasts = zip(*map(span_ms, self.parts), strict=True)
            self._span = min(firsts), max(lasts)
        return self._span

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Reading]:
        return chain.from_iterable(self.parts)

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> list[Reading]: ...
    def __getitem__(self, index: int | slice) -> Reading | list[Reading]:
        return list(self)[index]


def uniform_parts(readings: Sequence[Reading]) -> Sequence[Sequence[Reading]]:
    """Return the parts of readings, none of them empty."""
    if isinstance(readings, MixedReadings):
        return readings.parts
    return [readings] if readings else []


def span_ms(readings: Sequence[Reading]) -> tuple[int, int]:
    """Return the earliest and the latest timestamp of readings, ms; there must be some."""
    if isinstance(readings, MixedReadings):
        return readings.span_ms()
    times: Iterable[int]
    if isinstance(readings, Readings):
        times = readings.timestamps_ms()
    elif isinstance(readings, Columns):
        times = readings.times_ms
    else:
        times = list(map(_timestamp_of, readings))
    return min(times), max(times)


def announcements(readings: Sequence[Reading]) -> int:
    """Return how many are no readings but say that a sequence is new; only lists have any."""
    return sum(
        list(map(flag_of, part)).count("n")
        for part in uniform_parts(readings)
        if not isinstance(part, Readings | Columns)
    )


def memory_of(readings: Sequence[Reading]) -> int:
    """Return about the bytes of memory that readings take."""
    if isinstance(readings, MixedReadings):
        return readings.bytes
    if isinstance(readings, Readings):
        return _RUN_BYTES + _RUN_READING_BYTES * len(readings)
    taken = _TUPLE_BYTES * len(readings)
    if not {"s", "j"}.isdisjoint(map(flag_of, readings)):
        taken += sum(len(text) for text in map(_value_of, readings) if isinstance(text, str))
    return taken
