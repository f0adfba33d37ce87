r"""Encodes and decodes recordings: a row of checksummed frames.

A file is `jphREC1\n` and then frames, little-endian, each

     0  1  2    3          7         11
    ┌──┬──┬────┬──────────┬──────────┬────────
    │F5│6A│kind│  length  │  crc32   │ body …
    └──┴──┴────┴──────────┴──────────┴────────

with the CRC over kind, length and body. A reader that meets damage continues at the next good
frame, so one bad sector costs the frames on it. Kinds:

    C D   a datagram of the control, the data bus: arrival µs u64, port u16, length of the address
          u8, address (4 or 16 bytes), then the datagram as it travels
    E     an event: JSON
    Z     the recording's end was reached (what follows was merged into it later)
"""

import ipaddress
import json
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from jph.util.segments import find_blocks
from jph.wire.codec import MAX_DATAGRAM, Control, Reading, decode_control, decode_data

MAGIC: Final = b"jphREC1\n"
_MARK: Final = b"\xf5j"
_HEAD: Final = struct.Struct("<2scII")
_CHECKED: Final = struct.Struct("<cI")
_ARRIVAL: Final = struct.Struct("<QHB")
_LONGEST_BODY: Final = MAX_DATAGRAM + 64
END: Final = _HEAD.pack(_MARK, b"Z", 0, zlib.crc32(_CHECKED.pack(b"Z", 0)))
_EVENT_MARK: Final = _MARK + b"E"


class RecordedDatagram(NamedTuple):
    """A datagram of the bus `control` or `data`, its arrival (µs since 1970) and its sender."""

    bus: str
    arrival_us: int
    address: str
    port: int
    datagram: bytes

    def message(self) -> Control | Reading:
        """Decode the datagram; `DecodeError` if it is of a later wire version."""
        return (decode_control if self.bus == "control" else decode_data)(self.datagram)


class RecordedEvent(NamedTuple):
    """The reason for a recording: `kind` is `shed`, `alarm` or `loss`."""

    kind: str
    arrival_us: int
    text: str


class RecordDamage(NamedTuple):
    """Bytes of a file that are no frames; a file cut short ends with one."""

    offset: int
    size: int


class RecordEnd(NamedTuple):
    """The recording's end, written on purpose."""

    offset: int


RecordEntry = RecordedDatagram | RecordedEvent | RecordDamage | RecordEnd


def pack_datagram(heard: RecordedDatagram) -> bytes:
    """Return the frame of a datagram."""
    address = _packed(heard.address)
    arrival = _ARRIVAL.pack(heard.arrival_us, heard.port, len(address))
    kind = b"C" if heard.bus == "control" else b"D"
    return _frame(kind, b"".join((arrival, address, heard.datagram)))


def pack_event(event: RecordedEvent) -> bytes:
    """Return the frame of an event."""
    return _frame(b"E", json.dumps(event._asdict()).encode())


def unpack(recording: bytes) -> Iterator[RecordEntry]:
    """Yield the good frames and the damage of a file, in their order. Raises nothing."""
    good = len(MAGIC) if recording.startswith(MAGIC) else 0
    for start, end, entry in find_blocks(recording, _MARK, _read_frame, good):
        if start > good:
            yield RecordDamage(good, start - good)
        good = end
        yield entry
    if len(recording) > good:
        yield RecordDamage(good, len(recording) - good)


def find_events(recording: bytes) -> Iterator[RecordedEvent]:
    """Yield the events only, without decoding the frames between them."""
    for found in find_blocks(recording, _EVENT_MARK, _read_frame, recording.find(_EVENT_MARK)):
        if isinstance(found.block, RecordedEvent):
            yield found.block


def _frame(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(body, zlib.crc32(_CHECKED.pack(kind, len(body))))
    return _HEAD.pack(_MARK, kind, len(body), crc) + body


def _read_frame(recording: bytes, offset: int) -> tuple[RecordEntry, int] | None:
    """Return the entry at `offset` and where the next one is, or None if there is none."""
    start = offset + _HEAD.size
    if start > len(recording):
        return None
    mark, kind, length, crc = _HEAD.unpack_from(recording, offset)
    end = start + length
    if mark != _MARK or length > _LONGEST_BODY or end > len(recording):
        return None
    body = recording[start:end]
    if zlib.crc32(body, zlib.crc32(_CHECKED.pack(kind, length))) != crc:
        return None
    entry = _read_body(kind, body, offset)
    return None if entry is None else (entry, end)


def _read_body(kind: bytes, body: bytes, offset: int) -> RecordEntry | None:
    if kind == b"Z":
        return RecordEnd(offset)
    if kind == b"E":
        try:
            fields = json.loads(body)
            return RecordedEvent(
                str(fields["kind"]), int(fields["arrival_us"]), str(fields["text"])
            )
        except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
            return None
    if kind not in b"CD" or len(body) < _ARRIVAL.size:
        return None
    arrival_us, port, size = _ARRIVAL.unpack_from(body)
    rest = body[_ARRIVAL.size :]
    if size not in (0, 4, 16) or len(rest) < size:
        return None
    bus = "control" if kind == b"C" else "data"
    return RecordedDatagram(bus, arrival_us, _unpacked(rest[:size]), port, rest[size:])


@lru_cache(256)
def _packed(address: str) -> bytes:
    """Return an address's 4 or 16 bytes; nothing for one that is none, as a name would be."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).packed
    except ValueError:
        return b""


@lru_cache(256)
def _unpacked(address: bytes) -> str:
    return str(ipaddress.ip_address(address)) if address else ""
