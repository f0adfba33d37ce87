"""Chooses the program whose shed masks a card follows, where several send the same mask. Pure.

A shed mask has one owner. A second program that sends it is a forgery, a wrong configuration, or
the successor of a shedder that has ended. So a card follows the epoch that it heard first until
that epoch's lease ends. A shedder repeats its masks, which tells how long its lease is: a
successor waits for two repetitions that do not come, and for `hold_s` at the most.
"""

from typing import Final

REPETITIONS: Final = 2.5
SHORTEST_S: Final = 2.0


class MaskSource:
    """The epoch that is followed for one mask; times are seconds of a monotonic clock.

    Attributes:
        epoch: the epoch that is followed, or None.
    """

    def __init__(self, hold_s: float) -> None:
        self.epoch: int | None = None
        self._hold_s = hold_s
        self._heard_s = 0.0
        self._interval_s = hold_s

    def follows(self, epoch: int, now_s: float) -> bool:
        """Take a mask of `epoch`; return whether it counts."""
        if self.epoch != epoch:
            if self.epoch is not None and now_s - self._heard_s < self.lease_s:
                return False
            self.epoch, self._interval_s = epoch, self._hold_s
        elif (passed_s := now_s - self._heard_s) > SHORTEST_S / REPETITIONS:
            # Masks that follow at once are changes and say nothing about the repetition.
            self._interval_s = min(passed_s, self._hold_s)
        self._heard_s = now_s
        return True

    @property
    def lease_s(self) -> float:
        """How long after its last mask the epoch is followed, s."""
        return min(self._hold_s, max(SHORTEST_S, REPETITIONS * self._interval_s))
