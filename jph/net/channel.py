"""A channel: one multicast group, datagrams out and batches of datagrams in.

This is the only module that opens multicast sockets. Each sending socket has an address of its own,
at which it receives unicast answers.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from jph.config.model import Endpoint
from jph.errors import BusError
from jph.net.batches import LINUX, Address, Batches, Receive, keep_on_link, prepare
from jph.net.socket_filter import filter_out
from jph.wire.columns import Block

__all__ = ["Address", "Channel", "Receive", "interfaces_from_environment"]

# Linux's numbers, which Python 3.11 does not name: linux/in.h
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29
# linux/in.h, linux/in6.h: the MTU of a connected socket's route
_IP_MTU: Final = 14
_IPV6_MTU: Final = 24
_IPV6_INTERFACES: Final = Path("/proc/net/if_inet6")
"""Address, index and name of each IPv6 interface (proc(5))."""
_HINTS: Final = {
    errno.ENODEV: "no such interface, or no route to a multicast group yet "
    "(JPH_INTERFACE or Multicast.Interfaces chooses the interface)",
    errno.ENETUNREACH: "no route to the group yet",
    errno.EADDRNOTAVAIL: "the interface has no address yet",
    errno.EADDRINUSE: "a program without SO_REUSEADDR holds the port",
    errno.ENOBUFS: "too many groups joined (net.ipv4.igmp_max_memberships)",
}
"""Meaning of an error of the kernel; `if_nametoindex` gives no number for an unknown name."""
_INT: Final = struct.Struct("=i")
_LOOPBACK: Final = "lo"


class Channel:
    """The sockets of one group, on each of the interfaces it is joined on.

    Attributes:
        ttl: number of routers that datagrams may pass, unicast datagrams included.
        sent: datagrams that left.
        unsent: datagrams that could not leave (no network, or the kernel refused).
        receive_buffer: bytes that may wait to be read on each interface; 0 without a listener.
        own_epoch: datagrams with it are filtered out, if set before `open` and on Linux.
        missing: the interfaces that could not be joined, each with the reason.
        alone: whether it is on loopback, as no route leads to the group: nodes of this machine hear
            each other.
    """

    def __init__(
        self, endpoint: Endpoint, interfaces: Sequence[str] = (), ttl: int = 1, mtu: int = 1500
    ) -> None:
        self.endpoint = endpoint
        self.sent = self.unsent = self.receive_buffer = 0
        self.own_epoch: int | None = None
        self.missing: dict[str, str] = {}
        self.alone = False
        self._interfaces = tuple(interfaces) or ("",)
        self.ttl = ttl
        self._family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
        self._mtu = mtu
        self._batches = Batches(self._family, mtu)
        self._out: list[socket.socket] = []
        self._groups: list[Any] = []
        self._in: list[socket.socket] = []

    @property
    def is_open(self) -> bool:
        """Whether the sockets are open."""
        return bool(self._out)

    @property
    def overflowed(self) -> int:
        """Datagrams dropped by this machine's own full receive buffers."""
        return self._batches.overflowed

    @property
    def received(self) -> int:
        """Datagrams that arrived."""
        return self._batches.received

    @property
    def senders(self) -> list[socket.socket]:
        """The sockets that send datagrams and receive answers."""
        return list(self._out)

    @property
    def chosen_by_route(self) -> bool:
        """Whether the default route chooses an interface."""
        return "" in self._interfaces

    @property
    def places(self) -> str:
        """The interfaces that are joined, each with the address that datagrams leave from."""
        joined = [name for name in self._interfaces if name not in self.missing]
        joined += [_LOOPBACK] if self.alone else []
        pairs = zip(joined, self._out, strict=True)
        return ", ".join(
            f"{name or 'the default route'} ({out.getsockname()[0]})" for name, out in pairs
        )

    def open(self, listen: bool) -> list[socket.socket]:
        """Open the sockets; with `listen`, join the group and return those to read from.

        Raises:
            BusError: no interface can join the group (yet).
        """
        self.close()
        self.missing = {}
        self._batches.fit(self._mtu)
        for name in self._interfaces:
            try:
                self._open_on(name, listen)
            except OSError as error:
                self.missing[name] = self._explain(error, (name,))
        self.alone = False
        if not self._out and self.chosen_by_route and LINUX:
            with contextlib.suppress(OSError):
                self._open_on(_LOOPBACK, listen)
                self.alone = True
        if not self._out:
            why = next(iter(self.missing.values()))
            self.close()
            raise BusError(why)
        return list(self._in)

    def _open_on(self, name: str, listen: bool) -> None:
        """Open the sockets on one interface; none of them remains after an error."""
        out = self._sender(name)
        with _closed_on_error(out):
            self._batches.fit(self._mtu_of(name), at_most=True)
            group = self._socket_address(name)
            receiver = self._receiver(name) if listen else None
        self._out.append(out)
        self._groups.append(group)
        if receiver is not None:
            self._in.append(receiver)

    def close(self) -> None:
        """Close the sockets; the counters stay."""
        self._batches.forget_sockets()
        for each in self._out + self._in:
            each.close()
        self._out, self._groups, self._in = [], [], []

    def signature(self) -> tuple[object, ...]:
        """Return what the sockets depend on; when it changes they have to be opened again."""
        return tuple(self._presence(name) for name in self._interfaces)

    def send(self, datagram: bytes) -> bool:
        """Send one datagram on every interface; return whether it left on all."""
        left = self._batches.send_one(self._out, datagram, self._groups)
        self.sent += left
        self.unsent += not left
        return left

    def send_many(self, datagrams: Sequence[bytes]) -> int:
        """Send datagrams in order, those of equal size together; return how many left."""
        left = self._batches.send(self._out, datagrams, self._groups)
        self.sent += left
        self.unsent += len(datagrams) - left
        return left

    def send_blocks(self, blocks: Sequence[Block]) -> bool:
        """Send the datagrams of blocks in order; return whether all left."""
        left = self._batches.send_blocks(self._out, blocks, self._groups)
        unsent = sum(len(joined) // size for joined, size in blocks) - left
        self.sent += left
        self.unsent += unsent
        return not unsent

    def answer(
        self, datagrams: Sequence[bytes], to: Address, via: socket.socket | None = None
    ) -> None:
        """Send datagrams to one address, through the socket that its request came to, if any."""
        out = via if via is not None and via in self._out else self._towards(to)
        if out is not None:
            self._batches.send((out,), datagrams, (to,))

    def outgoing(self, datagrams: Sequence[bytes]) -> Sequence[bytes]:
        """Return the datagrams that carry unicast messages which another socket sends."""
        return datagrams

    def incoming(self, receive: Receive) -> Receive:
        """Return what takes the unicast datagrams that another socket receives."""
        return receive

    def read(self, readable: socket.socket, receive: Receive) -> None:
        """Pass what waits in `readable` to `receive`, at most one turn's worth."""
        self._batches.read(readable, receive)

    def _towards(self, to: Address) -> socket.socket | None:
        """Return the sending socket whose interface leads to an address."""
        if len(self._out) > 1:
            with contextlib.suppress(OSError), socket.socket(self._family, socket.SOCK_DGRAM) as s:
                s.connect(to)
                local = s.getsockname()[0]
                return next((o for o in self._out if o.getsockname()[0] == local), self._out[0])
        return self._out[0] if self._out else None

    def _sender(self, interface: str) -> socket.socket:
        out = socket.socket(self._family, socket.SOCK_DGRAM)
        with _closed_on_error(out):
            self._leave_through(out, interface)
            keep_on_link(out, self.ttl)
            out.bind(self._own_address(interface))
        return out

    def _own_address(self, interface: str) -> Any:  # noqa: ANN401
        """Return the address that datagrams leave from, with any free port.

        A probe connects to find it: a connected socket would receive from the group alone.
        """
        with self._probe(interface) as probe:
            host, _, *scope = probe.getsockname()
        if scope and not scope[-1] and ipaddress.ip_address(host).is_link_local:
            # The kernel names no interface if only the group is wider than the link.
            scope[-1] = self._socket_address(interface)[-1] or _interface_of(host)
        return (host, 0, *scope)

    def _mtu_of(self, interface: str) -> int:
        """Return the MTU of the interface that leads to the group; the configured one if unknown.

        Only Linux tells it of a connected socket.
        """
        level, option = socket.IPPROTO_IP, _IP_MTU
        if self._family == socket.AF_INET6:
            level, option = socket.IPPROTO_IPV6, _IPV6_MTU
        with contextlib.suppress(OSError), self._probe(interface) as probe:
            if LINUX:
                return probe.getsockopt(level, option)
        return self._mtu

    @contextlib.contextmanager
    def _probe(self, interface: str) -> Iterator[socket.socket]:
        """Yield a socket that is connected to the group, and sends nothing."""
        with socket.socket(self._family, socket.SOCK_DGRAM) as probe:
            self._leave_through(probe, interface)
            probe.connect(self._socket_address(interface))
            yield probe

    def _leave_through(self, out: socket.socket, interface: str) -> None:
        """Choose the interface and the TTL, and let this machine receive the datagrams too."""
        if self._family == socket.AF_INET:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self.ttl)
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            if interface:
                # without any other network Linux would have loopback's datagrams come from 0.0.0.0
                own = "127.0.0.1" if interface == "lo" else "0.0.0.0"
                chosen = _ipv4_interface("0.0.0.0", interface, own)
                out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, chosen)
        else:
            out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self.ttl)
            out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
            if interface:
                index = socket.if_nametoindex(interface)
                out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)

    def _receiver(self, interface: str) -> socket.socket:
        receiver = socket.socket(self._family, socket.SOCK_DGRAM)
        with _closed_on_error(receiver):
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.receive_buffer = prepare(receiver)
            receiver.bind(self._socket_address(interface))
            self._join(receiver, interface)
            if self.own_epoch is not None and LINUX:
                self._batches.filters_own = filter_out(receiver, self.own_epoch)
        return receiver

    def _socket_address(self, interface: str) -> tuple[str, int] | tuple[str, int, int, int]:
        """Return the group's address; IPv6 groups of link scope need the interface in it."""
        endpoint = self.endpoint
        if self._family == socket.AF_INET:
            return endpoint.address, endpoint.port
        index = socket.if_nametoindex(interface) if interface else 0
        return endpoint.address, endpoint.port, 0, index

    def _join(self, receiver: socket.socket, interface: str) -> None:
        """Join the group on one interface, and receive through that one only."""
        if self._family == socket.AF_INET:
            if LINUX:
                receiver.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
            member = _ipv4_interface(self.endpoint.address, interface)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            return
        if LINUX:
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
                index = socket.if_nametoindex(interface) if is_interface_name(interface) else 0
                return index, probe.getsockname()[0]
        except OSError as error:
            return error.errno

    def _explain(self, error: OSError, interfaces: Sequence[str]) -> str:
        where = f"{self.endpoint.address}:{self.endpoint.port}"
        on = ", ".join(name or "the route's interface" for name in interfaces)
        hint = _HINTS.get(error.errno or errno.ENODEV, error.strerror or str(error))
        return f"cannot join {where} on {on}: {hint}"


def _ipv4_interface(group: str, interface: str, address: str = "0.0.0.0") -> bytes:
    """Pack a `struct ip_mreqn`: the group, and the interface by its address or index (ip(7))."""
    index = 0
    if is_interface_name(interface):
        index = socket.if_nametoindex(interface)
    elif interface:
        address = interface
    return socket.inet_aton(group) + socket.inet_aton(address) + _INT.pack(index)


def _interface_of(address: str) -> int:
    """Return the index of the interface with an IPv6 address; 0 if there is none."""
    wanted = ipaddress.IPv6Address(address).packed.hex()
    with contextlib.suppress(OSError):
        for line in _IPV6_INTERFACES.read_text(encoding="ascii").splitlines():
            known, index, *_ = line.split()
            if known == wanted:
                return int(index, 16)
    return 0


def is_interface_name(interface: str) -> bool:
    """Whether a text of `Interfaces` names an interface; else it is an address, or empty."""
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
