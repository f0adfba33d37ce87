"""Batches of datagrams through a UDP socket: many of equal size in one call, on Linux.

Each datagram stays alone on the wire (UDP_SEGMENT, UDP_GRO). On a system without these options,
the same functions make one call for each datagram.
"""

import contextlib
import errno
import mmap
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from jph.wire.columns import Block

Address = tuple[str, int]
Receive = Callable[[memoryview, int, Address], None]
"""Takes a batch, the size of each datagram in it (the last may be shorter), and the sender.

The memory is reused after the call.
"""

LINUX: Final = sys.platform == "linux"
# Linux's numbers, which Python 3.11 does not name: linux/udp.h, asm-generic/socket.h
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_SO_RXQ_OVFL: Final = 40
_SO_RCVBUFFORCE: Final = 33
_DONT_WAIT: Final = getattr(socket, "MSG_DONTWAIT", 0)

RECEIVE_BUFFER: Final = 8 * 2**20
"""Bytes that may wait to be read, if the system allows so many."""
_MAX_SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS of the kernels in use
_MAX_BATCH: Final = 65_507
_UDP_IP_HEADERS: Final = 28  # IPv4 and UDP; IPv6 needs 48, so its margin below
_LARGEST_READ: Final = 65_536
_ENOUGH: Final = 65_536
"""Bytes after which a batch is passed on: about 1,800 numbers."""
_TURN_S: Final = 0.005
"""Then the loop serves other sockets: a busy bus does not starve them."""
_LONE_TURNS: Final = 8
"""While datagrams arrive alone, only one turn in so many looks for another one."""
_NO_SEGMENTS: Final = frozenset({errno.EINVAL, errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
_U16: Final = struct.Struct("=H")
_INT: Final = struct.Struct("=i")
_U32: Final = struct.Struct("=I")


class Batches:
    """Sends and reads batches; one for all sockets of one purpose.

    Attributes:
        received: datagrams that arrived.
        filters_own: whether the sockets that are read filter out what is sent here
            (`jph.net.socket_filter`).
    """

    def __init__(self, family: socket.AddressFamily, mtu: int = 1500) -> None:
        self.received = 0
        self.filters_own = False
        self._calls = 0
        self._headers = _UDP_IP_HEADERS + 20 * (family == socket.AF_INET6)
        self._largest = mtu - self._headers
        self._segments = LINUX
        self._drops: dict[int, int] = {}
        self._dropped_before = 0
        self._lone = 0
        # Mapped: only the pages that are used take memory.
        self._buffer = memoryview(mmap.mmap(-1, _ENOUGH + _LARGEST_READ))

    @property
    def overflowed(self) -> int:
        """Datagrams dropped by this machine's own full receive buffers."""
        return self._dropped_before + sum(self._drops.values())

    @property
    def largest(self) -> int:
        """Bytes of the largest datagram that is one packet."""
        return self._largest

    def fit(self, mtu: int, at_most: bool = False) -> None:
        """Send no batch whose packets are above an MTU; with `at_most`, a lower limit stays."""
        largest = mtu - self._headers
        self._largest = min(self._largest, largest) if at_most else largest

    def forget_sockets(self) -> None:
        """Add the drops of sockets that are closed now to the count."""
        self._dropped_before = self.overflowed
        self._drops.clear()
        self._calls = 0

    def send(
        self, outs: Sequence[socket.socket], datagrams: Sequence[bytes], to: Sequence[Any]
    ) -> int:
        """Send datagrams in order through each socket, to its address; return how many left."""
        return self.send_blocks(outs, _equal_sizes(datagrams), to)

    def send_one(self, outs: Sequence[socket.socket], datagram: bytes, to: Sequence[Any]) -> bool:
        """Send one datagram through each socket; return whether it left on all."""
        left = bool(outs)
        for out, address in zip(outs, to, strict=True):
            try:
                out.sendto(datagram, address)
            except OSError:
                left = False
        self._calls += left
        return left

    def send_blocks(
        self, outs: Sequence[socket.socket], blocks: Iterable[Block], to: Sequence[Any]
    ) -> int:
        """Send the datagrams of blocks as `send` does."""
        left = 0
        for block, size in blocks:
            together = min(_MAX_SEGMENTS, _MAX_BATCH // size) if 0 < size <= self._largest else 1
            step = size * together or 1
            for start in range(0, len(block) or 1, step):
                left += self._send_group(outs, block[start : start + step], size, to)
        return left

    def read(self, readable: socket.socket, receive: Receive) -> None:
        """Pass what waits in `readable` to `receive`, at most one turn's worth.

        A single datagram is passed on at once; several that wait are passed on together.
        """
        buffer, begin, end, size, sender = self._buffer, 0, 0, 0, None
        over_s, got = 0.0, 0
        while True:
            try:
                length, ancillary, _, who = readable.recvmsg_into([buffer[end:]], 64, _DONT_WAIT)
            except OSError:  # nothing waits, or the interface is gone: the bus is opened again
                break
            each = self._size(readable, length, ancillary) if ancillary else length
            got += -(-length // each) if each else 1
            if begin < end and (each != size or who != sender or (end - begin) % size):
                receive(buffer[begin:end], size, _address(sender))
                begin = end
            end, size, sender = end + length, each, who
            if got == 1:
                receive(buffer[:end], size, _address(sender))
                begin = end
                if self._lone % _LONE_TURNS:
                    break
            elif end > _ENOUGH or not size:
                receive(buffer[begin:end], size, _address(sender))
                begin = end = 0
                now_s = time.monotonic()
                over_s = over_s or now_s + _TURN_S
                if now_s >= over_s:
                    break
        if begin < end:
            receive(buffer[begin:end], size, _address(sender))
        self._lone = self._lone + 1 if got == 1 else 0
        self.received += got

    def _size(self, readable: socket.socket, length: int, ancillary: Sequence[Any]) -> int:
        """Return the size of each datagram, and count the kernel's drops."""
        size = length
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_UDP and kind == _UDP_GRO:
                (size,) = _INT.unpack_from(data)
            elif level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                # The kernel also counts here what the socket filter drops.
                dropped = _U32.unpack_from(data)[0] - self._calls * self.filters_own
                which = readable.fileno()
                self._drops[which] = max(self._drops.get(which, 0), dropped)
        return size

    def _send_group(
        self, outs: Sequence[socket.socket], group: bytes, size: int, to: Sequence[Any]
    ) -> int:
        """Send what one call can carry."""
        if len(group) == size:
            return self.send_one(outs, group, to)
        if not self._segments:
            return self._send_each(outs, Block(group, size), to)
        ancillary = [(socket.IPPROTO_UDP, _UDP_SEGMENT, _U16.pack(size))]
        for position, (out, address) in enumerate(zip(outs, to, strict=True)):
            try:
                out.sendmsg([group], ancillary, 0, address)
            except OSError as error:
                if error.errno == errno.EMSGSIZE:  # the link's MTU is below the configured one
                    self._largest = min(self._largest, size - 1)
                    return self._send_each(outs[position:], Block(group, size), to[position:])
                if error.errno in _NO_SEGMENTS and position == 0:
                    self._segments = False
                    return self._send_each(outs, Block(group, size), to)
                return 0
        self._calls += 1
        return len(group) // size if outs else 0

    def _send_each(self, outs: Sequence[socket.socket], block: Block, to: Sequence[Any]) -> int:
        return sum(self.send_one(outs, datagram, to) for datagram in block.datagrams())


def prepare(receiver: socket.socket) -> int:
    """Prepare a socket for reading in batches, and count its drops.

    Return the bytes that may wait in it: `RECEIVE_BUFFER`, or what the system allows.
    """
    receiver.setblocking(False)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if LINUX:
        with contextlib.suppress(OSError):  # it takes CAP_NET_ADMIN
            receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        with contextlib.suppress(OSError):  # before Linux 5.0
            receiver.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
    allowed = receiver.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    return allowed // 2 if LINUX else allowed  # Linux doubles it: socket(7)


def keep_on_link(out: socket.socket, ttl: int) -> None:
    """Give unicast datagrams of a socket the TTL of the bus, at least 1.

    The answer to a request with a forged sender then passes no router.
    """
    if out.family == socket.AF_INET:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, max(1, ttl))
    else:
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, max(1, ttl))


def is_on_link(address: Address) -> bool:
    """Whether an address belongs to a network that this machine is connected to directly."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
        probe.connect(address)
        return True
    return False


def _equal_sizes(datagrams: Sequence[bytes]) -> Iterator[Block]:
    """Join neighbours of equal size."""
    for size, group in groupby(datagrams, len):
        yield Block(b"".join(group), size)


def _address(sender: Any) -> Address:  # noqa: ANN401
    """Return host and port; an IPv6 address of link scope keeps its interface."""
    if len(sender) == 2:
        return sender  # type: ignore[no-any-return]
    if sender[3] and "%" not in sender[0]:
        return f"{sender[0]}%{sender[3]}", sender[1]
    return sender[0], sender[1]
