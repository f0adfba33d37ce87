"""The breaker in the meter and the main breaker, which open when a phase draws too much.

Both have a memory: they tolerate a short overload, not a long one. Between two changes of the
current their state has a closed form, so a step may be as long as the current is constant.
"""

import math
from collections.abc import Sequence
from typing import Final

FILTER: Final = 0.008
"""Weight of a second's power in the Linky's filter (Enedis-NOI-CPT_54E §7)."""

OPENS_AT: Final = 1.3
"""The filtered power over PCOUP at which a Linky opens (same place)."""

CURVE: Final = ((1.13, 7200.0), (1.45, 400.0), (2.0, 60.0), (2.55, 20.0), (5.0, 3.0), (7.5, 0.02))
"""Times to trip of a typical breaker, (current over rating, s).

It lies within the bands of EN 60898 for type C: never at 1.13, within an hour at 1.45, 1 to 60 s at
2.55, at once from 5 to 10 on.
"""

COOLING_S: Final = 300.0
"""Time constant of the bimetal's cooling."""


class LinkyBreaker:
    """The breaker in the meter, one phase: each second Y = 0.008·X² + 0.992·Y, X = S/PCOUP.

    With the same voltage on both sides of the fraction X is current over `rating_a`.  It opens at
    Y ≥ `opens_at`².
    """

    __slots__ = ("_opens_at", "_rating_a", "filtered")

    def __init__(self, rating_a: float, opens_at: float = OPENS_AT) -> None:
        self._rating_a = rating_a
        self._opens_at = opens_at**2
        self.filtered = 0.0

    def advance(self, dt: float, amps: float) -> bool:
        """Let `dt` seconds pass at a constant current; return whether it opens."""
        square = (amps / self._rating_a) ** 2
        self.filtered = square + (self.filtered - square) * (1 - FILTER) ** dt
        return self.filtered >= self._opens_at

    def seconds_left(self, amps: float) -> float:
        """Return the time to opening if the current stays as it is; infinite if it never would."""
        if self.filtered >= self._opens_at:
            return 0.0
        square = (amps / self._rating_a) ** 2
        if square <= self._opens_at:
            return math.inf
        share = (square - self._opens_at) / (square - self.filtered)
        return math.log(share) / math.log(1 - FILTER)


class MainBreaker:
    """A thermal-magnetic breaker, one pole: it opens when the parts of its trip times add up to 1.

    `curve` lists (current over rating, s to trip), current ascending; between its points both are
    interpolated on a logarithmic scale, below the first it cools.
    """

    __slots__ = ("_curve", "_rating_a", "warmth")

    def __init__(self, rating_a: float, curve: Sequence[tuple[float, float]] = CURVE) -> None:
        self._rating_a = rating_a
        self._curve = curve
        self.warmth = 0.0

    def advance(self, dt: float, amps: float) -> bool:
        """Let `dt` seconds pass at a constant current; return whether it opens."""
        if amps < self._curve[0][0] * self._rating_a:
            if self.warmth:
                self.warmth *= math.exp(-dt / COOLING_S)
        else:
            self.warmth += dt / self.trip_s(amps)
        return self.warmth >= 1.0

    def seconds_left(self, amps: float) -> float:
        """Return the time to opening if the current stays as it is; infinite if it never would."""
        return max(0.0, 1.0 - self.warmth) * self.trip_s(amps)

    def trip_s(self, amps: float) -> float:
        """Return the time to trip from cold, s; infinite if it never would."""
        load = amps / self._rating_a
        if load < self._curve[0][0]:
            return math.inf
        for (low, low_s), (high, high_s) in zip(self._curve, self._curve[1:], strict=False):
            if load <= high:
                share = math.log(load / low) / math.log(high / low)
                return low_s * math.exp(share * math.log(high_s / low_s))
        return self._curve[-1][1]


class Protection:
    """The breakers of three phases; a pole that opens opens all."""

    def __init__(
        self, subscribed_a: float, *, main_a: float | None = None, opens_at: float = OPENS_AT
    ) -> None:
        self._main_a = main_a or subscribed_a
        self._poles = [
            (LinkyBreaker(subscribed_a, opens_at), MainBreaker(self._main_a)) for _ in range(3)
        ]

    def advance(self, dt: float, amps: Sequence[float]) -> str | None:
        """Let `dt` seconds pass at constant currents; return the breaker that opened, or None."""
        opened = None
        for (linky, main), current in zip(self._poles, amps, strict=True):
            if linky.advance(dt, current):
                opened = "meter"
            if main.advance(dt, current):
                opened = "main breaker"
        return opened

    def reset(self) -> None:
        """Reset both breakers after the power came back."""
        for linky, main in self._poles:
            linky.filtered = main.warmth = 0.0
