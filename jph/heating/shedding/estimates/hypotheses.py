"""Hypothesis filter: the heaters of a phase that draw now, from the phase's current alone.

The meter sends one integer a phase, every second or two.  Only the steps of that integer show
which thermostats are closed.  The filter is multiple-hypothesis tracking (Reid 1979) over a
factorial hidden Markov model, the usual model of load disaggregation (Hart 1992, Kolter and
Jaakkola 2012): each hypothesis is a set of heaters that draw (bits) with a weight; the rest of the
current is the rest of the house, which is not negative.  A step continues each hypothesis in all
ways that can have caused it: a command, one or two thermostats, an appliance.  The `MOST` likeliest
sets are kept.  A heater that is shed or restored shows whether it drew.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from jph.heating.shedding.estimates.learned_current import LearnedCurrents

ROUNDING_VARIANCE: Final = 0.25
"""A step is the difference of two currents rounded to 1 A: 2 · 1/12 A², and 0.08 A² of noise."""

FLAT_A: Final = 1.0
"""A change up to this is no step: rounding alone makes 1 A."""

MOST: Final = 24
"""Hypotheses kept: it bounds the work of a frame."""

LEAST_WEIGHT: Final = 5e-4
"""Part of the sum below which a hypothesis is dropped: it bounds the work of a frame."""

TEMPER: Final = 0.95
"""Exponent of all weights at each step, a forgetting factor: evidence halves in 14 steps."""

LEAST_LIKELY: Final = 1e-5
"""Sum of likelihoods below which no hypothesis explains a step: the filter begins anew."""

THERMOSTAT: Final = 0.5
"""Prior of a step by one thermostat."""

PAIR: Final = 0.2
"""Prior of each of two thermostats in one frame: heaters switch a few times an hour."""

PAIR_A: Final = 1.2
"""Largest error of a pair: two roundings and a margin; it bounds the search."""

APPLIANCE: Final = 0.0075
"""Density of an appliance's step per ampere: 0.0075 over 30 A is a prior of 0.2."""

CONTRARY: Final = 0.05
"""Chance of a thermostat step against the room's estimate: the estimate is often wrong."""

LASTING_A: Final = 10.0
"""Scale of the rest of the house in the weights: appliances stop sooner than heaters."""

LARGE_BASE_A: Final = 12.0
"""Scale of the prior of the rest of the house: an oven and a kettle are 20 A, and rare."""

SURE: Final = 0.97
"""Largest chance of a restored heater to draw: its room's estimate is not certain."""

UNLIKELIER: Final = 0.005
NEARLY_NOTHING: Final = 0.005
"""Weights of unlikely sets at the start: above 0, or no evidence could raise them."""


class Command(NamedTuple):
    """A heater was switched off or on."""

    bit: int
    on: bool


class Step(NamedTuple):
    """The explanation of a step: the chances that each heater drew before and draws now."""

    before: Sequence[float]
    after: Sequence[float]
    change_a: float


class HypothesisFilter:
    """The hypotheses of one phase; heaters are numbered by their bit."""

    def __init__(self, amperes: LearnedCurrents) -> None:
        self.amperes = amperes
        self.count = len(amperes.of)
        self.allowed = (1 << self.count) - 1
        self.chance = [0.5] * self.count
        self.eager = [0.5] * self.count
        """Chance of each to draw if it was on; the observer sets it from the rooms."""
        self.level_a: float | None = None
        self.best = 0
        """The likeliest set of heaters that draw."""
        self._explained_a = 0.0
        self._weights: dict[int, float] = {}

    @property
    def base_a(self) -> float:
        """The current of the rest of the house, by the likeliest hypothesis."""
        return max(0.0, (self.level_a or 0.0) - self._explained_a)

    def reliefs(self, bits: int) -> Iterator[tuple[float, int]]:
        """Yield (chance, heaters) that shedding a set really switches off."""
        for explanation, weight in self._weights.items():
            yield weight, explanation & bits

    def follow(self, current_a: float) -> bool:
        """Take a current; return False if it is a step that must be explained."""
        if self.level_a is None:
            self.amperes.guess(current_a)
            self._begin(current_a)
        elif abs(current_a - self.level_a) > FLAT_A:
            return False
        else:
            self.level_a += 0.2 * (current_a - self.level_a)
        return True

    def explain(self, current_a: float, commands: Sequence[Command]) -> Step:
        """Continue every hypothesis over a step, of which `commands` are possible causes."""
        change_a = current_a - (self.level_a or 0.0)
        off = sum({1 << c.bit for c in commands if not c.on})
        on = {c.bit for c in commands if c.on} - {c.bit for c in commands if not c.on}
        self.allowed = self.allowed & ~off | sum(1 << bit for bit in on)
        fresh: dict[int, float] = {}
        drew: dict[int, float] = {}
        for bits, weight in self._weights.items():
            gone = bits & off
            for come, prior in self._returns(on):
                start = _Start(
                    bits=bits & ~off | come,
                    residual_a=change_a + self.amperes.load(gone) - self.amperes.load(come),
                    variance=ROUNDING_VARIANCE + self.amperes.spread(gone | come),
                    base_a=(self.level_a or 0.0) - self.amperes.load(bits),
                )
                for after, likely in self._continuations(start, on):
                    share = weight * prior * likely
                    fresh[after] = fresh.get(after, 0.0) + share
                    drew[gone] = drew.get(gone, 0.0) + share
        for bits in fresh:
            base_a = max(0.0, current_a - self.amperes.load(bits))
            fresh[bits] *= math.exp(-base_a / LASTING_A)
        before = self._before(drew, off)
        if sum(fresh.values()) < LEAST_LIKELY:
            self._begin(current_a)
        else:
            self._settle(fresh, current_a)
        return Step(before, self.chance, change_a)

    def _begin(self, current_a: float) -> None:
        """Begin anew: as many heaters draw as the current can carry, all equally likely."""
        mean_a = sum(self.amperes.of) / max(1, self.count)
        size = min(self.count, round(current_a / mean_a)) if mean_a else 0
        windows = {0: NEARLY_NOTHING}
        for drawing, weight in ((size - 1, UNLIKELIER), (size, 1.0)):
            for first in range(self.count):
                bits = sum(1 << (first + k) % self.count for k in range(drawing))
                windows[bits & self.allowed] = weight
        self._settle(windows, current_a)

    def _returns(self, on: set[int]) -> list[tuple[int, float]]:
        """Return (heaters, chance) for those of the restored ones that draw."""
        sets = [(0, 1.0)]
        for bit in on:
            p = min(SURE, max(1 - SURE, self.eager[bit]))
            sets = [(s, w * (1 - p)) for s, w in sets] + [(s | 1 << bit, w * p) for s, w in sets]
        return sets

    def _continuations(self, start: "_Start", on: set[int]) -> Iterator[tuple[int, float]]:
        """Yield (heaters that draw afterwards, how likely) for every cause of what is left."""
        bits, residual, variance, base = start
        likely = _normal(residual, variance)
        # The rest of the house cannot draw less than nothing.
        sane = math.exp(-2.0 * (base + 0.3) ** 2) if base < -0.3 else 1.0
        yield bits, likely * sane
        if abs(residual) < 0.7:
            return
        movers = [m for m in self._movers(bits) if m.bit not in on]
        for mover in movers:
            if mover.step_a * residual > 0:
                rest = residual - mover.step_a
                spread = variance + self.amperes.variance[mover.bit]
                yield (
                    bits ^ 1 << mover.bit,
                    sane * THERMOSTAT * mover.chance * _normal(rest, spread),
                )
        if abs(residual) > FLAT_A:
            yield from _pairs(start, movers, sane)
        new = base + residual
        if residual > 0:
            yield bits, sane * APPLIANCE * math.exp(-max(0.0, new) / LARGE_BASE_A)
        else:
            low = math.exp(-2.0 * (new + 0.3) ** 2) if new < -0.3 else 1.0
            yield bits, low * APPLIANCE

    def _movers(self, bits: int) -> list["_Mover"]:
        """Return what each thermostat could do next."""
        return [
            _Mover(i, -a, CONTRARY + 1.0 - eager)
            if bits >> i & 1
            else _Mover(i, a, CONTRARY + eager)
            for i, (a, eager) in enumerate(zip(self.amperes.of, self.eager, strict=True))
            if self.allowed >> i & 1
        ]

    def _before(self, drew: dict[int, float], off: int) -> list[float]:
        """Return the chances that each drew before, as the step has shown of those switched off."""
        total = sum(drew.values())
        if total <= 0:
            return self.chance
        return [
            sum(w for gone, w in drew.items() if gone >> i & 1) / total if off >> i & 1 else p
            for i, p in enumerate(self.chance)
        ]

    def _settle(self, weights: dict[int, float], current_a: float) -> None:
        """Keep the best hypotheses, and what follows from them."""
        total = sum(weights.values())
        best = sorted(weights.items(), key=lambda pair: -pair[1])[:MOST]
        kept = [(b, (w / total) ** TEMPER) for b, w in best if w >= LEAST_WEIGHT * total]
        total = sum(weight for _, weight in kept)
        self._weights = {bits: weight / total for bits, weight in kept}
        self.chance = [
            sum(w for bits, w in self._weights.items() if bits >> i & 1) for i in range(self.count)
        ]
        self.level_a = current_a
        self.best = kept[0][0] if kept else 0
        self._explained_a = self.amperes.load(self.best)


class _Start(NamedTuple):
    """An explanation after what was commanded: its heaters, and the step that is left over."""

    bits: int
    residual_a: float
    variance: float
    base_a: float


class _Mover(NamedTuple):
    bit: int
    step_a: float
    chance: float


def _pairs(start: _Start, movers: Sequence[_Mover], sane: float) -> Iterator[tuple[int, float]]:
    """Yield the explanations by two thermostats between two frames."""
    for index, one in enumerate(movers):
        left = start.residual_a - one.step_a
        for two in movers[index + 1 :]:
            rest = left - two.step_a
            if -PAIR_A < rest < PAIR_A:
                likely = PAIR**2 * one.chance * two.chance * _normal(rest, start.variance + 0.1)
                yield start.bits ^ 1 << one.bit ^ 1 << two.bit, sane * likely


def _normal(x: float, variance: float) -> float:
    return math.exp(-0.5 * x * x / variance) / math.sqrt(2 * math.pi * variance)
