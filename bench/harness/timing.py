"""Medians, percentiles, and calls measured in turns."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Sequence


def median(values: Iterable[float]) -> float:
    """Return the median; NaN if a value is NaN."""
    found = list(values)
    return math.nan if any(map(math.isnan, found)) else statistics.median(found)


def percentile(times: Iterable[float], percent: float) -> float:
    """Return the smallest of the times that at least `percent` of them do not exceed."""
    ordered = sorted(times)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def in_turns(
    calls: Sequence[Callable[[], object]], rounds: int, warm_up: int = 1
) -> list[list[float]]:
    """Return the seconds of every call, the calls made one after the other in each round.

    The `warm_up` rounds before them are not counted.
    """
    times: list[list[float]] = [[] for _ in calls]
    for number in range(rounds + warm_up):
        for call, passed in zip(calls, times, strict=True):
            started_s = time.perf_counter()
            call()
            if number >= warm_up:
                passed.append(time.perf_counter() - started_s)
    return times
