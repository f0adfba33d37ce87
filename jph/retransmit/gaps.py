"""Interval sets: the missing positions of a long sequence. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Interval = tuple[int, int]
"""From the first number to the one after the last."""


class IntervalSet:
    """Sorted, disjoint, half-open ranges; ranges that touch become one.

    Attributes:
        total: how many numbers there are.
    """

    __slots__ = ("_ends", "_starts", "total")

    def __init__(self, ranges: Iterable[Interval] = ()) -> None:
        self.total = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[Interval]:
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._starts)

    def __contains__(self, number: int) -> bool:
        position = bisect_right(self._starts, number) - 1
        return position >= 0 and number < self._ends[position]

    @property
    def first(self) -> int:
        """The smallest number; there must be one."""
        return self._starts[0]

    @property
    def end(self) -> int:
        """One more than the largest number; there must be one."""
        return self._ends[-1]

    def add(self, start: int, end: int) -> None:
        """Add the numbers from `start` to below `end`."""
        if start >= end:
            return
        if not self._ends or start > self._ends[-1]:  # by far the usual: newer than all
            self._starts.append(start)
            self._ends.append(end)
            self.total += end - start
            return
        left = bisect_left(self._ends, start)
        right = bisect_right(self._starts, end)
        if left < right:
            start = min(start, self._starts[left])
            end = max(end, self._ends[right - 1])
            self.total -= sum(self._ends[left:right]) - sum(self._starts[left:right])
        self.total += end - start
        self._starts[left:right] = [start]
        self._ends[left:right] = [end]

    def remove(self, start: int, end: int) -> list[Interval]:
        """Remove the numbers from `start` to below `end`; return those that were in the set."""
        left = bisect_right(self._ends, start)
        right = bisect_left(self._starts, end)
        if left >= right or start >= end:
            return []
        old = list(zip(self._starts[left:right], self._ends[left:right], strict=True))
        kept = []
        if old[0][0] < start:
            kept.append((old[0][0], start))
        if old[-1][1] > end:
            kept.append((end, old[-1][1]))
        self._starts[left:right] = [s for s, _ in kept]
        self._ends[left:right] = [e for _, e in kept]
        removed = [(max(s, start), min(e, end)) for s, e in old]
        self.total -= sum(e - s for s, e in removed)
        return removed

    def discard(self, number: int) -> bool:
        """Remove one number; return whether it was in the set."""
        return bool(self.remove(number, number + 1))

    def within(self, start: int, end: int) -> list[Interval]:
        """Return the parts from `start` to below `end`."""
        left = bisect_right(self._ends, start)
        right = bisect_left(self._starts, end)
        return [
            (max(s, start), min(e, end))
            for s, e in zip(self._starts[left:right], self._ends[left:right], strict=True)
            if max(s, start) < min(e, end)
        ]
