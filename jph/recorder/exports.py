"""Converts recordings to rows, JSON lines and packets. Pure."""

import ipaddress
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jph.errors import DecodeError
from jph.recorder.frames import RecordedDatagram, RecordEntry
from jph.wire.codec import Control, Json

COLUMNS: Final = (
    *("arrival_us", "bus", "timestamp_ms", "flag", "source", "destination"),
    *("sequence", "epoch", "quality", "value", "address", "port"),
)
"""Of a row; the value of a control message is its number, its quality is empty."""
_PCAP_HEAD: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
"""pcap, times in µs, packets that begin with their IP header (LINKTYPE_RAW)."""
_PACKET: Final = struct.Struct("<IIII")
_UDP: Final = struct.Struct("!HHHH")
_UDP_PROTOCOL: Final = 17

Row = tuple[Any, ...]


def rows(entries: Iterable[RecordEntry]) -> Iterator[Row]:
    """Yield a row of `COLUMNS` for each message that can be read."""
    for entry in entries:
        if not isinstance(entry, RecordedDatagram):
            continue
        try:
            message = entry.message()
        except DecodeError:
            continue
        quality = None if isinstance(message, Control) else message.quality
        value = message.number if isinstance(message, Control) else message.value
        value = str(value) if isinstance(value, Json) else value
        yield (
            *(entry.arrival_us, entry.bus, message.timestamp_ms, message.flag, message.source),
            *(message.to, message.sequence, message.epoch, quality, value),
            *(entry.address, entry.port),
        )


def pcap(entries: Iterable[RecordEntry], groups: Mapping[str, tuple[str, int]]) -> Iterator[bytes]:
    """Yield a pcap file: each datagram as the UDP packet it was, to the group of its bus.

    `groups` has address and port of `control` and `data`.
    """
    yield _PCAP_HEAD
    for entry in entries:
        if isinstance(entry, RecordedDatagram):
            packet = _packet(entry, groups[entry.bus])
            seconds, us = divmod(entry.arrival_us, 1_000_000)
            yield _PACKET.pack(seconds % 2**32, us, len(packet), len(packet)) + packet


def _packet(entry: RecordedDatagram, group: tuple[str, int]) -> bytes:
    """Return the IP packet of a datagram; a sender that is not known has the address 0."""
    to = ipaddress.ip_address(group[0])
    length = _UDP.size + len(entry.datagram)
    nothing = ipaddress.ip_address(bytes(len(to.packed)))
    address = ipaddress.ip_address(entry.address) if entry.address else nothing
    source = (address if address.version == to.version else nothing).packed
    pseudo = source + to.packed + struct.pack("!II", length, _UDP_PROTOCOL)
    head = _UDP.pack(entry.port, group[1], length, 0)
    check = _checksum(pseudo + head + entry.datagram) or 0xFFFF
    udp = _UDP.pack(entry.port, group[1], length, check) + entry.datagram
    if to.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, _UDP_PROTOCOL, 1) + source + to.packed + udp
    ip = struct.pack("!BBHHHBBH", 0x45, 0, (20 + length) % 2**16, 0, 0, 1, _UDP_PROTOCOL, 0)
    ip += source + to.packed
    return ip[:10] + struct.pack("!H", _checksum(ip)) + ip[12:] + udp


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
