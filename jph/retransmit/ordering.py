"""Each source's readings in the order they were sent, as far as a bounded wait allows. Pure."""

import heapq
import math
from collections.abc import Callable, Sequence
from typing import Final

from jph.wire.codec import SEQUENCE_LIMIT, Reading
from jph.wire.columns import Readings

_MOST_HELD: Final = 10_000
_LONGEST_S: Final = 10.0
_HALF: Final = SEQUENCE_LIMIT // 2

_Source = tuple[str, int]
_Held = tuple[int, float, Reading]


class Order:
    """Holds readings back behind those that are missing before them.

    `lowest_wanted(source, epoch)` is the oldest sequence that may still come, or None. A reading
    is held for 10 s at most, and 10,000 of a source: then it is handed on before the missing ones.

    Attributes:
        due_s: when `release` wants to be called next.
    """

    def __init__(self, lowest_wanted: Callable[[str, int], int | None]) -> None:
        self.due_s = math.inf
        self._lowest_wanted = lowest_wanted
        self._held: dict[_Source, list[_Held]] = {}
        self._origin: dict[_Source, int] = {}

    def put(self, readings: Sequence[Reading], now_s: float) -> Sequence[Reading]:
        """Take readings in; return those whose turn it is."""
        if type(readings) is Readings:
            source = (readings.source, readings.epoch)
            if source not in self._held and self._lowest_wanted(*source) is None:
                return readings
        ready: list[Reading] = []
        waiting: dict[_Source, None] = {}
        for reading in readings:
            source = (reading.source, reading.epoch)
            if source not in self._held and self._lowest_wanted(*source) is None:
                ready.append(reading)
                continue
            origin = self._origin.setdefault(source, reading.sequence)
            place = (reading.sequence - origin + _HALF) % SEQUENCE_LIMIT - _HALF
            heapq.heappush(self._held.setdefault(source, []), (place, now_s, reading))
            waiting[source] = None
        for source in waiting:
            ready += self._release(source, now_s)
        self._plan()
        return ready

    def release(self, now_s: float) -> list[Reading]:
        """Return readings whose turn has come, or that have waited long enough."""
        ready: list[Reading] = []
        for source in list(self._held):
            ready += self._release(source, now_s)
        self._plan()
        return ready

    def _release(self, source: _Source, now_s: float) -> list[Reading]:
        held, ready = self._held[source], []
        wanted = self._lowest_wanted(*source)
        origin = self._origin[source]
        limit = math.inf if wanted is None else (wanted - origin + _HALF) % SEQUENCE_LIMIT - _HALF
        overdue = [place for place, since_s, _ in held if now_s - since_s >= _LONGEST_S]
        limit = max(limit, *(place + 1 for place in overdue)) if overdue else limit
        while held and (held[0][0] < limit or len(held) > _MOST_HELD):
            ready.append(heapq.heappop(held)[2])
        if not held:
            del self._held[source], self._origin[source]
        return ready

    def _plan(self) -> None:
        times = [since_s for held in self._held.values() for _, since_s, _ in held]
        self.due_s = min(times) + _LONGEST_S if times else math.inf
