"""One adapter for each system that carries readings from one process to another: `bench.bus`.

Every message is 36 bytes: sequence u32, epoch u32, time in ms u64, identity 8 bytes, length u32,
value float64. A subscriber takes each apart.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, NamedTuple

Link = dict[str, Any]
"""Addresses and ports of the two sides, used by no other program."""

MESSAGE: Final = "<IIQ8sId"
HEAD: Final = b"dAA@@\x01\0\0"
CHUNK: Final = 1_000
"""Readings of one call, where a system takes more than one."""
FIRST_S: Final = 5.0
"""Longest wait for the first message."""
IDLE_S: Final = 0.25
"""A silence that ends a run."""


class Heard(NamedTuple):
    """Number of decoded readings, and `time.monotonic` of the last."""

    taken: int
    last_s: float


class Peer(ABC):
    """One side of one system: `near` publishes and asks, `far` subscribes and answers.

    Attributes:
        title: name in the table.
        fans: whether it is measured with eight subscribers too.
    """

    title: str
    fans = False

    def __init__(self, link: Link, near: bool) -> None:
        self.link, self.near = link, near

    @abstractmethod
    def flood(self, count: int, rate: float) -> None:
        """Publish `count` readings, `rate` a second; 0 is as fast as it goes."""

    @abstractmethod
    def count(self) -> Heard:
        """Take readings until none come any more."""

    @abstractmethod
    def echo(self) -> None:
        """Answer each message with one, until none come any more."""

    @abstractmethod
    def ping(self, trips: int) -> list[float]:
        """Return the seconds of round trips, one after the other."""

    def close(self) -> None:
        """Leave; open connections end with the process."""
        return


def paced(count: int, rate: float, chunk: int, publish: Callable[[int, int], None]) -> None:
    """Call `publish(first, count)` at a pace of `rate` readings a second."""
    began_s = time.monotonic()
    for first in range(0, count, chunk):
        if rate:
            while (early_s := began_s + first / rate - time.monotonic()) > 0:
                if early_s > 0.002:
                    time.sleep(early_s - 0.001)
        publish(first, min(chunk, count - first))
