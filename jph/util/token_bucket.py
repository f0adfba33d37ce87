"""So many at once, and so many a second: what keeps asking, logging and listening bounded. Pure."""

import math


class TokenBucket:
    """`at_once` may be spent in a moment, `a_second` more come back each second.

    Times are those of a clock that only goes forward, in seconds.
    """

    __slots__ = ("_each_s", "_room_s", "_whole_s")

    def __init__(self, a_second: float, at_once: float) -> None:
        self._each_s = 1.0 / a_second
        self._room_s = (at_once - 1.0) / a_second
        self._whole_s = -math.inf  # when everything will be there again

    def take(self, now_s: float) -> bool:
        """Spend one, if it is there."""
        if self.free_s > now_s:
            return False
        self.spend(now_s)
        return True

    def spend(self, now_s: float) -> None:
        """Spend one, be it there or not."""
        self._whole_s = max(self._whole_s, now_s) + self._each_s

    def give_back(self) -> None:
        """Take back what one was spent for."""
        self._whole_s -= self._each_s

    @property
    def free_s(self) -> float:
        """From when on there is one to spend."""
        return self._whole_s - self._room_s
