"""Settling time of each heater, learned from the delay of its steps. Pure."""

from collections.abc import Iterable
from typing import Final

SLOWEST_S: Final = 9.0
"""Longest time to obey: slow heaters take up to 8 s (`bench heating --slow`)."""

SLOW_SIGNS: Final = 2
"""Late steps of a heater that make it a slow one: one may be another heater's by chance."""

PROMPT_SIGNS: Final = 2
"""Prompt steps of a heater that make it a prompt one."""

SLOW_HEATERS: Final = 2
"""Slow heaters of a phase from which heaters without a sign of their own are taken for slow."""

SIGNS_KEPT: Final = 8
"""Signs kept of each heater: a slow one needs five late steps after four prompt ones."""

SPARE_S: Final = 0.3
"""Added to the longest delay: the meter composes a frame before it sends it."""


class Slowness:
    """The delays of each heater's last steps, by bit.

    A heater counts as slow or prompt by the majority of its own signs. Heaters of a house are of a
    kind, so one without signs is taken for slow where others of its phase are.
    """

    def __init__(self, count: int, usual_s: float) -> None:
        self.usual_s = usual_s
        self._signs_s: list[list[float]] = [[] for _ in range(count)]

    def sign(self, bit: int, took_s: float) -> None:
        """Take a step of a heater that came this long after its command."""
        self._signs_s[bit] = [*self._signs_s[bit][1 - SIGNS_KEPT :], took_s]

    def unseen(self, bit: int) -> None:
        """Take a command that never showed: where heaters are slow, a prompt sign was another's."""
        if self.alike:
            del self._signs_s[bit][:1]

    def prompt(self, bit: int) -> bool:
        """Return whether a heater was seen to obey in the usual time, more often than late."""
        late, prompt = self._count(bit)
        return prompt >= PROMPT_SIGNS and prompt > late

    @property
    def alike(self) -> bool:
        """Whether so many heaters are slow that others are taken to be so."""
        return sum(map(self._slow, range(len(self._signs_s)))) >= SLOW_HEATERS

    def settle_s(self, bits: Iterable[int]) -> float:
        """Return the time after which a command to each of these heaters has shown."""
        longest_s = [self._longest_s(b) for b in range(len(self._signs_s)) if self._slow(b)]
        alike_s = max(longest_s) if len(longest_s) >= SLOW_HEATERS else None
        known = [self.usual_s]
        for bit in bits:
            if self._slow(bit):
                known.append(self._longest_s(bit) + SPARE_S)
            elif alike_s is not None and not self.prompt(bit):
                known.append(alike_s + SPARE_S)
        return min(SLOWEST_S, max(known))

    def _slow(self, bit: int) -> bool:
        late, prompt = self._count(bit)
        return late >= SLOW_SIGNS and late >= prompt

    def _longest_s(self, bit: int) -> float:
        """Return the longest delay of a heater; of many, one may be another heater's."""
        signs_s = sorted(self._signs_s[bit])
        return signs_s[-2] if len(signs_s) > SIGNS_KEPT // 2 else signs_s[-1]

    def _count(self, bit: int) -> tuple[int, int]:
        """Return how many of a heater's signs are late, and how many prompt."""
        late = sum(took_s > self.usual_s for took_s in self._signs_s[bit])
        return late, len(self._signs_s[bit]) - late
