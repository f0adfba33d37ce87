"""Ranges of sequences: how unicast messages code them, and the part of them in a clip. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from jph.errors import DecodeError
from jph.wire.codec import SEQUENCE_LIMIT

MAX_RANGES: Final = 4096
"""Ranges in one message; a usual datagram has room for about 400."""
Interval = tuple[int, int]
"""First sequence and count."""


def encode_ranges(ranges: Sequence[Interval], end: int) -> bytes:
    """Write each range as its distance from the one before, first from `end`, and its count."""
    body = bytearray()
    for first, count in ranges:
        body += _leb128((first - end) % SEQUENCE_LIMIT)
        body += _leb128(count)
        end = first + count
    return bytes(body)


def decode_ranges(octets: bytes | memoryview, end: int) -> Iterator[Interval]:
    """Return the ranges that distances and counts describe, from `end` on.

    Raises:
        DecodeError: there are too many, or a count is missing.
    """
    numbers = _read_leb128(octets)
    if len(numbers) % 2 or len(numbers) > 2 * MAX_RANGES:
        raise DecodeError("length", f"a unicast message with {len(numbers)} numbers of ranges")
    for skip, count in zip(numbers[::2], numbers[1::2], strict=True):
        yield (end + skip) % SEQUENCE_LIMIT, count
        end += skip + count


def _leb128(number: int) -> bytes:
    """Write 7 bits a byte, lowest first; the high bit says that more follow (DWARF 5, 7.6)."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _read_leb128(octets: bytes | memoryview) -> list[int]:
    """Read LEB128 numbers below 2³¹.

    Raises:
        DecodeError: one is larger, or cut off.
    """
    numbers, number, shift = [], 0, 0
    for octet in octets:
        number |= (octet & 0x7F) << shift
        shift += 7
        if number >= SEQUENCE_LIMIT or shift > 35:
            raise DecodeError("value", "a unicast message with a number out of bounds")
        if octet < 0x80:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise DecodeError("length", "a unicast message that ends within a number")
    return numbers


def clipped(ranges: Sequence[Interval], clip: Interval) -> list[Interval]:
    """Return the parts of ranges of sequences that lie in a clip."""
    start, size = clip
    parts = []
    for first, count in ranges:
        offset = (first - start + SEQUENCE_LIMIT // 2) % SEQUENCE_LIMIT - SEQUENCE_LIMIT // 2
        left, right = max(offset, 0), min(offset + count, size)
        if left < right:
            parts.append(((start + left) % SEQUENCE_LIMIT, right - left))
    return parts
