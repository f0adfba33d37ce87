"""Judges energy indexes: they only rise, and no faster than the contract allows. Pure."""

from typing import NamedTuple

LARGEST_VA = 36_000
"""The largest contract of meters with this link, and the limit while the contract is not known."""

EXCESS = 1.5
"""Factor by which a contract may be exceeded before a breaker opens, with a margin."""

SLACK_WH = 100.0
"""What the pace of frames, or a capture played fast, may add."""

CONFIRMATIONS = 3
"""Consistent values after which a refused index is the meter's new truth (an exchanged meter)."""


class _Seen(NamedTuple):
    wh: int
    at_s: float
    times: int = 1

    def leads_to(self, wh: int, now_s: float, limit_va: int) -> bool:
        rise = wh - self.wh
        return 0 <= rise <= SLACK_WH + EXCESS * limit_va * (now_s - self.at_s) / 3600


class IndexGuard:
    """Judge each index by the last one believed. Bounded by the labels of the norms."""

    def __init__(self) -> None:
        self._believed: dict[str, _Seen] = {}
        self._refused: dict[str, _Seen] = {}

    def plausible(self, label: str, wh: int, now_s: float, limit_va: int = LARGEST_VA) -> bool:
        """Whether index ``label`` may be ``wh`` at monotonic time ``now_s``.

        ``limit_va`` is the power of the contract.
        """
        believed = self._believed.get(label)
        if believed is None or believed.leads_to(wh, now_s, limit_va):
            self._believe(label, wh, now_s)
            return True
        refused = self._refused.get(label)
        times = refused.times + 1 if refused and refused.leads_to(wh, now_s, limit_va) else 1
        if times >= CONFIRMATIONS:
            self._believe(label, wh, now_s)
            return True
        self._refused[label] = _Seen(wh, now_s, times)
        return False

    def forget(self) -> None:
        """Forget all indexes: the meter was exchanged."""
        self._believed.clear()
        self._refused.clear()

    def _believe(self, label: str, wh: int, now_s: float) -> None:
        self._believed[label] = _Seen(wh, now_s)
        self._refused.pop(label, None)
