"""How long to wait before starting a part again. Pure."""

from typing import Final

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 30.0
GOOD_LIFE_S: Final = 60.0
"""Whoever lived this long is forgiven earlier deaths."""


class Backoff:
    """Doubles the delay at each death that comes soon after the last."""

    def __init__(self) -> None:
        self._deaths = 0

    def delay_s(self, lived_s: float) -> float:
        """Return the seconds to wait after a life of `lived_s` seconds."""
        if lived_s >= GOOD_LIFE_S:
            self._deaths = 0
        delay = FIRST_DELAY_S * 2.0 ** min(self._deaths, 16)
        self._deaths += 1
        return min(delay, LONGEST_DELAY_S)
