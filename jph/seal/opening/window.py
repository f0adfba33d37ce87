"""A replay window: each counter once, and none that is too far behind (RFC 6479). Pure."""

from typing import Final

SIZE: Final = 2048
_MASK: Final = (1 << SIZE) - 1


class Window:
    """Counters of one sender on one bus that were accepted.

    Attributes:
        highest: the highest counter accepted; at first the one before the first expected.
    """

    __slots__ = ("_seen", "highest")

    def __init__(self, first: int = 0) -> None:
        self.highest = first - 1
        self._seen = 0

    def may_come(self, counter: int) -> bool:
        """Say whether a counter was not accepted before and is not too old."""
        behind = self.highest - counter
        if behind < 0:
            return True
        return behind < SIZE and not self._seen >> behind & 1

    def accept(self, counter: int) -> None:
        """Note a counter; call only for one that may come and whose frame is genuine."""
        ahead = counter - self.highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, SIZE) | 1) & _MASK
            self.highest = counter
        else:
            self._seen |= 1 << -ahead
