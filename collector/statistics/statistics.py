"""What a stretch of readings amounts to, right to the last digit. Pure.

Values are turned into whole numbers of a common power of two first, so that every sum is exact and
each result is rounded once. A reading's value is in force until the next reading, at most for the
time after which it counts as late (`hold`), and never in a known gap; the share of a bucket in
which a value was in force is its coverage, and weighs the time-weighted mean.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import mul, sub
from typing import NamedTuple

from collector.statistics.buckets import Bucket

Number = int | float


class Summary(NamedTuple):
    """The statistics of a bucket.

    `mode` is None where two values are equally frequent; `stdev` is the population's; `coverage` is
    in %; `time_mean` is None where no value was in force for any time.
    """

    mean: float
    mode: float | None
    median: float
    max: float
    min: float
    stdev: float
    count: int  # type: ignore[assignment]  # not the method of tuples
    coverage: float
    time_mean: float | None


class Series:
    """Finite readings of one codifier, sorted by time, and the gaps in them.

    Args:
        times: moments in µs; of equal ones the last is in force.
        values: as many numbers. The last reading before the first bucket belongs with them.
        gaps: moments between which readings were lost.
    """

    def __init__(
        self,
        times: Sequence[int],
        values: Sequence[Number],
        gaps: Iterable[tuple[int, int]] = (),
    ) -> None:
        self.times = times
        self.values = values
        self.gaps = merged(gaps)
        self._scaled, self._shift = scaled(values)
        self._durations: dict[int, list[int]] = {}

    def summarise(self, bucket: Bucket, hold: int) -> Summary | None:
        """Return a bucket's statistics, or None if it has no reading; `hold` in µs."""
        low = bisect_right(self.times, bucket.start)
        high = bisect_right(self.times, bucket.end)
        count = high - low
        if not count:
            return None
        values, whole, shift = self.values[low:high], self._scaled[low:high], self._shift
        total = sum(whole)
        squares = sum(map(mul, whole, whole))
        covered, weighted = self._in_force(bucket, low, high, hold)
        ordered = sorted(values)
        return Summary(
            mean=total / (count << shift),
            mode=_mode(values),
            median=_median(ordered),
            max=_float(ordered[-1]),
            min=_float(ordered[0]),
            stdev=_root(count * squares - total * total, count * count << 2 * shift),
            count=count,
            coverage=100 * covered / (bucket.end - bucket.start),
            time_mean=weighted / (covered << shift) if covered else None,
        )

    def _in_force(self, bucket: Bucket, low: int, high: int, hold: int) -> tuple[int, int]:
        """Return for how many µs a value was in force, and the sum of (scaled) value × µs."""
        times, start, end = self.times, bucket.start, bucket.end
        if low and times[low - 1] + hold > start:
            low -= 1  # the value with which the bucket begins
        durations = self._all_durations(hold)[low:high]
        for index in {low, high - 1}:
            until = times[index + 1] if index + 1 < high else end
            until = min(until, times[index] + hold, end)
            durations[index - low] = until - max(times[index], start)
        for lost_from, lost_to in self._gaps_in(start, end):
            # readings whose time in force may reach into the gap
            first = max(low, bisect_right(times, lost_from, low, high) - 1)
            for index in range(first, bisect_left(times, lost_to, low, high)):
                begin = max(times[index], start)
                stop = begin + self._length(index, begin, end, high, hold)
                overlap = min(stop, lost_to) - max(begin, lost_from)
                durations[index - low] -= max(0, overlap)
        return sum(durations), sum(map(mul, self._scaled[low:high], durations))

    def _length(self, index: int, begin: int, end: int, high: int, hold: int) -> int:
        until = self.times[index + 1] if index + 1 < high else end
        return min(until, self.times[index] + hold, end) - begin

    def _all_durations(self, hold: int) -> list[int]:
        """Return how long each value is in force, the edges of buckets and gaps aside."""
        known = self._durations.get(hold)
        if known is None:
            steps = map(sub, self.times[1:], self.times)
            known = [*map(min, steps, repeat(hold)), hold]
            self._durations[hold] = known
        return known

    def _gaps_in(self, start: int, end: int) -> list[tuple[int, int]]:
        return [gap for gap in self.gaps if gap[0] < end and gap[1] > start]


def merged(gaps: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return stretches of time in order, those that overlap made one, empty ones left out."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(gap for gap in gaps if gap[0] < gap[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def scaled(values: Sequence[Number]) -> tuple[list[int], int]:
    """Return integers and a shift such that each value is exactly its integer / 2^shift."""
    kinds = set(map(type, values))
    if kinds <= {int}:
        return list(values), 0  # type: ignore[arg-type]  # integers only
    if kinds == {float}:
        smallest = min(filter(None, map(abs, values)), default=1.0)
        shift = max(0, 53 - math.frexp(smallest)[1])  # a float has 53 bits
        try:
            return list(map(int, map(math.ldexp, values, repeat(shift)))), shift
        except OverflowError:
            pass  # the values are too many orders of magnitude apart for floats between them
    ratios = [value.as_integer_ratio() for value in values]
    shift = max(below for _, below in ratios).bit_length() - 1
    return [above << shift - below.bit_length() + 1 for above, below in ratios], shift


def _float(value: Number) -> float:
    return value + 0.0  # of the two zeros always the positive one


def _mode(values: Sequence[Number]) -> float | None:
    counts = Counter(values)
    most = max(counts.values())
    if list(counts.values()).count(most) > 1:
        return None
    return _float(next(value for value, count in counts.items() if count == most))


def _median(ordered: Sequence[Number]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return _float(ordered[middle])
    (one, other), shift = scaled(ordered[middle - 1 : middle + 1])
    return (one + other) / (2 << shift)


def _root(above: int, below: int) -> float:
    """Return the square root of above / below, rounded once.

    As integers: a root of at least 55 bits whose last one is set if anything was cut off ("round
    to odd") is rounded to a float's 53 as the exact root would be.
    """
    if not above:
        return 0.0
    half = max(0, (112 - above.bit_length() + below.bit_length()) // 2)
    quotient, rest = divmod(above << 2 * half, below)
    root = math.isqrt(quotient)
    inexact = rest > 0 or root * root != quotient
    return math.ldexp(root | inexact, -half)
