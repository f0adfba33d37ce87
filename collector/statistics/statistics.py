"""Statistics of a bucket of readings, exact to the last digit. Pure.

`Statistic` is the one place that names a statistic: how it is computed, and how SQL merges it over
several buckets. Tables, CSV, SQLite files, API and graphs take it from there; a new one needs a
member here and a migration that adds its column.

Values are turned into whole numbers of a common power of two first, so that every sum is exact and
each result is rounded once. A reading's value is in force until the next reading, at most for the
time after which it counts as late (`hold`), and never in a known gap; the share of a bucket in
which a value was in force is its coverage, and weighs the time-weighted mean.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from itertools import repeat
from operator import mul, sub
from typing import Final, NamedTuple

from collector.statistics.buckets import Bucket

Number = int | float


class BucketValues(NamedTuple):
    """The readings of a bucket: values in order of time and of size, and whole = value << shift.

    A value was in force for `covered` of `length` µs; `weighted` is the sum of whole × µs.
    """

    values: Sequence[Number]
    ordered: Sequence[Number]
    whole: Sequence[int]
    shift: int
    covered: int
    weighted: int
    length: int


def _mean(bucket: BucketValues) -> float:
    return sum(bucket.whole) / (len(bucket.whole) << bucket.shift)


def _mode(bucket: BucketValues) -> float | None:
    counts = Counter(bucket.values)
    most = max(counts.values())
    if list(counts.values()).count(most) > 1:
        return None
    return _float(next(value for value, count in counts.items() if count == most))


def _median(bucket: BucketValues) -> float:
    ordered = bucket.ordered
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return _float(ordered[middle])
    (one, other), shift = scaled(ordered[middle - 1 : middle + 1])
    return (one + other) / (2 << shift)


def _stdev(bucket: BucketValues) -> float:
    whole = bucket.whole
    count, total, squares = len(whole), sum(whole), sum(map(mul, whole, whole))
    return _root(count * squares - total * total, count * count << 2 * bucket.shift)


def _coverage(bucket: BucketValues) -> float:
    return 100 * bucket.covered / bucket.length


def _time_mean(bucket: BucketValues) -> float | None:
    return bucket.weighted / (bucket.covered << bucket.shift) if bucket.covered else None


class Statistic(StrEnum):
    """A statistic of a bucket, by the name of its column.

    Attributes:
        compute: returns it for a bucket; None where it is not defined.
        merged: SQL aggregate over several buckets.
        of_parts: whether that aggregate also holds for readings (each a bucket of count 1).
    """

    compute: Callable[[BucketValues], float | None]
    merged: str
    of_parts: bool

    def __new__(
        cls,
        name: str,
        compute: Callable[[BucketValues], float | None],
        merged: str,
        of_parts: bool = False,
    ) -> "Statistic":
        """Make a member whose value is its name."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.compute, member.merged, member.of_parts = compute, merged, of_parts
        return member

    MEAN = "mean", _mean, "sum(mean * count) / sum(count)", True
    # The most frequent of the modes; null in a bucket where two values are equally frequent.
    MODE = "mode", _mode, "mode() WITHIN GROUP (ORDER BY mode)"
    MEDIAN = "median", _median, "percentile_cont(0.5) WITHIN GROUP (ORDER BY median)"
    MAX = "max", lambda bucket: _float(bucket.ordered[-1]), "max(max)", True
    MIN = "min", lambda bucket: _float(bucket.ordered[0]), "min(min)", True
    # The population's; merged from the deviations of the buckets and the spread of their means.
    DEVIATION = (
        "stdev",
        _stdev,
        "sqrt(greatest(0, sum((stdev ^ 2 + mean ^ 2) * count) / sum(count)"
        " - (sum(mean * count) / sum(count)) ^ 2))",
    )
    COUNT = "count", lambda bucket: len(bucket.values), "sum(count)"
    # In %.
    COVERAGE = "coverage", _coverage, "avg(coverage)"
    # Null where no value was in force for any time.
    TIME_MEAN = (
        "time_mean",
        _time_mean,
        "sum(time_mean * coverage) / nullif(sum(coverage), 0)",
    )


Summary = dict[str, float | None]
"""The statistics of a bucket by name, in the order of `Statistic`."""

COLUMN_NAMES: Final = tuple(each.value for each in Statistic)
"""The columns of a table of statistics beside `codifier` and `timestamp`."""


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
        values = self.values[low:high]
        covered, weighted = self._in_force(bucket, low, high, hold)
        found = BucketValues(
            values,
            sorted(values),
            self._scaled[low:high],
            self._shift,
            covered,
            weighted,
            bucket.end - bucket.start,
        )
        return {each.value: each.compute(found) for each in Statistic}

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
