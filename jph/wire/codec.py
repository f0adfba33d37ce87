"""The datagrams of both buses: bytes to messages and back. Pure: no socket, clock or loop.

One datagram is one message, little-endian, 28 bytes and then the payload:

     0        4        8                 16 17    19    21 22 23 24        28
    ┌────────┬────────┬─────────────────┬──┬─────┬─────┬──┬──┬──┬─────────┬─────────
    │sequence│ epoch  │  timestamp ms   │fl│from │ to  │ve│qu│ 0│ length  │ payload…
    └────────┴────────┴─────────────────┴──┴─────┴─────┴──┴──┴──┴─────────┴─────────

`epoch` (new at each start of the sender), `version` and `quality` are where programs of the first
generation have padding: 0 there means an original program, which ignores them when it receives.

A control payload is a number and whether the sender's data is active (`<d?`); its `quality` has bit
0 where the sender cannot write its files, bit 1 where its store refuses. The flag of a data message
names its payload:

    n  u32      the sequence from here on is new
    i  u32      f  float32      s  u32 length + UTF-8      j  u32 length + JSON with a "value"
    q  int64    d  float64      (the original does not know these two)
"""

import json
import struct
from collections.abc import Callable
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

from jph.errors import DecodeError, EncodeError

T = TypeVar("T")

EVERY_NODE: Final = "@@"
VERSION: Final = 1
SEQUENCE_LIMIT: Final = 2**31
"""Sequences run from 0 to one below this, then start again at 0."""
MAX_DATAGRAM: Final = 65_507
"""Payload of the largest UDP datagram over IPv4, bytes."""

_HEADER = struct.Struct("<IIQ8sI")
"""Sequence, epoch, timestamp, what a source's messages have in common (the head), length."""
_HEAD = struct.Struct("<1s2s2sBBx")
HEADER_SIZE: Final = _HEADER.size
_CONTROL = struct.Struct("<d?")
_DISK_FULL = 1
_NOT_STORING = 2
_U32 = struct.Struct("<I")
NUMBERS: Final = {
    "n": _U32,
    "i": _U32,
    "q": struct.Struct("<q"),
    "f": struct.Struct("<f"),
    "d": struct.Struct("<d"),
}
"""The data flags that carry a number, with its format."""
MESSAGES: Final = {
    flag: struct.Struct(_HEADER.format + number.format[1:]) for flag, number in NUMBERS.items()
}
"""Header and number of a whole datagram, by flag."""
_HEADS_KEPT: Final = 4096
_CODIFIER_BYTES: Final = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")

Value = int | float | str
"""The value of a reading: an integer, a float, or text (JSON stays text, exactly as sent)."""


class Flag(StrEnum):
    """The control flags; each comment names the payload's number."""

    NEW = "N"  # my control sequence is new; time my config was loaded, ms
    ALIVE = "I"  # time my config was loaded, ms
    PING = "P"  # any number, which the answer repeats
    TIME = "T"  # the ping's number
    START = "S"
    HALT = "H"
    RELOAD = "C"
    SET = "A"  # the value to take
    STEP = "E"  # by how much to change
    REPEAT = "R"  # first sequence × 2**20 + count


_CONTROL_FLAGS: Final = frozenset(str(flag) for flag in Flag)


class Quality(IntEnum):
    """Reliability of a reading."""

    GOOD = 0
    STALE = 1
    IMPLAUSIBLE = 2
    ESTIMATED = 3
    SIMULATED = 4


class Dialect(StrEnum):
    """The data flags that a sender may use."""

    JPH = "jph"
    MULTI_SENSOR = "multi-sensor"  # only flags the original programs know


class Json(str):
    """Text that is a JSON object and travels with the flag `j`."""

    __slots__ = ()


class Control(NamedTuple):
    """A message of the control bus.

    `disk_full` is whether the sender cannot write its files, `not_storing` whether a cache or a
    collector cannot write to its store. They travel where a reading has its quality; programs that
    do not know them ignore them.
    """

    sequence: int
    epoch: int
    timestamp_ms: int
    flag: str
    source: str
    to: str
    version: int
    number: float
    active: bool
    disk_full: bool = False
    not_storing: bool = False


class Reading(NamedTuple):
    """A message of the data bus: one value of one codifier at one millisecond."""

    sequence: int
    epoch: int
    timestamp_ms: int
    flag: str
    source: str
    to: str
    version: int
    quality: int
    value: Value

    @property
    def number(self) -> float | None:
        """The value as a number (of JSON, its `"value"`), or None where it has none."""
        if self.flag in "iqfd":
            return self.value  # type: ignore[return-value]  # these flags carry numbers only
        if self.flag != "j":
            return None
        try:
            value = json.loads(str(self.value)).get("value")
            return float(value) if isinstance(value, int | float) else None
        except (ValueError, AttributeError, RecursionError, OverflowError):
            return None  # whole numbers of JSON have no end


def is_codifier(text: str) -> bool:
    """Whether `text` is two characters of 0-9 and A-Z."""
    return len(text) == 2 and text.isascii() and _CODIFIER_BYTES.issuperset(text.encode())


def next_sequence(sequence: int) -> int:
    """Return the sequence after this one."""
    return (sequence + 1) % SEQUENCE_LIMIT


def decode_control(datagram: bytes | memoryview) -> Control:
    """Read a datagram of the control bus.

    Raises:
        DecodeError: it is not a control message.
    """
    sequence, epoch, timestamp, flag, source, to, version, state, payload = split(datagram)
    if len(payload) != _CONTROL.size:
        raise DecodeError("length", f"control payload of {len(payload)} bytes, not 9")
    if flag not in _CONTROL_FLAGS:
        raise DecodeError("flag", f"unknown control flag {flag!r}")
    number, active = _CONTROL.unpack(payload)
    return Control(
        *(sequence, epoch, timestamp, flag, source, to, version, number, active),
        disk_full=bool(state & _DISK_FULL),
        not_storing=bool(state & _NOT_STORING),
    )


def decode_data(datagram: bytes | memoryview) -> Reading:
    """Read a datagram of the data bus.

    Raises:
        DecodeError: it is not a reading.
    """
    size = len(datagram) - HEADER_SIZE
    if size < 0:
        raise _short(datagram)
    sequence, epoch, timestamp, head, length = _HEADER.unpack_from(datagram)
    if length != size:
        raise _other_length(size, length)
    flag, source, to, version, quality = read_head(head)
    value: Value
    if number := NUMBERS.get(flag):
        if size != number.size:
            raise DecodeError("length", f"payload of {size} bytes behind flag {flag!r}")
        (value,) = number.unpack_from(datagram, HEADER_SIZE)
    elif flag in "sj":
        value = _decode_text(datagram[HEADER_SIZE:])
    else:
        raise DecodeError("flag", f"unknown data flag {flag!r}")
    # Reading(…) would take three times as long
    fields = (sequence, epoch, timestamp, flag, source, to, version, quality, value)
    return tuple.__new__(Reading, fields)


def decode_batch(
    decode: Callable[[memoryview], T],
    batch: bytes | memoryview,
    size: int,
    refuse: Callable[[DecodeError], None],
) -> list[T]:
    """Read the datagrams of `size` bytes each (the last may be shorter) that lie in `batch`.

    Each bad one is passed to `refuse`; the others are read.
    """
    view = memoryview(batch)
    messages = []
    for start in range(0, len(view) or 1, size or 1):
        try:
            messages.append(decode(view[start : start + size]))
        except DecodeError as error:
            refuse(error)
    return messages


def encode_control(message: Control) -> bytes:
    """Write a control message.

    Raises:
        EncodeError: a field does not fit the wire.
    """
    try:
        payload = _CONTROL.pack(message.number, message.active)
    except struct.error as error:
        raise EncodeError(f"{message}: {error}") from error
    state = _DISK_FULL * message.disk_full | _NOT_STORING * message.not_storing
    return join(message, state, payload)


def encode_data(reading: Reading) -> bytes:
    """Write a reading with the flag it names.

    Raises:
        EncodeError: the value does not fit the flag, or a field the wire.
    """
    return encode_fields(*reading)


def encode_fields(
    sequence: int,
    epoch: int,
    timestamp_ms: int,
    flag: str,
    source: str,
    to: str,
    version: int,
    quality: int,
    value: Value,
) -> bytes:
    """Write a reading from its fields.

    Raises:
        EncodeError: the value does not fit the flag, or a field the wire.
    """
    head = write_head(flag, source, to, version, quality)
    try:
        if number := MESSAGES.get(flag):
            size = number.size - HEADER_SIZE
            return number.pack(sequence, epoch, timestamp_ms, head, size, value)
        if flag not in ("s", "j") or not isinstance(value, str):
            raise EncodeError(f"{source}: no flag {flag!r} for such a value: {value!r}")
        text = value.encode()
        _check_size(_U32.size + len(text))
        header = _HEADER.pack(sequence, epoch, timestamp_ms, head, _U32.size + len(text))
    except (struct.error, OverflowError, UnicodeEncodeError) as error:
        raise EncodeError(f"{source} with flag {flag!r}: {value!r}: {error}") from error
    return header + _U32.pack(len(text)) + text


def express(value: Value | bool, dialect: Dialect = Dialect.JPH) -> tuple[str, Value]:
    """Choose the flag that carries `value`, and the value as that flag takes it.

    In the `multi-sensor` dialect a float is rounded to 32 bits, and an integer that is not a u32
    becomes JSON.

    Raises:
        EncodeError: no flag can carry it.
    """
    if type(value) is float:
        return ("f" if dialect is Dialect.MULTI_SENSOR else "d"), value
    if isinstance(value, int):
        if 0 <= value < 2**32:
            return "i", int(value)
        if dialect is Dialect.MULTI_SENSOR:
            return "j", f'{{"value": {value}}}'
        if -(2**63) <= value < 2**63:
            return "q", value
        raise EncodeError(f"{value} does not fit 64 bits")
    if isinstance(value, float):
        return express(float(value), dialect)
    if isinstance(value, str):
        return ("j" if isinstance(value, Json) else "s"), str(value)
    raise EncodeError(f"a {type(value).__name__} cannot be sent: {value!r}")


Head = tuple[str, str, str, int, int]
"""Flag, source, destination, version, quality."""
Fields = tuple[int, int, int, str, str, str, int, int, bytes | memoryview]
"""Sequence, epoch, timestamp in ms, flag, source, destination, version, quality, payload."""


def split(datagram: bytes | memoryview) -> Fields:
    """Split header and payload, and check what both buses have in common.

    Raises:
        DecodeError: it is not one of our messages.
    """
    size = len(datagram) - HEADER_SIZE
    if size < 0:
        raise _short(datagram)
    sequence, epoch, timestamp, head, length = _HEADER.unpack_from(datagram)
    if length != size:
        raise _other_length(size, length)
    return (sequence, epoch, timestamp, *read_head(head), datagram[HEADER_SIZE:])


def _short(datagram: bytes | memoryview) -> DecodeError:
    return DecodeError("short", f"{len(datagram)} bytes, a header has {HEADER_SIZE}")


def _other_length(size: int, length: int) -> DecodeError:
    return DecodeError("length", f"{size} bytes of payload, the header says {length}")


@lru_cache(_HEADS_KEPT)
def read_head(head: bytes) -> Head:
    """Read bytes 16 to 23 of a datagram; they seldom change, so the result is cached.

    Raises:
        DecodeError: they are not those of one of our messages.
    """
    flag, source, to, version, quality = _HEAD.unpack(head)
    if version > VERSION:
        raise DecodeError("version", f"wire version {version}, this program knows {VERSION}")
    if not _CODIFIER_BYTES.issuperset(source):
        raise DecodeError("codifier", f"source {source!r} is not a codifier")
    if to != b"@@" and not _CODIFIER_BYTES.issuperset(to):
        raise DecodeError("codifier", f"destination {to!r} is not a codifier")
    if not flag.isalpha():
        raise DecodeError("flag", f"flag {flag!r} is not a letter")
    return flag.decode(), source.decode(), to.decode(), version, quality


@lru_cache(_HEADS_KEPT)
def write_head(flag: str, source: str, to: str, version: int, quality: int) -> bytes:
    """Write bytes 16 to 23 of a datagram.

    Raises:
        EncodeError: a field does not fit the wire.
    """
    if not is_codifier(source):
        raise EncodeError(f"{source!r} is not a codifier")
    if to != EVERY_NODE and not is_codifier(to):
        raise EncodeError(f"{to!r} is neither a codifier nor {EVERY_NODE}")
    try:
        return _HEAD.pack(flag.encode("ascii"), source.encode(), to.encode(), version, quality)
    except (struct.error, UnicodeEncodeError) as error:
        fields = (flag, source, to, version, quality)
        raise EncodeError(f"a message with the head {fields}: {error}") from error


def _decode_text(payload: bytes | memoryview) -> str:
    if len(payload) < _U32.size or _U32.unpack_from(payload)[0] != len(payload) - _U32.size:
        raise DecodeError("length", "text of another length than it says")
    try:
        return str(payload[_U32.size :], "utf-8")
    except UnicodeDecodeError as error:
        raise DecodeError("text", f"text that is not UTF-8: {error}") from error


def _check_size(payload: int) -> None:
    if payload > MAX_DATAGRAM - HEADER_SIZE:
        raise EncodeError(f"{payload} bytes do not fit one datagram")


def join(message: Control | Reading, quality: int, payload: bytes) -> bytes:
    """Put the header of `message` before a payload.

    Raises:
        EncodeError: a field does not fit the wire.
    """
    head = write_head(message.flag, message.source, message.to, message.version, quality)
    _check_size(len(payload))
    try:
        header = _HEADER.pack(
            message.sequence, message.epoch, message.timestamp_ms, head, len(payload)
        )
    except struct.error as error:
        raise EncodeError(f"{message}: {error}") from error
    return header + payload
