"""Reads times, counts and quality from the cache's hashes, and ages them. Pure."""

from collections.abc import Mapping
from typing import Final

from jph.wire.codec import Quality

_DOUBTS: Final = {
    int(quality): quality.name.lower()
    for quality in (Quality.STALE, Quality.IMPLAUSIBLE, Quality.ESTIMATED)
}
STAMPS: Final = ("ITimestamp", "DTimestamp", "TTimestamp")
"""Fields of a hash whose change shows that its codifier lives, ms since 1970 UTC."""


def is_active(fields: Mapping[str, str]) -> bool:
    """Return whether `IsActive`, as any program may write it, means active; without it, it does."""
    return fields.get("IsActive", "").strip().lower() not in {"0", "0.0", "false", "no", "off"}


def stamp_of(fields: Mapping[str, str], names: tuple[str, ...] = STAMPS) -> int:
    """Return the newest of the time fields `names` in ms, 0 when there is none that can be read."""
    return max(whole(fields.get(name, "")) for name in names)


def losses_of(fields: Mapping[str, str]) -> int:
    """Return the messages lost on both buses."""
    return whole(fields.get("CPacketsLost", "")) + whole(fields.get("DPacketsLost", ""))


def quality_of(fields: Mapping[str, str]) -> str:
    """Return the quality if it is stale, implausible or estimated, else an empty text."""
    return _DOUBTS.get(whole(fields.get("Quality", "")), "")


def whole(text: str) -> int:
    """Return a count or a time in ms of a hash; text that is no number from 0 up is 0."""
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0


class Sign:
    """The last sign of one codifier, aged by the monotonic clock.

    The stamps in a hash come from the senders' wall clocks, which may be an hour wrong or be
    stepped.  They are used once, for a hash written before this program started; after that a
    stamp that changes is a sign of now.
    """

    __slots__ = ("_at_s", "_stamp")

    def __init__(self) -> None:
        self._stamp = 0
        self._at_s: float | None = None

    def read(self, stamp_ms: int, wall_ms: int, monotonic_s: float, *, old: bool) -> bool:
        """Take the stamp of a hash, `old` if it may be an old one; return whether it changed."""
        if stamp_ms == self._stamp:
            return False
        self._stamp = stamp_ms
        age_s = max(0, wall_ms - stamp_ms) / 1000 if old else 0.0
        since = monotonic_s - age_s
        self._at_s = since if self._at_s is None else max(self._at_s, since)
        return True

    def hear(self, monotonic_s: float) -> None:
        """Take a sign of life heard on the bus."""
        self._at_s = monotonic_s

    @property
    def at_s(self) -> float | None:
        """The monotonic time of the last sign, None if there never was one."""
        return self._at_s

    def age_s(self, monotonic_s: float) -> float | None:
        """Return the seconds since the last sign, None if there never was one."""
        return None if self._at_s is None else max(0.0, monotonic_s - self._at_s)
