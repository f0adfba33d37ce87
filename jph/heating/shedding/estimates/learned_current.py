"""Learned current of each heater: the median of its steps in the meter's current. Pure."""

from collections import deque
from collections.abc import Sequence
from typing import Final

UNKNOWN_VARIANCE: Final = 2.5**2
"""A², of an assumed current: heaters draw 2 to 9 A, 5 A is assumed."""

DECLARED_VARIANCE: Final = 0.8**2
"""A², of a declared power: +5 % −10 % (EN 60335-1, 10.1) and ±10 % of voltage: 0.8 A at 6 A."""

LEAST_VARIANCE: Final = 0.03
"""A², that stays after many steps: the voltage moves during the day."""

LEAST_STEP_A: Final = 1.0
"""A commanded step below this shows no load: the thermostat was open."""

ABSENT_A: Final = 0.1
"""What a heater on another phase draws here, for the decision: next to nothing."""

SAME_STEP_A: Final = 1.3
"""Steps within this of the median are the heater's: two roundings and the voltage."""

LARGEST_A: Final = 16.0
"""No heater on a pilot wire draws more: its circuit has 20 A at most."""

STEPS_KEPT: Final = 15
"""Steps kept of each heater: a week of few sheds; the median bears seven wrong ones."""


class LearnedCurrents:
    """The heaters of a phase, by bit: what they draw and how sure that is.

    Of the steps a heater made when it was switched alone the middle one counts, and those near it:
    a kettle in the same second is far off.  Steps of several heaters at once only correct guesses.
    """

    def __init__(self, declared: Sequence[float | None], assumed_a: float) -> None:
        self.of = [assumed_a if a is None else a for a in declared]
        self.variance = [UNKNOWN_VARIANCE if a is None else DECLARED_VARIANCE for a in declared]
        self.seen = [0] * len(declared)
        """How often each has shown in the current."""
        self._assumed_a = assumed_a
        self._guessed = [a is None for a in declared]
        self._steps: list[deque[float]] = [deque(maxlen=STEPS_KEPT) for _ in declared]

    def known(self, bit: int) -> bool:
        """Whether a heater's current was declared or has been seen."""
        return not self._guessed[bit]

    def load(self, bits: int) -> float:
        """Return what a set of heaters draws together."""
        total, rest = 0.0, bits
        while rest:
            low = rest & -rest
            total += self.of[low.bit_length() - 1]
            rest ^= low
        return total

    def spread(self, bits: int) -> float:
        """Return the variance of that, A²."""
        return sum(v for i, v in enumerate(self.variance) if bits >> i & 1)

    def guess(self, current_a: float) -> None:
        """Share a first current among the heaters nothing is known of."""
        unknown = [i for i, guessed in enumerate(self._guessed) if guessed]
        known_a = sum(a for i, a in enumerate(self.of) if not self._guessed[i])
        for i in unknown:
            share_a = (current_a - known_a) / len(unknown)
            self.of[i] = max(self._assumed_a, min(LARGEST_A, share_a))

    def learn(self, bit: int, step_a: float) -> None:
        """Take the step (positive) of a heater that was switched alone."""
        if not LEAST_STEP_A <= step_a <= LARGEST_A:
            return
        steps = self._steps[bit]
        steps.append(step_a)
        self.seen[bit] += 1
        middle = sorted(steps)[len(steps) // 2]
        if len(steps) == 1 and (middle - self.of[bit]) ** 2 > 9 * self.variance[bit]:
            return
        near = [step for step in steps if abs(step - middle) <= SAME_STEP_A]
        self.of[bit] = sum(near) / len(near)
        self.variance[bit] = LEAST_VARIANCE + 1.0 / len(near) ** 2
        self._guessed[bit] = False

    def absent(self, bit: int) -> None:
        """Trust no relief by a heater that shows on another phase; its own steps still teach."""
        self.of[bit], self.variance[bit] = ABSENT_A, LEAST_VARIANCE
        self._guessed[bit] = False

    def steps(self, bit: int) -> list[float]:
        """Return the steps that a heater made when it was switched alone, oldest first."""
        return list(self._steps[bit])

    def recall(self, bit: int, steps: Sequence[float], seen: int) -> None:
        """Take the steps of an earlier run; `seen` is how often the heater showed in all."""
        for step_a in steps:
            self.learn(bit, step_a)
        self.seen[bit] = max(self.seen[bit], seen if self._steps[bit] else 0)

    def share(self, bits: Sequence[int], drop_a: float) -> None:
        """Share what several heaters brought when they were shed together among the unknown."""
        unknown = [i for i in bits if self._guessed[i] and not self._steps[i]]
        if not unknown or drop_a < LEAST_STEP_A:
            return
        rest_a = drop_a - sum(self.of[i] for i in bits if i not in unknown)
        factor = 0.5 + 0.5 * rest_a / sum(self.of[i] for i in unknown)
        for i in unknown:
            self.of[i] = min(LARGEST_A, max(LEAST_STEP_A, self.of[i] * factor))
