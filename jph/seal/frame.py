"""The sealed frame: a header in the clear, then messages that are encrypted together. Pure.

     0        4        8                 16 17    19    21 22 23   24       28
    ┌────────┬────────┬─────────────────┬──┬─────┬─────┬──┬──┬────┬────────┬──────────────────
    │counter │ epoch  │ms since start   │z │node │ to  │ve│ 0│seal│ length │ messages, tag …
    └────────┴────────┴─────────────────┴──┴─────┴─────┴──┴──┴────┴────────┴──────────────────

`counter` is the lower half of the frame counter of the sender on this bus. `seal` has the number
of the key generation modulo 16 in its upper four bits, the level in the lower ones. A signed frame
ends with 64 bytes of signature over all that is before it. A hello begins its payload with the salt
of the sender's start, its whole counter, the serial of its roster and a tag of all before, in the
clear, and is always signed. A node that lacks the newest key reads the serial; the tag needs the
generation key alone, so the hello of an outsider costs little. A proof has the digests of messages
that were sent in the clear.
"""

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from jph.wire.codec import EVERY_NODE, HEADER_SIZE, VERSION

FLAG: Final = ord("z")
TAG_BYTES: Final = 16
SIGNATURE_BYTES: Final = 64
SALT_BYTES: Final = 16
MAC_BYTES: Final = 8
HELLO_CLEAR: Final = SALT_BYTES + 8 + 4 + MAC_BYTES
"""Bytes in the clear at the begin of a hello: salt, whole counter, serial of the roster, tag."""
DIGEST_BYTES: Final = 8
OVERHEAD: Final = HEADER_SIZE + TAG_BYTES + SIGNATURE_BYTES
_HEADER: Final = struct.Struct("<IIQ1s2s2sBBBI")
_FLAG_AT: Final = 16
_LENGTH_AT: Final = struct.Struct("<I")
_LENGTH_FROM: Final = 24
_NONCE: Final = struct.Struct("<IQ")
_HALF: Final = 2**32


class Level(IntEnum):
    """How a frame proves its sender."""

    GROUP = 1
    SIGNED = 2
    PROOF = 3
    HELLO = 4

    __hash__ = int.__hash__


class Bus(IntEnum):
    """Where a frame travels; each has counters of its own."""

    CONTROL = 1
    DATA = 2
    UNICAST = 3
    LOG = 4

    __hash__ = int.__hash__  # that of an Enum is a function of Python


class Head(NamedTuple):
    """Fields of the header of a frame."""

    counter: int
    epoch: int
    since_start_ms: int
    node: str
    to: str
    generation: int
    level: int
    length: int


def is_frame(datagram: bytes | memoryview) -> bool:
    """Say whether a datagram is a sealed frame."""
    return len(datagram) >= HEADER_SIZE and datagram[_FLAG_AT] == FLAG


def write_header(
    counter: int, epoch: int, since_start_ms: int, node: str, to: str, seal: int, length: int
) -> bytes:
    """Return the header of a frame."""
    return _HEADER.pack(
        *(counter % _HALF, epoch, since_start_ms, b"z", node.encode(), to.encode()),
        *(VERSION, 0, seal, length),
    )


def read_header(datagram: bytes | memoryview) -> Head | None:
    """Return the header of a frame; None if it is none of ours."""
    fields = _HEADER.unpack_from(datagram)
    counter, epoch, since_ms, _, node, to, version, _, seal, length = fields
    if version > VERSION or length != len(datagram) - HEADER_SIZE:
        return None
    codes = _CODES.get(node + to)
    if codes is None:
        codes = _decoded(node, to)
        if codes is None:
            return None
    return Head(counter, epoch, since_ms, *codes, seal >> 4, seal & 15, length)


_CODES: Final[dict[bytes, tuple[str, str]]] = {}
_MOST_CODES: Final = 4096


def _decoded(node: bytes, to: bytes) -> tuple[str, str] | None:
    """Return two codifiers as text, and remember them."""
    try:
        codes = node.decode("ascii"), to.decode("ascii")
    except UnicodeDecodeError:
        return None
    if len(_CODES) >= _MOST_CODES:
        _CODES.clear()
    _CODES[node + to] = codes
    return codes


def seal_byte(generation: int, level: Level) -> int:
    """Return the byte that names generation and level."""
    return (generation % 16) << 4 | level


def nonce(bus: Bus, counter: int) -> bytes:
    """Return the nonce of a frame: no two frames of one key have the same."""
    return _NONCE.pack(bus, counter)


def whole_counter(low: int, highest: int) -> int:
    """Return the counter nearest to the highest one seen that has these lower 32 bits."""
    guess = highest - highest % _HALF + low
    if guess + _HALF // 2 < highest:
        return guess + _HALF
    if guess > highest + _HALF // 2 and guess >= _HALF:
        return guess - _HALF
    return guess


def packed(messages: list[bytes], most: int) -> list[bytes]:
    """Join messages to payloads of at most `most` bytes; a longer message is alone in one."""
    payloads: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for message in messages:
        if waiting and size + len(message) > most:
            payloads.append(b"".join(waiting))
            waiting, size = [], 0
        waiting.append(message)
        size += len(message)
    if waiting:
        payloads.append(b"".join(waiting))
    return payloads


def messages_in(payload: bytes) -> list[bytes] | None:
    """Take a payload apart; None if it does not hold whole messages."""
    found, at = [], 0
    while at < len(payload):
        if at + HEADER_SIZE > len(payload):
            return None
        (length,) = _LENGTH_AT.unpack_from(payload, at + HEADER_SIZE - _LENGTH_AT.size)
        end = at + HEADER_SIZE + length
        if end > len(payload):
            return None
        found.append(payload[at:end])
        at = end
    return found


def one_size(payload: bytes) -> int:
    """Return the size of each message if all in a payload are of one size, else 0."""
    total = len(payload)
    if total < HEADER_SIZE:
        return 0
    size: int = HEADER_SIZE + _LENGTH_AT.unpack_from(payload, _LENGTH_FROM)[0]
    if total == size:
        return size
    if total % size or size % 4:
        return 0
    lengths = memoryview(payload).cast("I")[_LENGTH_FROM // 4 :: size // 4].tobytes()
    return size if lengths == lengths[:4] * (total // size) else 0


def heads(payload: bytes, size: int) -> set[bytes]:
    """Return the different heads (bytes 16 to 23) of messages of one size."""
    if len(payload) == size:
        return {payload[_FLAG_AT:_LENGTH_FROM]}
    if size % 4:
        starts = range(_FLAG_AT, len(payload), size)
        return {payload[start : start + 8] for start in starts}
    words, step, count = memoryview(payload).cast("I"), size // 4, len(payload) // size
    first, second = words[4::step].tobytes(), words[5::step].tobytes()
    if first == first[:4] * count and second == second[:4] * count:
        return {payload[_FLAG_AT:_LENGTH_FROM]}
    pieces = range(0, 4 * count, 4)
    return {first[at : at + 4] + second[at : at + 4] for at in pieces}


def like(head: bytes) -> bytes:
    """Return an empty message with a head."""
    return bytes(_FLAG_AT) + head + bytes(4)


class Fields(NamedTuple):
    """What decides who may send a message."""

    flag: str
    source: str
    to: str


def fields_of(message: bytes | memoryview) -> Fields:
    """Return flag, source and addressee of a message with a whole header."""
    head = bytes(message[_FLAG_AT : _FLAG_AT + 5]).decode("latin-1")
    return Fields(head[:1], head[1:3], head[3:5] or EVERY_NODE)
