"""Unicast messages in the forms of version 0.1.0, and the plain `R` of the control bus. Pure.

The payload begins as that of a control message, with a number and a bool:

    R  number = first × 2**20 + count, then nothing more (plain), or
       u32 epoch (0: the present one), then for each further range two LEB128 numbers:
       distance from the end of the range before, and count
    L  number = first row, then u32 rows in all, then each row as in `EpochsReport`

A request and its answer have the same form. Resent readings are answered as they were sent. These
forms have neither a request id nor a cookie; `jph.retransmit.messages` holds the present ones.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from jph.errors import DecodeError, EncodeError
from jph.retransmit.messages import EpochSpan, read_spans
from jph.retransmit.ranges import Interval, decode_ranges, encode_ranges
from jph.wire.codec import SEQUENCE_LIMIT, VERSION, Control, join, split

RANGES: Final = "R"
EPOCHS: Final = "L"
MAX_COUNT: Final = 2**20 - 1
"""The largest count that the number of an `R` holds."""
_FLAG_OFFSET: Final = 16
_CONTROL = struct.Struct("<d?")
_U32 = struct.Struct("<I")
_SPAN = struct.Struct("<2sIII")


class LegacyRanges(NamedTuple):
    """Readings of codifier `to` that are requested, or of `source` that are lost.

    Attributes:
        wanted_epoch: epoch of the readings; 0 is the present one.
        plain: whether it is a plain `R`: one range of the present epoch.
    """

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    ranges: tuple[Interval, ...]
    wanted_epoch: int = 0
    plain: bool = False


class LegacyEpochs(NamedTuple):
    """A request for earlier epochs from row `first` on, or the answer with its rows."""

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    first: int
    total: int = 0
    spans: tuple[EpochSpan, ...] = ()


LegacyMessage = LegacyRanges | LegacyEpochs


def is_legacy(datagram: bytes | memoryview) -> bool:
    """Whether a datagram that arrived by unicast is a message of this form."""
    return bytes(datagram[_FLAG_OFFSET : _FLAG_OFFSET + 1]) in (b"R", b"L")


def encode_legacy(message: LegacyMessage) -> bytes:
    """Write a message.

    Raises:
        EncodeError: a field does not fit the wire.
    """
    try:
        if isinstance(message, LegacyRanges):
            flag, payload = RANGES, _write_ranges(message)
        else:
            flag, payload = EPOCHS, _write_epochs(message)
    except (struct.error, OverflowError) as error:
        raise EncodeError(f"{message}: {error}") from error
    epoch, timestamp_ms, source, to = message[:4]
    header = Control(0, epoch, timestamp_ms, flag, source, to, VERSION, 0.0, True)
    return join(header, 0, payload)


def decode_legacy(datagram: bytes | memoryview) -> LegacyMessage:
    """Read a message.

    Raises:
        DecodeError: it is none.
    """
    _, epoch, timestamp_ms, flag, source, to, _, _, payload = split(datagram)
    if len(payload) < _CONTROL.size:
        raise DecodeError("length", f"unicast message with a payload of {len(payload)} bytes")
    number, _ = _CONTROL.unpack_from(payload)
    rest = payload[_CONTROL.size :]
    if flag == RANGES:
        plain, wanted_epoch, ranges = _read_ranges(requested_by(number), rest)
        return LegacyRanges(epoch, timestamp_ms, source, to, ranges, wanted_epoch, plain)
    if flag == EPOCHS:
        return LegacyEpochs(epoch, timestamp_ms, source, to, _row(number), *_read_epochs(rest))
    raise DecodeError("flag", f"a unicast message with the flag {flag!r}")


def requested_by(number: float) -> Interval:
    """Take the number of an `R` apart.

    Raises:
        DecodeError: it is no such number.
    """
    if not 0 <= number < SEQUENCE_LIMIT * 2.0**20 or number != math.floor(number):
        raise DecodeError("value", f"{number} names no sequences")
    return divmod(int(number), 2**20)


def split_long(ranges: Sequence[Interval]) -> list[Interval]:
    """Cut the ranges whose count the number of an `R` cannot hold; sequences wrap."""
    parts = []
    for first, count in ranges:
        while count > MAX_COUNT:
            parts.append((first % SEQUENCE_LIMIT, MAX_COUNT))
            first, count = first + MAX_COUNT, count - MAX_COUNT
        parts.append((first % SEQUENCE_LIMIT, count))
    return parts


def _write_ranges(message: LegacyRanges) -> bytes:
    (first, count), *others = split_long(message.ranges)
    payload = bytearray(_CONTROL.pack(first * 2**20 + count, True))
    if message.plain and not others:
        return bytes(payload)
    payload += _U32.pack(message.wanted_epoch)
    return bytes(payload + encode_ranges(others, first + count))


def _write_epochs(message: LegacyEpochs) -> bytes:
    rows = [_SPAN.pack(code.encode(), *numbers) for code, *numbers, _ in message.spans]
    return _CONTROL.pack(message.first, True) + _U32.pack(message.total) + b"".join(rows)


def _row(number: float) -> int:
    if not 0 <= number < 2**32 or number != math.floor(number):
        raise DecodeError("value", f"{number} is no row")
    return int(number)


def _read_epochs(rest: bytes | memoryview) -> tuple[int, tuple[EpochSpan, ...]]:
    """Return how many rows there are in all, and the rows."""
    if len(rest) < _U32.size or (len(rest) - _U32.size) % _SPAN.size:
        raise DecodeError("length", f"a message 'L' with {len(rest)} bytes after its number")
    return _U32.unpack_from(rest)[0], read_spans(_SPAN.iter_unpack(rest[_U32.size :]))


def _read_ranges(
    first: Interval, rest: bytes | memoryview
) -> tuple[bool, int, tuple[Interval, ...]]:
    """Return whether the message is plain, the epoch, and all ranges."""
    if not rest:
        return True, 0, (first,)
    if len(rest) < _U32.size:
        raise DecodeError("length", f"a message 'R' with {len(rest)} bytes after its number")
    (epoch,) = _U32.unpack_from(rest)
    return False, epoch, (first, *decode_ranges(rest[_U32.size :], sum(first)))
