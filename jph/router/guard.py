"""A guard against loops and doubles: what a network carried in the last seconds. Pure.

A datagram is known by the hash of its bytes. The hash of Python has a key of its own in each
process, so that no sender can choose equal ones.
"""

from typing import Final

KEPT_S: Final = 2.0
_MOST: Final = 1_000_000
"""Datagrams that each half of a guard remembers: 64 MB. Then the oldest half is forgotten."""


class Guard:
    """Datagrams seen on one network in at least the last two seconds."""

    def __init__(self) -> None:
        self._new: set[int] = set()
        self._old: set[int] = set()
        self._since_s = 0.0

    def is_new(self, digest: int, now_s: float) -> bool:
        """Note a datagram; say whether the network did not carry it before."""
        if now_s - self._since_s > KEPT_S or len(self._new) >= _MOST:
            self._old = self._new if now_s - self._since_s <= 2 * KEPT_S else set()
            self._new, self._since_s = set(), now_s
        if digest in self._new:
            return False
        self._new.add(digest)
        return digest not in self._old
