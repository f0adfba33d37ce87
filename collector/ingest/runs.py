"""Readings in the order they came: runs of one source, columns of numbers, lists. Pure.

They stay in these parts on their way to PostgreSQL if possible: no function here makes a Python
call per reading.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Final, overload

from collector.ingest.columns import READING_BYTES, Columns, has_originals, kind_of
from jph.wire.codec import Reading
from jph.wire.columns import Readings

_LONGEST: Final = 4096
"""Readings of one part at most: a part is processed in one C call, which blocks the loop."""
_TUPLE_BYTES: Final = 400
"""Memory of a reading as a tuple with its integers, strings and value, beside its text."""
_RUN_BYTES: Final = 400
_RUN_READING_BYTES: Final = 36

flag_of: Final = itemgetter(Reading._fields.index("flag"))
_timestamp_of: Final = itemgetter(Reading._fields.index("timestamp_ms"))
_value_of: Final = itemgetter(Reading._fields.index("value"))


class MixedReadings(Sequence[Reading]):
    """Readings in the order they came.

    Attributes:
        parts: each `Readings`, `Columns` or a list.
        bytes: the memory they take, about.
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
            # the order of an original program's readings matters, whatever their values
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
    """Return the number of announcements (a new sequence without a value); only lists have any."""
    return sum(
        list(map(flag_of, part)).count("n")
        for part in uniform_parts(readings)
        if not isinstance(part, Readings | Columns)
    )


def memory_of(readings: Sequence[Reading]) -> int:
    """Return the memory that readings take, about."""
    if isinstance(readings, MixedReadings):
        return readings.bytes
    if isinstance(readings, Readings):
        return _RUN_BYTES + _RUN_READING_BYTES * len(readings)
    taken = _TUPLE_BYTES * len(readings)
    if not {"s", "j"}.isdisjoint(map(flag_of, readings)):
        taken += sum(len(text) for text in map(_value_of, readings) if isinstance(text, str))
    return taken
