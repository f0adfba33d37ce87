"""Base of the systems that call back for each message."""

import struct
import time
from abc import abstractmethod

from bench.peers import FIRST_S, HEAD, IDLE_S, MESSAGE, Heard, Link, Peer, paced


class Called(Peer):
    """A system that takes one message a call and hands up one message a call.

    It publishes on one topic and subscribes to the other.
    """

    def __init__(self, link: Link, near: bool) -> None:
        super().__init__(link, near)
        self._struct = struct.Struct(MESSAGE)
        self._heard, self._trips, self._answers = 0, 0, False
        self._times: list[float] = []
        self._began_s = 0.0
        self._question = self._struct.pack(1, 7, 1, HEAD, 8, 0.5)
        self.sends, self.receives = ("there", "back") if near else ("back", "there")
        self.connect()

    @abstractmethod
    def connect(self) -> None:
        """Join, and have `hear` called with each message of the other side."""

    @abstractmethod
    def publish(self, message: bytes) -> None:
        """Send one message."""

    @abstractmethod
    def turn(self, seconds: float) -> None:
        """Deliver what has arrived, and wait at most this long."""

    def flush(self) -> None:
        """Send what was published."""

    def hear(self, message: bytes) -> None:
        """Take one message; answer it, or ask again."""
        now_s = time.perf_counter()
        self._struct.unpack(message)
        self._heard += 1
        if self._trips:
            self._times.append(now_s - self._began_s)
            self._trips -= 1
            if self._trips:
                self._ask()
        elif self._answers:
            self.publish(message)
            self.flush()

    def _ask(self) -> None:
        self._began_s = time.perf_counter()
        self.publish(self._question)
        self.flush()

    def flood(self, count: int, rate: float) -> None:
        """Publish one by one."""
        pack, send = self._struct.pack, self.publish
        now_ms = time.time_ns() // 10**6

        def some(first: int, some: int) -> None:
            for sequence in range(first, first + some):
                send(pack(sequence, 7, now_ms, HEAD, 8, sequence / 2))
            self.flush()

        paced(count, rate, 100, some)

    def count(self) -> Heard:
        """Take what comes until nothing does."""
        self._heard, before = 0, 0
        last_s = time.monotonic()
        while time.monotonic() - last_s < (IDLE_S if before else FIRST_S):
            self.turn(0.01)
            if self._heard != before:
                before, last_s = self._heard, time.monotonic()
        return Heard(before, last_s)

    def echo(self) -> None:
        """Answer what comes until nothing does."""
        self._answers = True
        self.count()
        self._answers = False

    def ping(self, trips: int) -> list[float]:
        """Publish, and publish again when the answer is there."""
        self._times, self._trips = [], trips
        self._ask()
        while self._trips:
            left = self._trips
            self.turn(1.0)
            if self._trips == left and time.perf_counter() - self._began_s > 1.0:
                self._ask()  # one was lost
        return self._times
