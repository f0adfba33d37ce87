"""Exponential backoff: the delay before the next attempt. Pure."""

import math


def delay_after(tries: int, first_s: float, longest_s: float) -> float:
    """Return the delay in seconds after `tries` failed attempts that follow a first one.

    The delay doubles with each attempt from `first_s` on and stays at `longest_s`.
    """
    return min(first_s * 2.0 ** min(tries, 64), longest_s)


class Backoff:
    """Doubles the delay at each attempt, until one of them counts as a success.

    An attempt that lasted `good_s` seconds or longer counts as a success, and so does one after
    which the caller calls `reset`.
    """

    def __init__(self, first_s: float, longest_s: float, good_s: float = math.inf) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._good_s = good_s
        self._tries = 0

    def next_s(self, lasted_s: float = 0.0) -> float:
        """Return the seconds to wait after an attempt that lasted `lasted_s` seconds."""
        if lasted_s >= self._good_s:
            self._tries = 0
        self._tries += 1
        return delay_after(self._tries - 1, self._first_s, self._longest_s)

    def reset(self) -> None:
        """Start again with the first delay."""
        self._tries = 0
