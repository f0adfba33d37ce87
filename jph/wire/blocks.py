"""Many readings as datagrams at once: columns to bytes, and what goes together. Pure.

A block is what one call can send: datagrams of equal size. On the wire each is alone.
"""

import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, Final, NamedTuple

from jph.errors import EncodeError
from jph.wire.codec import EVERY_NODE, HEADER_SIZE, MESSAGES, NUMBERS, VERSION, write_head

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
