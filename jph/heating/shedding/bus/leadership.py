"""Elects the shedder that decides: the one of lowest rank that is alive. Pure.

Between equal ranks the lower codifier goes first.  A shedder that hears no better one for
`LEADER_SILENCE_S` decides until a better one is heard again.
"""

from collections.abc import Iterable, Mapping
from typing import Final

LEADER_SILENCE_S: Final = 2.2
"""A shedder sends each second; one that is silent for two of them and a margin is replaced."""

START_S: Final = 2.0
"""Of shedders that start together the best one must be heard before the others decide."""


class Leadership:
    """Whether this shedder decides; times are monotonic seconds."""

    def __init__(self, codifier: str, rank: int, others: Mapping[str, int], now_s: float) -> None:
        self._me = (rank, codifier)
        self._others = others
        behind = any(self._is_better(other) for other in others)
        self._heard_better_s = now_s + (START_S if behind else 0.0)
        self.leading = not others

    def set_others(self, others: Mapping[str, int]) -> None:
        """Take the other shedders of a new configuration, by rank."""
        self._others = others

    def hear(self, sources: Iterable[str], now_s: float) -> bool:
        """Take the sources of readings; return whether a better shedder takes over now."""
        if not self._others or not any(self._is_better(source) for source in sources):
            return False
        self._heard_better_s = now_s
        was, self.leading = self.leading, False
        return was

    def look(self, now_s: float) -> bool:
        """Return whether this shedder takes over now: no better one is heard."""
        silent_s = now_s - self._heard_better_s
        if self.leading or silent_s <= LEADER_SILENCE_S:
            return False
        self.leading = True
        return True

    def _is_better(self, codifier: str) -> bool:
        rank = self._others.get(codifier)
        return rank is not None and (rank, codifier) < self._me
