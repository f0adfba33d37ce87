"""Unicast messages between two programs: requests to resend, their answers, fault injection. Pure.

A unicast message has the header of every message, with the flag `U`, then:

     0       1       2       4            8                16
    ┌───────┬───────┬───────┬────────────┬────────────────┬──────────
    │version│ kind  │   0   │ request id │     cookie     │ body …
    └───────┴───────┴───────┴────────────┴────────────────┴──────────

An answer repeats the request id, a random number: an answer that no request has is dropped. The
cookie proves the address of the asker: without it a source answers a request only with a
challenge, which is not longer than the request and carries the cookie. The bodies are:

    1 resend request   u32 epoch, u32 first and u32 count of the clip, then for each range two
                       LEB128 numbers: distance from the end of the range before (at first from the
                       clip's start) and count; a count of 0 asks for the next sequence
    2 resend report    the same: ranges that are lost; a count of 0 gives the next sequence
    3 resent readings  their datagrams, one after the other
    4 challenge        nothing
    5 epochs request   u32 first row
    6 epochs report    u32 first row, u32 rows in all, then for each row the codifier, u32 epoch,
                       u32 first sequence, u32 sequence after the last, u8 whether the epoch ended
                       in order
    7 faults           u32 epoch of the node, f64 duration in s, f32 loss, duplicate, reorder (0 to
                       1), f32 delay in s, u32 seed, u8 whether the node hears readings

The clip of a request is the interval of sequences that its answer may speak of; a source cuts its
answer to it. Programs of version 0.1.0 use other forms: `jph.retransmit.legacy`.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from jph.errors import DecodeError, EncodeError
from jph.retransmit.ranges import Interval, decode_ranges, encode_ranges
from jph.wire.codec import HEADER_SIZE, MAX_DATAGRAM, SEQUENCE_LIMIT, VERSION, Control, join, split

UNICAST: Final = "U"
UNICAST_VERSION: Final = 1
LEGACY: Final = 0
"""The version of programs that only know the forms of 0.1.0."""
EPOCHS_A_MESSAGE: Final = 90
"""They fit a usual datagram."""
_FLAG_OFFSET: Final = 16
_PREFIX: Final = struct.Struct("<BBHIQ")
_RANGES: Final = struct.Struct("<III")
_ROW: Final = struct.Struct("<I")
_ROWS: Final = struct.Struct("<II")
_SPAN: Final = struct.Struct("<2sIIIB")
_FAULTS: Final = struct.Struct("<Id4fIB")
_LENGTH: Final = struct.Struct("<I")
OVERHEAD: Final = HEADER_SIZE + _PREFIX.size
"""Bytes of a unicast message with an empty body."""
_READINGS_BYTES: Final = 1200
"""Readings of one datagram fill at most so many bytes: it fits every link's MTU."""
LARGEST_RESENT: Final = MAX_DATAGRAM - OVERHEAD
"""Bytes of the largest reading that fits a message; a larger one is resent as it is."""


class Envelope(NamedTuple):
    """Fields that all unicast messages have.

    Attributes:
        epoch: epoch of the sender.
        source: codifier of the sender; to: codifier of the addressed node or element.
        request_id: random number of a request; its answers repeat it.
        cookie: proof of the asker's address; 0 if there is none yet.
    """

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    request_id: int = 0
    cookie: int = 0


class ResendRequest(NamedTuple):
    """Asks for readings of codifier `to` again.

    Attributes:
        wanted_epoch: epoch of the readings; 0 is the present one.
        clip: interval of sequences that the answer may speak of.
        ranges: intervals; one with the count 0 asks for the next sequence of the source.
    """

    envelope: Envelope
    wanted_epoch: int
    clip: Interval
    ranges: tuple[Interval, ...]


class ResendReport(NamedTuple):
    """Names readings of `source` that are lost, and its next sequence (count 0)."""

    envelope: Envelope
    wanted_epoch: int
    clip: Interval
    ranges: tuple[Interval, ...]


class ResentReadings(NamedTuple):
    """Datagrams of readings as they were sent, one after the other."""

    envelope: Envelope
    joined: bytes | memoryview


class Challenge(NamedTuple):
    """Gives the cookie that proves the asker's address."""

    envelope: Envelope


class EpochsRequest(NamedTuple):
    """Asks which earlier epochs the resend log of `to` holds, from a row on."""

    envelope: Envelope
    first: int


class EpochSpan(NamedTuple):
    """An epoch in a resend log: its first sequence, and the sequence after its last.

    Attributes:
        complete: whether the epoch ended in order, so that the log has its last reading.
    """

    codifier: str
    epoch: int
    first: int
    next: int
    complete: bool = False


class EpochsReport(NamedTuple):
    """Lists earlier epochs of a resend log, newest first of each codifier.

    Attributes:
        first: row of the first epoch here; total: rows in all.
    """

    envelope: Envelope
    first: int
    total: int
    spans: tuple[EpochSpan, ...]


class Faults(NamedTuple):
    """Orders a node to lose, duplicate, reorder and delay incoming readings for a time.

    Attributes:
        wanted_epoch: epoch of the node; a node of another epoch ignores the order.
        loss, duplicate, reorder: shares from 0 to 1.
        hears: in the answer, whether the node receives readings at all.
    """

    envelope: Envelope
    wanted_epoch: int
    seconds: float
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_s: float = 0.0
    seed: int = 0
    hears: bool = True


UnicastMessage = (
    ResendRequest
    | ResendReport
    | ResentReadings
    | Challenge
    | EpochsRequest
    | EpochsReport
    | Faults
)
_KINDS: Final[tuple[type[UnicastMessage], ...]] = (
    *(ResendRequest, ResendReport, ResentReadings, Challenge),
    *(EpochsRequest, EpochsReport, Faults),
)


def is_unicast(datagram: bytes | memoryview) -> bool:
    """Whether a datagram is a unicast message of this form."""
    return bytes(datagram[_FLAG_OFFSET : _FLAG_OFFSET + 1]) == b"U"


def encode_unicast(message: UnicastMessage) -> bytes:
    """Write a unicast message.

    Raises:
        EncodeError: a field does not fit the wire.
    """
    envelope = message.envelope
    try:
        prefix = _PREFIX.pack(
            UNICAST_VERSION,
            1 + _KINDS.index(type(message)),
            0,
            envelope.request_id,
            envelope.cookie,
        )
        body = _body(message)
    except (struct.error, OverflowError) as error:
        raise EncodeError(f"{message}: {error}") from error
    # Unicast messages have no place in a bus's count, so their sequence is always 0.
    epoch, timestamp_ms, source, to, *_ = envelope
    header = Control(0, epoch, timestamp_ms, UNICAST, source, to, VERSION, 0.0, True)
    return join(header, 0, prefix + body)


def decode_unicast(datagram: bytes | memoryview) -> UnicastMessage:
    """Read a unicast message.

    Raises:
        DecodeError: it is none, or of a later version.
    """
    _, epoch, timestamp_ms, flag, source, to, _, _, payload = split(datagram)
    if flag != UNICAST or len(payload) < _PREFIX.size:
        raise DecodeError("flag", f"flag {flag!r} with {len(payload)} bytes: no unicast message")
    version, kind, _, request_id, cookie = _PREFIX.unpack_from(payload)
    if version != UNICAST_VERSION:
        raise DecodeError("version", f"unicast version {version}, known is {UNICAST_VERSION}")
    if not 1 <= kind <= len(_KINDS):
        raise DecodeError("kind", f"unknown kind {kind} of unicast message")
    envelope = Envelope(epoch, timestamp_ms, source, to, request_id, cookie)
    return _read(_KINDS[kind - 1], envelope, payload[_PREFIX.size :])


def pack_readings(datagrams: Sequence[bytes]) -> Iterator[bytes]:
    """Join datagrams of readings to bodies that fit a link's MTU; a large reading stays alone."""
    part: list[bytes] = []
    size = 0
    for datagram in datagrams:
        if part and size + len(datagram) > _READINGS_BYTES:
            yield b"".join(part)
            part, size = [], 0
        part.append(datagram)
        size += len(datagram)
    if part:
        yield b"".join(part)


def unpack_readings(joined: bytes | memoryview) -> Iterator[memoryview]:
    """Return the datagrams that `pack_readings` joined.

    Raises:
        DecodeError: a length does not fit.
    """
    view, start = memoryview(joined), 0
    while start < len(view):
        if len(view) - start < HEADER_SIZE:
            raise DecodeError("length", "a resent reading without a whole header")
        (length,) = _LENGTH.unpack_from(view, start + HEADER_SIZE - _LENGTH.size)
        end = start + HEADER_SIZE + length
        if end > len(view):
            raise DecodeError("length", "a resent reading that is cut off")
        yield view[start:end]
        start = end


def _body(message: UnicastMessage) -> bytes:
    if isinstance(message, ResendRequest | ResendReport):
        return _write_ranges(message.wanted_epoch, message.clip, message.ranges)
    if isinstance(message, ResentReadings):
        return bytes(message.joined)
    if isinstance(message, EpochsRequest):
        return _ROW.pack(message.first)
    if isinstance(message, EpochsReport):
        rows = [_SPAN.pack(code.encode(), *numbers) for code, *numbers in message.spans]
        return _ROWS.pack(message.first, message.total) + b"".join(rows)
    if isinstance(message, Faults):
        _, *fields, hears = message
        return _FAULTS.pack(*fields, hears)
    return b""


def _read(
    kind: type[UnicastMessage], envelope: Envelope, body: bytes | memoryview
) -> UnicastMessage:
    if kind is ResendRequest or kind is ResendReport:
        return kind(envelope, *_read_ranges(body))
    if kind is ResentReadings:
        return ResentReadings(envelope, body)
    if kind is Challenge:
        return Challenge(envelope)
    if kind is EpochsRequest:
        _check(len(body) == _ROW.size, body)
        return EpochsRequest(envelope, *_ROW.unpack(body))
    if kind is EpochsReport:
        return _read_epochs(envelope, body)
    return _read_faults(envelope, body)


def _check(good: bool, body: bytes | memoryview) -> None:
    if not good:
        raise DecodeError("length", f"a unicast message with a body of {len(body)} bytes")


def _read_epochs(envelope: Envelope, body: bytes | memoryview) -> EpochsReport:
    _check(len(body) >= _ROWS.size and (len(body) - _ROWS.size) % _SPAN.size == 0, body)
    first, total = _ROWS.unpack_from(body)
    return EpochsReport(envelope, first, total, read_spans(_SPAN.iter_unpack(body[_ROWS.size :])))


def read_spans(rows: Iterable[tuple[Any, ...]]) -> tuple[EpochSpan, ...]:
    """Make epochs of the fields of rows.

    Raises:
        DecodeError: a codifier or a sequence is none.
    """
    spans = []
    for code, epoch, first, after, *complete in rows:
        if not code.isalnum() or not code.isascii() or max(first, after) >= SEQUENCE_LIMIT:
            raise DecodeError("value", f"an epoch of {code!r} with wrong fields")
        spans.append(EpochSpan(code.decode(), epoch, first, after, any(complete)))
    return tuple(spans)


def _read_faults(envelope: Envelope, body: bytes | memoryview) -> Faults:
    _check(len(body) == _FAULTS.size, body)
    epoch, seconds, loss, duplicate, reorder, delay_s, seed, hears = _FAULTS.unpack(body)
    faults = Faults(envelope, epoch, seconds, loss, duplicate, reorder, delay_s, seed, bool(hears))
    check_faults(faults)
    return faults


def check_faults(faults: Faults) -> None:
    """Refuse shares outside 0 to 1, and times without end.

    Raises:
        DecodeError: a field is out of bounds.
    """
    if not all(0 <= share <= 1 for share in (faults.loss, faults.duplicate, faults.reorder)):
        raise DecodeError("value", "fault injection with a share that is not from 0 to 1")
    if not all(math.isfinite(each) and each >= 0 for each in (faults.seconds, faults.delay_s)):
        raise DecodeError("value", "fault injection without end")


def _write_ranges(epoch: int, clip: Interval, ranges: Sequence[Interval]) -> bytes:
    return _RANGES.pack(epoch, *clip) + encode_ranges(ranges, clip[0])


def _read_ranges(body: bytes | memoryview) -> tuple[int, Interval, tuple[Interval, ...]]:
    _check(len(body) >= _RANGES.size, body)
    epoch, start, size = _RANGES.unpack_from(body)
    if start >= SEQUENCE_LIMIT or size > SEQUENCE_LIMIT:
        raise DecodeError("value", "a clip outside the sequences")
    return epoch, (start, size), tuple(decode_ranges(body[_RANGES.size :], start))
