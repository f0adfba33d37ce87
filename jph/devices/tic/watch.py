"""Judges a serial line from counts and time: wait, try another speed, or open it again. Pure."""

from enum import Enum

HUNT_S = 4.0
"""Two frames of the slowest meter: bytes without one good group mean the wrong speed."""

FAITH_S = 20.0
"""Longest time of bytes without a good group at a speed at which frames were read before."""

NO_BYTES_S = 60.0
"""A port without a byte is opened again after this time."""


class Verdict(Enum):
    """The judgement of a line; its value is the reason for the log."""

    WAIT = "the line is good, or it is too early to judge"
    HUNT = "bytes make no sense at this speed"
    SILENT = "no good group from the meter any more"
    NO_BYTES = "no byte from the meter"


class LineWatch:
    """Watch one opened port. Times are monotonic seconds, counts only rise.

    ``patience_s`` is how long bytes may make no sense; it may be changed with the speed.
    """

    def __init__(self, silence_s: float, now_s: float, received: int, groups: int) -> None:
        self.silence_s = silence_s
        self.patience_s = HUNT_S
        self._byte_at = self._group_at = self._hunting_since = now_s
        self._received = self._received_at_hunt = received
        self._groups = groups
        self._heard = False

    def step(self, now_s: float, received: int, groups: int) -> Verdict:
        """Judge at ``now_s``, with ``received`` bytes and ``groups`` good groups so far."""
        if received > self._received:
            self._received, self._byte_at = received, now_s
        if groups > self._groups:
            self._groups, self._group_at, self._heard = groups, now_s, True
        if now_s - self._byte_at > NO_BYTES_S:
            return Verdict.NO_BYTES
        if self._heard:
            return Verdict.SILENT if self.is_silent(now_s) else Verdict.WAIT
        if now_s - self._hunting_since <= self.patience_s:
            return Verdict.WAIT
        sensible = received == self._received_at_hunt
        self._hunting_since, self._received_at_hunt = now_s, received
        return Verdict.WAIT if sensible else Verdict.HUNT

    def is_silent(self, now_s: float) -> bool:
        """Whether no good group came for the configured silence."""
        return now_s - self._group_at > self.silence_s

    def pauses(self, now_s: float, pause_s: float) -> bool:
        """Whether no byte has come for ``pause_s``."""
        return now_s - self._byte_at > pause_s
