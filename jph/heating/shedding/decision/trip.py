"""Trip model of one phase: the time until the meter's breaker or the main one opens. Pure.

Sources: Enedis-NOI-CPT_54E §7 for the Linky, which filters each second X = S/PCOUP by
Y = 0.008·X² + 0.992·Y and opens at Y ≥ 1.3²; EN 60898-1 table 7 for the main breaker, which must
not open at 1.13 of its rating, must within an hour at 1.45, and takes 1 to 60 s at 2.55.
"""

import math
from collections.abc import Sequence
from typing import Final

from jph.config.house.shedder import BREAKER_CURVE

WEIGHT: Final = 0.008
OPENS_AT: Final = 1.3**2

COOLING_S: Final = 300.0
"""Time constant with which the bimetal cools, assumed: a longer one would only shed more."""


class TripModel:
    """The state of both breakers, from the currents of the meter."""

    __slots__ = (
        "_at_s",
        "_breaker_a",
        "_current_a",
        "_curve",
        "_filtered",
        "_limit_a",
        "_warmth",
    )

    def __init__(
        self,
        breaker_a: float | None = None,
        curve: Sequence[tuple[float, float]] = BREAKER_CURVE,
    ) -> None:
        self._breaker_a = breaker_a
        self._curve = curve
        self._limit_a: float | None = None
        self._current_a = 0.0
        self._at_s: float | None = None
        self._filtered = 0.0
        self._warmth = 0.0

    def take(self, now_s: float, current_a: float, limit_a: float) -> None:
        """Take a current; until now the one before it has flowed."""
        if self._at_s is not None:
            self._pass(now_s - self._at_s)
        self._at_s, self._current_a, self._limit_a = now_s, current_a, limit_a

    def seconds_left(self) -> float:
        """Return the time to the trip if the current stays as it is; infinite if none comes."""
        if self._limit_a is None:
            return math.inf
        square = (self._current_a / self._limit_a) ** 2
        if self._filtered >= OPENS_AT:
            return 0.0
        linky_s = math.inf
        if square > OPENS_AT:
            share = (square - OPENS_AT) / (square - self._filtered)
            linky_s = math.log(share) / math.log(1 - WEIGHT)
        return min(linky_s, max(0.0, 1.0 - self._warmth) * self._main_s())

    @property
    def filtered_a(self) -> float:
        """The current that has come through the meter's filter, A."""
        return math.sqrt(self._filtered) * (self._limit_a or 0.0)

    def _pass(self, seconds: float) -> None:
        if self._limit_a is None:
            return
        square = (self._current_a / self._limit_a) ** 2
        self._filtered = square + (self._filtered - square) * (1 - WEIGHT) ** seconds
        main_s = self._main_s()
        if math.isinf(main_s):
            self._warmth *= math.exp(-seconds / COOLING_S)
        else:
            self._warmth += seconds / main_s

    def _main_s(self) -> float:
        """Return how long the main breaker bears the current from cold."""
        if self._breaker_a is None:
            return math.inf
        ratio = self._current_a / self._breaker_a
        if ratio < self._curve[0][0]:
            return math.inf
        for (low, low_s), (high, high_s) in zip(self._curve, self._curve[1:], strict=False):
            if ratio < high:
                share = math.log(ratio / low) / math.log(high / low)
                return math.exp(math.log(low_s) + share * math.log(high_s / low_s))
        return self._curve[-1][1]
