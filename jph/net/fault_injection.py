"""Fault injection: incoming datagrams are lost, duplicated, reordered and delayed. Pure."""

import heapq
from collections.abc import Sequence
from random import Random
from typing import Final, Generic, TypeVar

from jph.retransmit.messages import Faults

T = TypeVar("T")

LONGEST_S: Final = 3600.0
_LONGEST_DELAY_S: Final = 10.0
_REORDER_S: Final = (0.001, 0.020)
"""A reordered datagram arrives so much later."""
_MOST_HELD: Final = 100_000


class FaultInjector(Generic[T]):
    """Injects faults until a time; the same seed gives the same faults.

    Attributes:
        faults: the order; ends_s: when the injection ends.
        passed, lost, doubled, reordered: datagrams that arrived, and the faults among them.
    """

    def __init__(self, faults: Faults, now_s: float) -> None:
        self.ends_s = now_s + min(faults.seconds, LONGEST_S)
        self.passed = self.lost = self.doubled = self.reordered = 0
        self.faults = faults
        self._delay_s = min(faults.delay_s, _LONGEST_DELAY_S)
        self._random = Random(faults.seed)
        self._count = 0
        self._held: list[tuple[float, int, T]] = []

    @property
    def due_s(self) -> float:
        """When `release` returns something next; the end if nothing is held."""
        return min(self._held[0][0], self.ends_s) if self._held else self.ends_s

    def loses(self) -> bool:
        """Whether a datagram that is sent now gets lost."""
        lost = self._random.random() < self.faults.loss
        self.lost += lost
        return lost

    def pass_through(self, items: Sequence[T], now_s: float) -> list[T]:
        """Take datagrams; return those that arrive now, and hold the others."""
        faults, chance = self.faults, self._random.random
        arriving: list[T] = []
        for item in items:
            self.passed += 1
            if self.loses():
                continue
            copies = 1 + (chance() < faults.duplicate)
            self.doubled += copies - 1
            for _ in range(copies):
                later_s = self._delay_s
                if chance() < faults.reorder:
                    self.reordered += 1
                    later_s += self._random.uniform(*_REORDER_S)
                if later_s and len(self._held) < _MOST_HELD:
                    self._count += 1
                    heapq.heappush(self._held, (now_s + later_s, self._count, item))
                else:
                    arriving.append(item)
        return arriving

    def release(self, now_s: float) -> list[T]:
        """Return the held datagrams that arrive now; all of them after the end."""
        arriving: list[T] = []
        while self._held and (self._held[0][0] <= now_s or now_s >= self.ends_s):
            arriving.append(heapq.heappop(self._held)[2])
        return arriving

    def over(self, now_s: float) -> bool:
        """Whether the injection has ended."""
        return now_s >= self.ends_s

    def __str__(self) -> str:
        return (
            f"of {self.passed} datagrams {self.lost} lost, {self.doubled} duplicated, "
            f"{self.reordered} reordered"
        )
