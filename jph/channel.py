"""One multicast group: datagrams out, batches of datagrams in.

The only module that opens multicast sockets. Each datagram stays alone on the wire; on Linux many
of equal size leave in one call (UDP_SEGMENT) and come back in one call (UDP_GRO). Where the system
has no such option, the same verbs make one call each.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from jph.config import Endpoint
from jph.errors import BusError

Address = tuple[str, int]
Receive = Callable[[memoryview, int, Address], None]
"""Takes a batch, the size of each datagram in it (the last may be shorter), and the sender.

The memory is used again after the call: keep nothing of it.
"""

_LINUX: Final = sys.platform == "linux"
# Linux's numbers, which Python 3.11 does not name: linux/in.h, linux/udp.h, asm-generic/socket.h
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29
_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_SO_RXQ_OVFL: Final = 40

_MAX_SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS of the kernels in use
_MAX_BATCH: Final = 65_507
_UDP_IP_HEADERS: Final = 28  # IPv4 and UDP; IPv6 needs 48, so its margin below
_RECEIVE_BUFFER: Final = 4 * 2**20
_BATCHES_A_TURN: Final = 64
"""Batches read before the loop may look elsewhere, so that a busy bus starves nobody."""
_NO_SEGMENTS: Final = frozenset({errno.EINVAL, errno.EIO, errno.ENOPROTOOPT, errno.EOPNOTSUPP})
_HINTS: Final = {
    errno.ENODEV: "no such interface, or no route to a multicast group yet "
    "(JPH_INTERFACE or Multicast.Interfaces chooses the interface)",
    errno.ENETUNREACH: "no route to the group yet",
    errno.EADDRNOTAVAIL: "the interface has no address yet",
    errno.EADDRINUSE: "a program without SO_REUSEADDR holds the port",
    errno.ENOBUFS: "too many groups joined (net.ipv4.igmp_max_memberships)",
}
"""What a refusal of the kernel means; `if_nametoindex` gives no number for an unknown name."""
_U16: Final = struct.Struct("=H")
_INT: Final = struct.Struct("=i")
_U32: Final = struct.Struct("=I")


class Channel:
    """The sockets of one group, on each of the interfaces it is joined on.

    Attributes:
        sent: datagrams that left.
        unsent: datagrams that could not leave (no network, or the kernel refused).
        received: datagrams that came.
        overflowed: datagrams this machine's own kernel dropped because nobody read fast enough.
    """

    def __init__(
        self, endpoint: Endpoint, interfaces: Sequence[str] = (), ttl: int = 1, mtu: int = 1500
    ) -> None:
        self.endpoint = endpoint
        self.sent = self.unsent = self.received = 0
        self._interfaces = tuple(interfaces) or ("",)
        self._ttl = ttl
        self._largest_segment = mtu - _UDP_IP_HEADERS - 20 * (":" in endpoint.address)
        self._family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
        self._out: list[socket.socket] = []
        self._in: list[socket.socket] = []
        self._segments = _LINUX
        self._drops: dict[int, int] = {}
        self._dropped_before = 0
        self._buffer = memoryview(bytearray(65_536 + 8))

    @property
    def is_open(self) -> bool:
        """Whether the sockets are there."""
        return bool(self._out)

    @property
    def overflowed(self) -> int:
        """Datagrams dropped by this machine's own full receive buffers."""
        return self._dropped_before + sum(self._drops.values())

    @property
    def local_addresses(self) -> list[Address]:
        """What receivers see as the sender of our datagrams."""
        return [out.getsockname()[:2] for out in self._out]

    def open(self, listen: bool) -> list[socket.socket]:
        """Open the sockets; with `listen`, join the group and return those to read from.

        Raises:
            BusError: the network is not there (yet), or refuses.
        """
        self.close()
        try:
            for name in self._interfaces:
                self._out.append(self._sender(name))
                if listen:
                    self._in.append(self._receiver(name))
        except OSError as error:
            self.close()
            raise BusError(self._explain(error)) from error
        return list(self._in)

    def close(self) -> None:
        """Close the sockets; the counters stay."""
        self._dropped_before = self.overflowed
        self._drops.clear()
        for each in self._out + self._in:
            each.close()
        self._out, self._in = [], []

    def signature(self) -> tuple[object, ...]:
        """What the sockets depend on; when it changes they are to be opened again."""
        return tuple(self._presence(name) for name in self._interfaces)

    def send(self, datagram: bytes) -> bool:
        """Send one datagram on every interface; tell whether it left on all."""
        left = bool(self._out)
        for out in self._out:
            try:
                out.send(datagram)
            except OSError:
                left = False
        if left:
            self.sent += 1
        else:
            self.unsent += 1
        return left

    def send_many(self, datagrams: Sequence[bytes]) -> int:
        """Send datagrams in order, those of equal size together; return how many left."""
        if len(datagrams) == 1:
            return int(self.send(datagrams[0]))
        left = 0
        for group in _equal_sizes(datagrams, self._largest_segment):
            left += self._send_group(group)
        return left

    def read(self, readable: socket.socket, receive: Receive) -> None:
        """Hand what waits in `readable` to `receive`, at most a turn's worth."""
        buffer = self._buffer
        for _ in range(_BATCHES_A_TURN):
            try:
                length, ancillary, _, sender = readable.recvmsg_into([buffer], 64)
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
            receive(buffer[:length], size, sender[:2])

    def _send_group(self, group: Sequence[bytes]) -> int:
        if len(group) == 1 or not self._segments:
            return sum(self.send(datagram) for datagram in group)
        batch = b"".join(group)
        size = [(socket.IPPROTO_UDP, _UDP_SEGMENT, _U16.pack(len(group[0])))]
        for position, out in enumerate(self._out):
            try:
                out.sendmsg([batch], size)
            except OSError as error:
                if error.errno in _NO_SEGMENTS and position == 0:
                    self._segments = False
                    return self._send_group(group)
                self.unsent += len(group)
                return 0
        count = len(group) if self._out else 0
        self.sent += count
        self.unsent += len(group) - count
        return count

    def _sender(self, interface: str) -> socket.socket:
        out = socket.socket(self._family, socket.SOCK_DGRAM)
        with _closed_on_error(out):
            if self._family == socket.AF_INET:
                out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._ttl)
                out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
                if interface:
                    chosen = _ipv4_interface("0.0.0.0", interface)
                    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, chosen)
            else:
                out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self._ttl)
                out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
                if interface:
                    index = socket.if_nametoindex(interface)
                    out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            out.connect(self._socket_address(interface))
        return out

    def _receiver(self, interface: str) -> socket.socket:
        receiver = socket.socket(self._family, socket.SOCK_DGRAM)
        with _closed_on_error(receiver):
            receiver.setblocking(False)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if _LINUX:
                receiver.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
                with contextlib.suppress(OSError):  # before Linux 5.0
                    receiver.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
            receiver.bind(self._socket_address(interface))
            self._join(receiver, interface)
        return receiver

    def _socket_address(self, interface: str) -> tuple[str, int] | tuple[str, int, int, int]:
        """Return the group's address; IPv6 groups of link scope need the interface in it."""
        endpoint = self.endpoint
        if self._family == socket.AF_INET:
            return endpoint.address, endpoint.port
        index = socket.if_nametoindex(interface) if interface else 0
        return endpoint.address, endpoint.port, 0, index

    def _join(self, receiver: socket.socket, interface: str) -> None:
        """Join the group on one interface, and hear only what comes through that one."""
        if self._family == socket.AF_INET:
            if _LINUX:
                receiver.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            member = _ipv4_interface(self.endpoint.address, interface)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            return
        if _LINUX:
            with contextlib.suppress(OSError):  # before Linux 4.20
                receiver.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        group = socket.inet_pton(socket.AF_INET6, self.endpoint.address)
        index = socket.if_nametoindex(interface) if interface else 0
        receiver.setsockopt(
            socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group + struct.pack("=I", index)
        )

    def _presence(self, interface: str) -> object:
        """Return the interface's index and the address datagrams would leave from, or why not."""
        try:
            with self._sender(interface) as probe:
                index = socket.if_nametoindex(interface) if _is_name(interface) else 0
                return index, probe.getsockname()[0]
        except OSError as error:
            return error.errno

    def _explain(self, error: OSError) -> str:
        where = f"{self.endpoint.address}:{self.endpoint.port}"
        on = ", ".join(name or "the route's interface" for name in self._interfaces)
        hint = _HINTS.get(error.errno or errno.ENODEV, error.strerror or str(error))
        return f"cannot join {where} on {on}: {hint}"


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


def _ipv4_interface(group: str, interface: str) -> bytes:
    """Pack a `struct ip_mreqn`: the group, and the interface by its address or index (ip(7))."""
    address, index = "0.0.0.0", 0
    if _is_name(interface):
        index = socket.if_nametoindex(interface)
    elif interface:
        address = interface
    return socket.inet_aton(group) + socket.inet_aton(address) + _INT.pack(index)


def _is_name(interface: str) -> bool:
    try:
        ipaddress.ip_address(interface)
    except ValueError:
        return bool(interface)
    return False


@contextlib.contextmanager
def _closed_on_error(opened: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        opened.close()
        raise


def interfaces_from_environment() -> list[str]:
    """Return the interfaces that `JPH_INTERFACE` names, separated by commas."""
    return [name for name in os.environ.get("JPH_INTERFACE", "").split(",") if name]
