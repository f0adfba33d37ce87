"""Plain Python sockets: the unit of the comparison, and its limit."""

import socket
import struct
import time
from array import array
from collections.abc import Iterator

from bench.peers import CHUNK, FIRST_S, HEAD, IDLE_S, MESSAGE, Heard, Link, Peer, paced

_UDP_SEGMENT = 103
_UDP_GRO = 104
_TOGETHER = 64
_FORCE = 33  # SO_RCVBUFFORCE


class Bare(Peer):
    """One message a call, blocking sockets."""

    title = "bare socket, one call each"
    fans = True

    def __init__(self, link: Link, near: bool) -> None:
        super().__init__(link, near)
        self._struct = struct.Struct(MESSAGE)
        self._group = (link["group"], link["port"])
        self._out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        here = socket.inet_aton("127.0.0.1")
        self._out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        self._out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        self._data = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if not near:
            self._data.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _widen(self._data)
            self._data.bind(self._group)
            member = socket.inet_aton(link["group"]) + here
            self._data.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ends = [("127.0.0.1", link["near"]), ("127.0.0.1", link["far"])]
        if not link["index"]:
            self._line.bind(ends[not near])
            self._line.connect(ends[near])
        _wait_at_most(self._line, 2.0)

    def flood(self, count: int, rate: float) -> None:
        """Publish one by one."""
        pack, send, group = self._struct.pack, self._out.sendto, self._group
        now_ms = time.time_ns() // 10**6

        def publish(first: int, some: int) -> None:
            for sequence in range(first, first + some):
                send(pack(sequence, 7, now_ms, HEAD, 8, sequence / 2), group)

        paced(count, rate, 100, publish)

    def count(self) -> Heard:
        """Receive one by one."""
        unpack, receive, take, count = self._struct.unpack, self._data.recv, _take, 0
        _wait_at_most(self._data, FIRST_S)
        try:
            while True:
                take(*unpack(receive(2048)))
                count += 1
                if count == 1:
                    _wait_at_most(self._data, IDLE_S)
        except BlockingIOError:
            return Heard(count, time.monotonic() - IDLE_S)

    def echo(self) -> None:
        """Send each back."""
        receive, send = self._line.recv, self._line.send
        try:
            while True:
                send(receive(2048))
        except BlockingIOError:
            return

    def ping(self, trips: int) -> list[float]:
        """Send and wait."""
        receive, send, clock = self._line.recv, self._line.send, time.perf_counter
        message = self._struct.pack(1, 7, 1, HEAD, 8, 0.5)
        times = []
        for _ in range(trips):
            begin = clock()
            send(message)
            receive(2048)
            times.append(clock() - begin)
        return times

    def close(self) -> None:
        """Close the sockets."""
        for each in (self._out, self._data, self._line):
            each.close()


class Batched(Bare):
    """Many messages a call, written and read by the simplest code."""

    title = "bare UDP_SEGMENT, UDP_GRO"

    def flood(self, count: int, rate: float) -> None:
        """Publish 64 a call, that differ in their sequence."""
        size = self._struct.size
        one = self._struct.pack(0, 7, time.time_ns() // 10**6, HEAD, 8, 0.5)
        block = bytearray(one * CHUNK)
        sequences = memoryview(block).cast("I")[:: size // 4]
        parts = [
            memoryview(block)[at * size : (at + _TOGETHER) * size]
            for at in range(0, CHUNK, _TOGETHER)
        ]
        self._out.setsockopt(socket.IPPROTO_UDP, _UDP_SEGMENT, size)
        send, group = self._out.sendto, self._group

        def publish(first: int, some: int) -> None:
            sequences[:] = memoryview(array("I", range(first, first + CHUNK)))
            for part in parts[: -(-some // _TOGETHER)]:
                send(part, group)

        paced(count, rate, CHUNK, publish)

    def count(self) -> Heard:
        """Receive what waits; a call for each message."""
        self._data.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        read, take, count, last_s = self._struct.iter_unpack, _take, 0, time.monotonic()
        for batch in self._batches():
            for message in read(batch):
                take(*message)
            count += len(batch) // self._struct.size
            last_s = time.monotonic()
        return Heard(count, last_s)

    def _batches(self) -> Iterator[memoryview]:
        buffer = memoryview(bytearray(65_536))
        receive = self._data.recv_into
        _wait_at_most(self._data, FIRST_S)
        try:
            yield buffer[: receive(buffer)]
            _wait_at_most(self._data, IDLE_S)
            while True:
                yield buffer[: receive(buffer)]
        except BlockingIOError:
            return


def _take(
    sequence: int, epoch: int, timestamp_ms: int, head: bytes, length: int, value: float
) -> None:
    """Be called with each message."""


def _wait_at_most(waiting: socket.socket, seconds: float) -> None:
    """Bound how long a call waits, without the second system call of a Python timeout."""
    whole = int(seconds)
    limit = struct.pack("@ll", whole, int((seconds - whole) * 1e6))
    waiting.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


def _widen(receiver: socket.socket) -> None:
    """Ask for the same receive buffer as jph does."""
    for option in (socket.SO_RCVBUF, _FORCE):
        try:
            receiver.setsockopt(socket.SOL_SOCKET, option, 8 * 2**20)
        except OSError:
            return
