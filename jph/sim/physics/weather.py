"""Outdoor temperature: a cold spell with warmer afternoons and days that differ."""

import math
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S

WARMEST_HOUR: Final = 15.0


@dataclass(frozen=True, slots=True)
class Weather:
    """A season: mean °C, half the span of a day in K, and how much days differ in K."""

    mean_c: float = -3.0
    daily_k: float = 3.0
    spread_k: float = 2.0
    seed: int = 0

    def outdoor_c(self, time_s: float) -> float:
        """Return °C at a house time (s since the midnight of day 0); continuous."""
        day, passed_s = divmod(time_s, DAY_S)
        share = passed_s / DAY_S
        today = (
            _offset(self.seed, int(day)) * (1 - share) + _offset(self.seed, int(day) + 1) * share
        )
        swing = math.cos(2 * math.pi * (passed_s / HOUR_S - WARMEST_HOUR) / 24)
        return self.mean_c + self.spread_k * today + self.daily_k * swing


@lru_cache(maxsize=256)
def _offset(seed: int, day: int) -> float:
    return Random(f"weather {seed} {day}").gauss(0.0, 1.0)
