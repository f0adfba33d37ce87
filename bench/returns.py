"""Honesty of the times of return of shed heaters: fitted on some days, tried on others.

    python -m bench.returns [--days N] [--hours H]

Each minute the policy states for every shed heater the range in which it returns. The days with an
even seed choose the constants `LATEST` of the late end: the narrowest of a grid with which
`WANTED` of the returns fall inside in each kind of house. The days with an odd seed, of other
houses and weather, only report.
"""

import argparse
import itertools
from collections.abc import Iterable
from typing import Final, NamedTuple

from bench.judge.case import Case
from bench.judge.day import judge
from bench.judge.neighbourhood import Sizing
from jph.config.house.loads import Wiring
from jph.heating.shedding import Decision, Readings, SheddingPolicy
from jph.heating.shedding.decision.returns import LATEST, UntilReturn, return_range

WANTED: Final = 0.83
EVERY_S: Final = 60.0
EVENING_S: Final = 17 * 3600.0
FACTORS: Final = (1.0, 2.0, 3.0, 4.0)
MORE_S: Final = (120.0, 300.0, 600.0)
OF_OFF: Final = (0.5, 1.0, 1.5, 2.0)


class Stated(NamedTuple):
    """What was known of a return, and after how many seconds it came."""

    known: UntilReturn
    came_s: float


class Watched:
    """Our policy, and what it states of each shed heater until that returns."""

    def __init__(self, wiring: Wiring) -> None:
        self._policy = SheddingPolicy(wiring, wiring.phases)
        self._open: dict[tuple[int, int], list[tuple[float, UntilReturn]]] = {}
        self._stated_s = 0.0
        self.found: list[Stated] = []

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        """Decide; close the ranges of the heaters that returned, and state new ones."""
        decision = self._policy.step(now_s, readings)
        shed = self._policy.shed_heaters()
        for place in self._open.keys() - shed:
            for at_s, known in self._open.pop(place):
                self.found.append(Stated(known, now_s - at_s))
        if now_s - self._stated_s >= EVERY_S:
            self._stated_s = now_s
            for number, bit in shed:
                known = self._policy.until_return(now_s, number, bit)
                self._open.setdefault((number, bit), []).append((now_s, known))
        return decision


def watch(sizing: Sizing, seed: int, hours: float) -> list[Stated]:
    """Return what the policy stated in one evening, and what came of it."""
    made: list[Watched] = []

    def make(wiring: Wiring) -> Watched:
        made.append(Watched(wiring))
        return made[0]

    judge(Case(sizing=sizing, seed=seed, hours=hours, start_s=EVENING_S), make)
    return made[0].found


def inside(stated: Iterable[Stated], latest: tuple[float, float, float]) -> float:
    """Return the share of the returns inside their range, 1 where there was none."""
    hits = [
        early_s - 1 <= each.came_s <= late_s
        for each in stated
        for early_s, late_s in (return_range(each.known, latest),)
    ]
    return sum(hits) / len(hits) if hits else 1.0


def width_s(stated: Iterable[Stated], latest: tuple[float, float, float]) -> float:
    """Return the middle width of the ranges, s."""
    widths = sorted(late - early for early, late in (return_range(s.known, latest) for s in stated))
    return widths[len(widths) // 2] if widths else 0.0


def fit(houses: dict[Sizing, list[Stated]]) -> tuple[float, float, float]:
    """Return the constants with the narrowest ranges that hold in every kind of house."""
    every = [each for stated in houses.values() for each in stated]
    good = [
        latest
        for latest in itertools.product(FACTORS, MORE_S, OF_OFF)
        if all(inside(stated, latest) >= WANTED for stated in houses.values())
    ]
    return min(good, key=lambda latest: width_s(every, latest), default=LATEST)


def main() -> None:
    """Fit on one half of the days and report the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.returns", description=__doc__)
    parser.add_argument("--days", type=int, default=8, help="evenings of each kind of house")
    parser.add_argument("--hours", type=float, default=6.0, help="length of an evening")
    options = parser.parse_args()
    halves: tuple[dict[Sizing, list[Stated]], ...] = ({}, {})
    for sizing in Sizing:
        for seed in range(options.days):
            found = watch(sizing, seed, options.hours)
            halves[seed % 2].setdefault(sizing, []).extend(found)
    fitted = fit(halves[0])
    print(f"fitted on even days: {fitted}; in the code: {LATEST}")
    for sizing in Sizing:
        for name, latest in (("fitted", fitted), ("in the code", LATEST)):
            even, odd = (inside(half.get(sizing, []), latest) for half in halves)
            count, wide = len(halves[1].get(sizing, [])), width_s(halves[1].get(sizing, []), latest)
            print(
                f"{sizing.name.lower():7} {name:12} even {even:6.1%}  odd {odd:6.1%} "
                f"of {count:6} estimates, middle width {wide:5.0f} s"
            )


if __name__ == "__main__":
    main()
