"""Batches of datagrams through a UDP socket: many of equal size in one call, where Linux can.

Each datagram stays alone on the wire (UDP_SEGMENT, UDP_GRO). Where the system has no such option,
the same verbs make one call each.
"""

import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

Address = tuple[str, int]
Receive = Callable[[memoryview, int, Address], None]
"""Takes a batch, the size of each datagram in it (the last may be shorter), and the sender.

The memory is used again after the call: keep nothing of it.
"""

LINUX: Final = sys.platform == "linux"
# Linux's numbers, which Python 3.11 does not name: linux/udp.h, asm-generic/socket.h
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_SO_RXQ_OVFL: Final = 40
_DONT_WAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)

_MAX_SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS of the kernels in use
_MAX_BATCH: Final = 65_507
_UDP_IP_HEADERS: Final = 28  # IPv4 and UDP; IPv6 needs 48, so its margin below
_BATCHES_A_TURN: Final = 64
"""Batches read before the loop may look elsewhere, so that a busy bus starves nobody."""
_NO_SEGMENTS: Final = frozenset({errno.EINVAL, errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
_U16: Final = struct.Struct("=H")
_INT: Final = struct.Struct("=i")
_U32: Final = struct.Struct("=I")


class Batches:
    """Sends and reads batches; one for all sockets of one purpose.

    Attributes:
        received: datagrams that came.
    """

    def __init__(self, family: socket.AddressFamily, mtu: int = 1500) -> None:
        self.received = 0
        self._largest = mtu - _UDP_IP_HEADERS - 20 * (family == socket.AF_INET6)
        self._segments = LINUX
        self._drops: dict[int, int] = {}
        self._dropped_before = 0
        self._buffer = memoryview(bytearray(65_536 + 8))

    @property
    def overflowed(self) -> int:
        """Datagrams dropped by this machine's own full receive buffers."""
        return self._dropped_before + sum(self._drops.values())

    def forget_sockets(self) -> None:
        """Keep the count of drops of sockets that are closed now."""
        self._dropped_before = self.overflowed
        self._drops.clear()

    def send(
        self, outs: Sequence[socket.socket], datagrams: Sequence[bytes], to: Sequence[Any]
    ) -> int:
        """Send datagrams in order through each socket, to its address; return how many left."""
        if len(datagrams) == 1:
            return _send_one(outs, datagrams[0], to)
        left = 0
        for group in _equal_sizes(datagrams, self._largest):
            if len(group) == 1 or not self._segments:
                left += sum(_send_one(outs, datagram, to) for datagram in group)
            else:
                left += self._send_group(outs, group, to)
        return left

    def read(self, readable: socket.socket, receive: Receive) -> None:
        """Hand what waits in `readable` to `receive`, at most a turn's worth."""
        buffer = self._buffer
        for _ in range(_BATCHES_A_TURN):
            try:
                length, ancillary, _, sender = readable.recvmsg_into([buffer], 64, _DONT_WAIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                return  # the interface went away; the watch opens us again
            size = length
            for level, kind, data in ancillary:
                if level == socket.IPPROTO_UDP and kind == _UDP_GRO:
                    (size,) = _INT.unpack_from(data)
                elif level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                    (self._drops[readable.fileno()],) = _U32.unpack_from(data)
            self.received += -(-length // size) if size else 1
            receive(buffer[:length], size, _address(sender))

    def _send_group(
        self, outs: Sequence[socket.socket], group: Sequence[bytes], to: Sequence[Any]
    ) -> int:
        batch = b"".join(group)
        size = [(socket.IPPROTO_UDP, _UDP_SEGMENT, _U16.pack(len(group[0])))]
        for position, (out, address) in enumerate(zip(outs, to, strict=True)):
            try:
                out.sendmsg([batch], size, 0, address)
            except OSError as error:
                if error.errno in _NO_SEGMENTS and position == 0:
                    self._segments = False
                    return sum(_send_one(outs, datagram, to) for datagram in group)
                return 0
        return len(group) if outs else 0


def prepare(receiver: socket.socket, buffer_size: int) -> None:
    """Set a socket up to be read in batches, with its drops counted."""
    receiver.setblocking(False)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_size)
    if LINUX:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        with contextlib.suppress(OSError):  # before Linux 5.0
            receiver.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)


def keep_on_link(out: socket.socket, ttl: int) -> None:
    """Have what a socket sends to single addresses go no further than the bus goes.

    `ttl` is that of the bus; at 0 it would reach nobody, so it is 1 at least. A request with a
    forged sender then makes no answer that passes a router.
    """
    if out.family == socket.AF_INET:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, max(1, ttl))
    else:
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, max(1, ttl))


def _send_one(outs: Sequence[socket.socket], datagram: bytes, to: Sequence[Any]) -> int:
    left = bool(outs)
    for out, address in zip(outs, to, strict=True):
        try:
            out.sendto(datagram, address)
        except OSError:
            left = False
    return int(left)


def _equal_sizes(datagrams: Sequence[bytes], largest: int) -> Iterator[Sequence[bytes]]:
    """Cut `datagrams` into runs that one UDP_SEGMENT call can carry."""
    start = 0
    while start < len(datagrams):
        size = len(datagrams[start])
        most = min(_MAX_SEGMENTS, _MAX_BATCH // size) if 0 < size <= largest else 1
        end = start + 1
        while end < len(datagrams) and end - start < most and len(datagrams[end]) == size:
            end += 1
        yield datagrams[start:end]
        start = end


def _address(sender: Any) -> Address:  # noqa: ANN401
    """Return host and port; an IPv6 address of link scope keeps its interface."""
    if len(sender) > 3 and sender[3] and "%" not in sender[0]:
        return f"{sender[0]}%{sender[3]}", sender[1]
    return sender[0], sender[1]
