"""A token bucket: limits how often something happens. Pure."""

import math


class TokenBucket:
    """Holds `burst` tokens and gains `rate_per_s` tokens a second, up to `burst`.

    Times are seconds of a monotonic clock.
    """

    __slots__ = ("_burst_s", "_full_s", "_token_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._token_s = 1.0 / rate_per_s
        self._burst_s = (burst - 1.0) / rate_per_s
        self._full_s = -math.inf  # when the bucket is full again

    def take(self, now_s: float) -> bool:
        """Take a token, if there is one."""
        if self.free_s > now_s:
            return False
        self.spend(now_s)
        return True

    def spend(self, now_s: float) -> None:
        """Take a token; without one, the next token is late by one more."""
        self._full_s = max(self._full_s, now_s) + self._token_s

    def give_back(self) -> None:
        """Put a token back."""
        self._full_s -= self._token_s

    @property
    def free_s(self) -> float:
        """The time from which on there is a token."""
        return self._full_s - self._burst_s
