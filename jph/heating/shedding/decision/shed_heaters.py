"""The heaters of a phase that are shed: since when, why, and what survives a restart. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jph.config.house.loads import Load
from jph.heating.shedding.memory import HeldHeater
from jph.heating.shedding.rules import NEVER, Reason

EARLIER: Final = "shed before the last start"
"""Cause of a heater that was shed by an earlier run which left no reason."""


class ShedHeaters:
    """What is shed on one phase; sets of heaters are bits.

    Attributes:
        mask: the heaters that are shed.
        eco: those of the mask that are held at eco, not off.
        since_s: when each heater was switched last.
        last_s: when any heater was.
    """

    def __init__(self, number: int, heaters: Sequence[Load]) -> None:
        self._number = number
        self._heaters = heaters
        self.mask = self.eco = 0
        self.since_s = [NEVER] * len(heaters)
        self.last_s = NEVER
        self._reasons: dict[int, Reason] = {}

    def switch(self, now_s: float, bit: int, reason: Reason) -> None:
        """Take a heater that is switched now."""
        self.mask = self.mask & ~(1 << bit) | reason.shed << bit
        self.eco &= self.mask
        self.since_s[bit] = self.last_s = now_s
        self._reasons[bit] = reason

    def recent(self, now_s: float, seconds: float) -> int:
        """Return the heaters switched within this time."""
        return sum(1 << b for b, at_s in enumerate(self.since_s) if now_s - at_s < seconds)

    def reasons(self) -> Iterator[tuple[int, Reason]]:
        """Yield each heater that is shed, and why."""
        for bit, reason in self._reasons.items():
            if self.mask >> bit & 1:
                yield bit, reason

    def held(self, now_s: float, wall_ms: float) -> dict[str, HeldHeater]:
        """Return the heaters that are shed and why, for the memory."""
        return {
            why.heater.codifier: HeldHeater(
                wall_ms - 1000 * (now_s - self.since_s[bit]),
                why.current_a,
                why.limit_a,
                why.cause,
                list(why.turn_of),
            )
            for bit, why in self.reasons()
            if math.isfinite(self.since_s[bit])
        }

    def recall(self, now_s: float, wall_ms: float, held: Mapping[str, HeldHeater]) -> None:
        """Take reasons and times of an earlier run for the heaters that are still shed."""
        for bit, heater in enumerate(self._heaters):
            why = held.get(heater.codifier)
            if why is None or not self.mask >> bit & 1:
                continue
            self.since_s[bit] = now_s - max(0.0, (wall_ms - why.since_ms) / 1000)
            self._reasons[bit] = Reason(
                self._number, heater, True, why.current, why.limit, why.cause, tuple(why.turn_of)
            )
