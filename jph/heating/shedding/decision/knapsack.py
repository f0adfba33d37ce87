"""Knapsack choices: the set worth most that fits, and the cheapest set that is enough. Pure.

The set that fits is the 0-1 knapsack problem, solved by branch and bound with the fractional bound
(Dantzig 1957; Martello and Toth 1990, chapter 2).
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from math import inf
from typing import Final, NamedTuple

MOST_TRIES: Final = 600
"""Branches looked at: it bounds the work of a plan; then the best set so far counts."""

MOST_COMBINED: Final = 12
"""Up to this many heaters all sets of three are looked at: 298 of 12."""


class Item(NamedTuple):
    """A heater to choose or not: its amperes, and what having it on is worth."""

    bit: int
    amperes: float
    worth: float


class _Search:
    def __init__(self, items: Sequence[Item], room_a: float) -> None:
        fitting = (item for item in items if item.worth > 0 and item.amperes <= room_a)
        self._order = sorted(fitting, key=lambda item: -item.worth / max(item.amperes, 0.01))
        self._tries = 0
        self._best = 0.0
        self.bits = 0

    def _bound(self, start: int, room_a: float) -> float:
        """Return what the rest could be worth at best, the last one in part."""
        total = 0.0
        for item in self._order[start:]:
            if item.amperes > room_a:
                return total + item.worth * room_a / item.amperes
            total += item.worth
            room_a -= item.amperes
        return total

    def visit(self, start: int, room_a: float, worth: float, bits: int) -> None:
        if worth > self._best:
            self._best, self.bits = worth, bits
        self._tries += 1
        if start == len(self._order) or self._tries > MOST_TRIES:
            return
        if worth + self._bound(start, room_a) <= self._best + 1e-9:
            return
        item = self._order[start]
        if item.amperes <= room_a:
            left_a = room_a - item.amperes
            self.visit(start + 1, left_a, worth + item.worth, bits | 1 << item.bit)
        self.visit(start + 1, room_a, worth, bits)


def fill(items: Sequence[Item], room_a: float) -> int:
    """Return the bits of the set that fits into `room_a` and is worth most.

    Branch and bound by worth an ampere; after `MOST_TRIES` the best so far counts.
    """
    search = _Search(items, room_a)
    search.visit(0, room_a, 0.0, 0)
    return search.bits


def cheapest(
    items: Sequence[Item], enough: Callable[[int], bool], most: int = 3
) -> Sequence[Item] | None:
    """Return the set of at most `most` items worth least that is enough, None if none is."""
    if len(items) > MOST_COMBINED:
        most = min(most, 2)
    best: Sequence[Item] | None = None
    least = inf
    for size in range(1, min(most, len(items)) + 1):
        for chosen in combinations(items, size):
            worth = sum(item.worth for item in chosen)
            if worth < least and enough(sum(1 << item.bit for item in chosen)):
                best, least = chosen, worth
    return best


def greedily(items: Sequence[Item], need_a: float) -> Sequence[Item]:
    """Return items, worth least an ampere first, until they reach `need_a`; none is needless."""
    chosen: list[Item] = []
    got_a = 0.0
    for item in sorted(items, key=lambda item: item.worth / max(item.amperes, 0.01)):
        if got_a >= need_a:
            break
        chosen.append(item)
        got_a += item.amperes
    for item in chosen[:]:
        if got_a - item.amperes >= need_a:
            chosen.remove(item)
            got_a -= item.amperes
    return chosen
