"""A value of the meter that changes only when several frames in a row agree on the new one. Pure.

A checksum of six bits lets one damaged line in 64 pass. Such a line must not change what the meter
is: its phases, its contract, its address.
"""

from typing import Generic, TypeVar

T = TypeVar("T")

CONFIRMATIONS = 3
"""Frames in a row that must say the same before a known value changes."""


class Confirmed(Generic[T]):
    """A value that is taken at once while none is known, and changes when confirmed.

    Attributes:
        value: what is known, or None.
        pending: what was read last, if it differs and is not confirmed yet.
    """

    def __init__(self, times: int = CONFIRMATIONS) -> None:
        self.value: T | None = None
        self.pending: T | None = None
        self._times = times
        self._seen = 0

    def see(self, read: T) -> bool:
        """Take the value of a frame; return whether the value changed."""
        if read == self.value:
            self.pending, self._seen = None, 0
            return False
        self._seen = self._seen + 1 if read == self.pending else 1
        self.pending = read
        if self.value is not None and self._seen < self._times:
            return False
        self.value, self.pending, self._seen = read, None, 0
        return True

    def forget(self) -> None:
        """Know nothing, as at the start."""
        self.value = self.pending = None
        self._seen = 0
