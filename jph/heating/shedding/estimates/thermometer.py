"""Measured heat shortage of a room: its air against its wish, and against its heaters. Pure.

The shortage is in seconds of the heaters' full heating, as the duty-cycle estimate has it.  The
thermostats of the heaters err by some tenths of a kelvin, so the air at which they switch is
learned: a wish that is not reached there is no reason to keep their current.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from jph.heating.shedding.rules import NEVER, RoomReading

S_PER_K: Final = 200.0
"""Seconds of full heating for a kelvin of air: 150 W/m² into 30 kJ/K/m² of air and furniture."""

BAND_K: Final = 0.12
"""Half of a thermostat's band, assumed: electronic ones switch within 0.1 to 0.5 K in all."""

OFFSETS_K: Final = tuple(round(-1.5 + 0.1 * step, 1) for step in range(31))
"""The grid of errors of the thermostats."""

USUAL_K: Final = 0.3
"""Standard deviation of that error before anything is seen."""

SIGN_K: Final = 0.15
"""Standard deviation of a sign: a thermometer's step, its delay, and the band that is assumed."""

MISTAKEN: Final = 0.3
"""Chance that such a sign belonged to another room, relative to the peak of a right one."""

DRIFT: Final = 0.01
"""Part of each weight that comes anew from the prior at each sign: people turn knobs."""

SQRT_2: Final = math.sqrt(2.0)

CORRECTS_S: Final = 120.0
"""Interval in which the thermometer corrects the duty cycle: shorter, and its steps hide it."""

RANGE_C: Final = (-20.0, 45.0)
"""Temperatures that the air of a room can have."""


_PRIOR: Final = tuple(math.exp(-0.5 * (k / USUAL_K) ** 2) for k in OFFSETS_K)


class Thermometer:
    """The measured air of one room.

    Attributes:
        offset_k: the wish minus the air at which the heaters' thermostats switch.
    """

    __slots__ = ("_below_k", "_corrected_s", "_weights", "offset_k")

    def __init__(self) -> None:
        self.offset_k = 0.0
        self._below_k: float | None = None
        self._corrected_s = NEVER
        self._weights = [weight / sum(_PRIOR) for weight in _PRIOR]

    @property
    def measures(self) -> bool:
        """Whether the room's air and its wish are known."""
        return self._below_k is not None

    def take(self, now_s: float, reading: RoomReading | None) -> float | None:
        """Take a reading; return the shortage against the thermostats when it should correct."""
        if reading is None or reading.wish_c is None:
            self._below_k = None
            return None
        if not RANGE_C[0] <= reading.celsius <= RANGE_C[1]:
            return None
        self._below_k = reading.wish_c - reading.celsius
        if now_s - self._corrected_s < CORRECTS_S:
            return None
        self._corrected_s = now_s
        return (self._below_k - self.offset_k) * S_PER_K

    def switched(self, *, warm: bool) -> None:
        """Learn from a thermostat that opened at the warm edge of its band, or closed."""
        if self._below_k is not None:
            edge_k = self._below_k + (BAND_K if warm else -BAND_K)
            self._learn(lambda k: math.exp(-0.5 * ((k - edge_k) / SIGN_K) ** 2))

    def showed(self, *, drawing: bool) -> None:
        """Learn from a heater that turned out to draw or not: the air is below its edge or not."""
        if self._below_k is not None:
            edge_k, sign = self._below_k + (BAND_K if drawing else -BAND_K), 1 if drawing else -1
            self._learn(lambda k: 0.5 + 0.5 * math.erf(sign * (edge_k - k) / (SIGN_K * SQRT_2)))

    def shortages(self) -> tuple[float, float] | None:
        """Return the shortages against wish and thermostats, s; None without a thermometer."""
        if self._below_k is None:
            return None
        return self._below_k * S_PER_K, (self._below_k - self.offset_k) * S_PER_K

    def memory(self) -> list[float]:
        """Return the weights of the grid of errors."""
        return [round(weight, 5) for weight in self._weights]

    def recall(self, weights: Sequence[float]) -> None:
        """Go on with the weights of an earlier run; others than these are left as they are."""
        if len(weights) == len(OFFSETS_K) and min(weights) >= 0 and 0.9 < sum(weights) < 1.1:
            self._settle([weight / sum(weights) for weight in weights])

    def _learn(self, likelihood: Callable[[float], float]) -> None:
        weights = [
            weight * (MISTAKEN + likelihood(k))
            for weight, k in zip(self._weights, OFFSETS_K, strict=True)
        ]
        total, prior = sum(weights), sum(_PRIOR)
        self._settle(
            [
                (1 - DRIFT) * weight / total + DRIFT * usual / prior
                for weight, usual in zip(weights, _PRIOR, strict=True)
            ]
        )

    def _settle(self, weights: list[float]) -> None:
        self._weights = weights
        pairs = zip(self._weights, OFFSETS_K, strict=True)
        self.offset_k = sum(weight * k for weight, k in pairs)
