"""Signs of life, quality and losses of a codifier, read from its hash in the cache. Pure."""

from collections.abc import Mapping
from typing import Final

from jph.wire.codec import Quality

_DOUBTS: Final = {
    int(quality): quality.name.lower()
    for quality in (Quality.STALE, Quality.IMPLAUSIBLE, Quality.ESTIMATED)
}
STAMPS: Final = ("ITimestamp", "DTimestamp", "TTimestamp")
"""The fields of a hash that prove its codifier alive, ms since 1970 UTC."""


def is_active(fields: Mapping[str, str]) -> bool:
    """Read `IsActive` as any program may have written it; active when nobody said otherwise."""
    return fields.get("IsActive", "").strip().lower() not in {"0", "0.0", "false", "no", "off"}


def stamp_of(fields: Mapping[str, str], names: tuple[str, ...] = STAMPS) -> int:
    """Return the newest of the time fields `names` in ms, 0 when there is none that can be read."""
    return max(whole(fields.get(name, "")) for name in names)


def losses_of(fields: Mapping[str, str]) -> int:
    """Return the messages lost on both buses."""
    return whole(fields.get("CPacketsLost", "")) + whole(fields.get("DPacketsLost", ""))


def quality_of(fields: Mapping[str, str]) -> str:
    """Return what the sender doubts of its value: stale, implausible or estimated, else ""."""
    return _DOUBTS.get(whole(fields.get("Quality", "")), "")


def whole(text: str) -> int:
    """Read a count or a time in ms from a hash; what is not a number from 0 up reads as 0."""
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0


class Sign:
    """The last sign of life of one codifier, aged by a clock that nobody can step.

    The stamps in a hash come from the senders' wall clocks, which may be an hour wrong or be
    stepped. They are believed once, for what was there before us; from then on a stamp that
    *changes* is a sign of life now, whatever it says.
    """

    __slots__ = ("_at_s", "_stamp")

    def __init__(self) -> None:
        self._stamp = 0
        self._at_s: float | None = None

    def read(self, stamp_ms: int, wall_ms: int, monotonic_s: float, *, old: bool) -> bool:
        """Take a hash's stamp; `old` when it may have been written long ago. True if it changed."""
        if stamp_ms == self._stamp:
            return False
        self._stamp = stamp_ms
        age_s = max(0, wall_ms - stamp_ms) / 1000 if old else 0.0
        since = monotonic_s - age_s
        self._at_s = since if self._at_s is None else max(self._at_s, since)
        return True

    def hear(self, monotonic_s: float) -> None:
        """Take a sign of life heard on the bus itself."""
        self._at_s = monotonic_s

    def age_s(self, monotonic_s: float) -> float | None:
        """Seconds since the last sign of life, None if there never was one."""
        return None if self._at_s is None else max(0.0, monotonic_s - self._at_s)
