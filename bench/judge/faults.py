"""Losses on the line of a meter in a day: silences, spells of noise, single groups."""

from bisect import bisect_right
from random import Random
from typing import Final

SILENCES_A_DAY: Final = 4
SILENCE_S: Final = 60.0
NOISES_A_DAY: Final = 6
NOISE_S: Final = (10.0, 40.0)
HEARD_IN_NOISE: Final = 0.1
LOST: Final = 0.005
"""Share of groups lost at any time, by a wrong checksum or parity."""


class Faults:
    """The faults of a day, from its seed alone, so that every policy meets the same spells."""

    def __init__(self, seed: int, hours: float) -> None:
        random = Random(f"faults {seed}")
        day_s = hours * 3600
        spells: list[tuple[float, float, float]] = []
        for _ in range(SILENCES_A_DAY):
            start_s = random.uniform(0.0, day_s)
            spells.append((start_s, start_s + SILENCE_S, 0.0))
        for _ in range(NOISES_A_DAY):
            start_s = random.uniform(0.0, day_s)
            spells.append((start_s, start_s + random.uniform(*NOISE_S), HEARD_IN_NOISE))
        self._spells = sorted(spells)
        self._starts = [start_s for start_s, _, _ in self._spells]
        self._random = random

    def heard(self, time_s: float) -> bool:
        """Return whether a group that ends now is heard."""
        share = 1.0 - LOST
        for _, end_s, heard in self._spells[: bisect_right(self._starts, time_s)]:
            if time_s < end_s:
                share = min(share, heard)
        return self._random.random() < share
