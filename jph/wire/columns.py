"""Codes many datagrams of the data bus at once, a column at a time. Pure.

A sender's batch is mostly numbers of equal size, often of one source and without a gap. Such a
batch is written and read by columns; any other takes the way of single datagrams
(`jph.wire.codec`), with the same result. On the wire each datagram is alone.
"""

import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, Final, NamedTuple, final, overload

from jph.errors import DecodeError, EncodeError
from jph.wire.codec import (
    EVERY_NODE,
    HEADER_SIZE,
    MESSAGES,
    NUMBERS,
    SEQUENCE_LIMIT,
    VERSION,
    Reading,
    Value,
    decode_batch,
    decode_data,
    read_head,
    write_head,
)

LITTLE_ENDIAN: Final = sys.byteorder == "little"
"""Whether numbers lie in memory as they do on the wire."""
_VALUE_AT: Final = HEADER_SIZE // 4


class Block(NamedTuple):
    """Datagrams of equal size, one after the other."""

    joined: bytes
    size: int

    def datagrams(self) -> list[bytes]:
        """Take the block apart."""
        starts = range(0, len(self.joined), self.size)
        return [self.joined[start : start + self.size] for start in starts]


Piece = tuple[str, Block, int, int]
"""Consecutive datagrams of one source: it, where they lie, from which byte on, and how many."""


class Common(NamedTuple):
    """What the readings of one call have in common."""

    epoch: int
    timestamp_ms: int
    flag: str
    quality: int


def encode_run(common: Common, source: str, first: int, values: Sequence[Any]) -> Block:
    """Write numbers of one source, with sequences from `first` on that do not wrap.

    Raises:
        EncodeError: a value does not fit the flag, or a field the wire.
    """
    number, count = NUMBERS[common.flag], len(values)
    (like,) = encode_numbers(common, [source], [first], [0])
    block = bytearray(like * count)
    words, step = memoryview(block).cast("I"), len(like) // 4
    words[::step] = memoryview(array("I", range(first, first + count)))
    try:
        column = struct.pack(f"<{count}{number.format[1:]}", *values)
    except (struct.error, OverflowError) as error:
        raise EncodeError(f"{source}: {error}") from error
    body, width = memoryview(column).cast("I"), number.size // 4
    for word in range(width):
        words[_VALUE_AT + word :: step] = body[word::width]
    return Block(bytes(block), len(like))


def encode_numbers(
    common: Common, sources: Sequence[str], sequences: Sequence[int], values: Sequence[Any]
) -> list[bytes]:
    """Write numbers of any sources.

    Raises:
        EncodeError: a value does not fit the flag, or a field the wire.
    """
    message = MESSAGES[common.flag]
    heads = {
        source: write_head(common.flag, source, EVERY_NODE, VERSION, common.quality)
        for source in set(sources)
    }
    columns = (
        sequences,
        repeat(common.epoch),
        repeat(common.timestamp_ms),
        map(heads.__getitem__, sources),
        repeat(message.size - HEADER_SIZE),
        values,
    )
    try:
        return list(map(message.pack, *columns))
    except (struct.error, OverflowError) as error:
        raise EncodeError(f"{common}: {error}") from error


def grouped(sent: Sequence[tuple[str, bytes]]) -> tuple[list[Block], Iterator[Piece]]:
    """Put datagrams (source, bytes) of equal size together; a source's keep their order."""
    parts: list[list[bytes]] = []
    of_size: dict[int, list[int]] = {}
    newest: dict[str, int] = {}
    places: list[int] = []
    starts: list[int] = []
    for source, datagram in sent:
        size = len(datagram)
        fitting = of_size.get(size)
        if fitting is None:
            fitting = of_size[size] = []
        place = newest.get(source, 0)
        if not fitting or fitting[-1] < place:
            fitting.append(len(parts))
            parts.append([])
        newest[source] = place = fitting[bisect_left(fitting, place)]
        part = parts[place]
        places.append(place)
        starts.append(size * len(part))
        part.append(datagram)
    blocks = [Block(b"".join(part), len(part[0])) for part in parts]
    sources = (source for source, _ in sent)
    return blocks, zip(sources, map(blocks.__getitem__, places), starts, repeat(1), strict=False)


_FEW: Final = 12
"""Below so many, one by one is quicker."""
_AT_ONCE: Final = 64
_KINDS: Final = {flag: number.format[1:] for flag, number in NUMBERS.items()}
_NUMBER_SIZES: Final = {HEADER_SIZE + number.size: number.size for number in NUMBERS.values()}
_TEXT: Final = {"s", "j"}
_FLAGS: Final = {
    size: _TEXT | {flag for flag, number in NUMBERS.items() if number.size == size - HEADER_SIZE}
    for size in _NUMBER_SIZES
}
"""What may come in datagrams of a size."""
_WORD: Final = struct.Struct("=I")
# Where the fields lie, in 32-bit words, and in bytes: all the numbers have such a size.
_SEQUENCE, _EPOCH, _LENGTH = 0, 1, 6
_COMMON: Final = (_EPOCH, 4, 5)  # epoch, head
_TIMESTAMP_AT, _HEAD_AT, _HEAD_END = 8, 16, 24


@final
class Readings(Sequence[Reading]):
    """Readings of one source and one epoch, without a gap.

    They are kept as they arrived, and decoded when they are used.

    Attributes:
        source, epoch, flag, to, version, quality: what they have in common.
        sequences: their sequences.
    """

    __slots__ = (
        "_block", "epoch", "flag", "quality", "sequences", "source", "to", "version",
    )  # fmt: skip

    def __init__(self, block: bytes, count: int) -> None:
        """Take datagrams that were checked: equal heads, epochs and lengths, no gap."""
        first = decode_data(block[: len(block) // count])
        self._block = block
        self.sequences = range(first.sequence, first.sequence + count)
        self.epoch, self.flag, self.source = first.epoch, first.flag, first.source
        self.to, self.version, self.quality = first.to, first.version, first.quality

    def timestamps_ms(self) -> list[int]:
        """Return the timestamp of each, ms since 1970 UTC."""
        return _column(self._block, self._size, _TIMESTAMP_AT, "Q")

    def values(self) -> list[Any]:
        """Return the value of each: integers or floats, as the flag says."""
        return _column(self._block, self._size, HEADER_SIZE, _KINDS[self.flag])

    @property
    def _size(self) -> int:
        return len(self._block) // len(self.sequences)

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[Reading]:
        return _readings(
            self.sequences,
            repeat(self.epoch),
            self.timestamps_ms(),
            repeat(self.flag),
            repeat(self.source),
            repeat(self.to),
            repeat(self.version),
            repeat(self.quality),
            self.values(),
        )

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Reading]: ...
    def __getitem__(self, index: int | slice) -> Reading | Sequence[Reading]:
        if isinstance(index, slice):
            return list(self)[index]
        start = (self.sequences[index] - self.sequences[0]) * self._size
        return decode_data(self._block[start : start + self._size])


def decode_readings(
    batch: bytes | memoryview, size: int, refuse: Callable[[DecodeError], None]
) -> Sequence[Reading]:
    """Read the datagrams of `size` bytes each (the last may be shorter) that lie in `batch`.

    Each bad one is passed to `refuse`; the others are read.
    """
    view = memoryview(batch)
    if size not in _NUMBER_SIZES or len(view) < _FEW * size or not LITTLE_ENDIAN:
        return decode_batch(decode_data, view, size, refuse)
    whole = len(view) - len(view) % size
    readings = _decode_columns(view[:whole], size)
    if readings is None:
        return decode_batch(decode_data, view, size, refuse)
    if whole < len(view):
        return [*readings, *decode_batch(decode_data, view[whole:], size, refuse)]
    return readings


def _decode_columns(view: memoryview, size: int) -> Sequence[Reading] | None:
    """Read datagrams as long as numbers; None if one of them is none of ours."""
    words, step, count = view.cast("I"), size // 4, len(view) // size
    if words[_LENGTH::step].tobytes() != _WORD.pack(_NUMBER_SIZES[size]) * count:
        return None
    try:
        if _are_consecutive(words, step, count):
            flag = read_head(bytes(view[_HEAD_AT:_HEAD_END]))[0]
            if flag in _FLAGS[size] - {"n", *_TEXT}:
                return Readings(bytes(view), count)
        return _decode_mixed(view, words, size)
    except DecodeError:
        return None


def _are_consecutive(words: memoryview, step: int, count: int) -> bool:
    """Whether heads and epochs are equal, and the sequences follow each other."""
    for at in _COMMON:
        if words[at::step].tobytes() != _WORD.pack(words[at]) * count:
            return False
    first = words[_SEQUENCE]
    if first + count > SEQUENCE_LIMIT:
        return False
    return words[_SEQUENCE::step].tobytes() == array("I", range(first, first + count)).tobytes()


def _decode_mixed(view: memoryview, words: memoryview, size: int) -> list[Reading] | None:
    """Read readings of any sources and flags.

    Raises:
        DecodeError: a head is none of ours.
    """
    heads = _column(view, size, _HEAD_AT, "8s")
    meant = {head: read_head(head) for head in set(heads)}
    fields = map(meant.__getitem__, heads)
    flags, sources, tos, versions, qualities = zip(*fields, strict=True)
    present = {flag for flag, *_ in meant.values()}
    if not present <= _FLAGS[size]:
        return None
    numbers = present - _TEXT
    columns = {flag: _column(view, size, HEADER_SIZE, _KINDS[flag]) for flag in numbers}
    values: Sequence[Value]
    if len(present) == len(numbers) == 1:
        (values,) = columns.values()
    else:
        values = [
            columns[flag][index]
            if flag in columns
            else decode_data(view[index * size : (index + 1) * size]).value
            for index, flag in enumerate(flags)
        ]
    step = size // 4
    sequences, epochs = words[_SEQUENCE::step].tolist(), words[_EPOCH::step].tolist()
    timestamps = _column(view, size, _TIMESTAMP_AT, "Q")
    return list(
        _readings(sequences, epochs, timestamps, flags, sources, tos, versions, qualities, values)
    )


def _readings(*columns: Iterable[Any]) -> Iterator[Reading]:
    """Make readings of their fields' columns, without a call of Python for each."""
    return map(tuple.__new__, repeat(Reading), zip(*columns, strict=False))


def _column(block: bytes | memoryview, size: int, at: int, kind: str) -> list[Any]:
    """Unpack one field of datagrams that are all of one size."""
    one, many = _unpackers(size, at, kind)
    cut = len(block) - len(block) % many.size
    view = memoryview(block)
    fields = chain(many.iter_unpack(view[:cut]), one.iter_unpack(view[cut:]))
    return list(chain.from_iterable(fields))


@lru_cache(32)
def _unpackers(size: int, at: int, kind: str) -> tuple[struct.Struct, struct.Struct]:
    field = f"{at}x{kind}{size - at - struct.calcsize('<' + kind)}x"
    return struct.Struct("<" + field), struct.Struct("<" + _AT_ONCE * field)
