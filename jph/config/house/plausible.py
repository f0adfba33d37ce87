"""Plausible ranges of a house's currents and limits: a finite number is not enough. Pure."""

import math
from typing import Final

MOST_LIMITS: Final = 5.0
"""A breaker of type C may open at once from 5 times its rating, and must within 0.1 s at 10 times
(EN 60898-1 table 7): the currents that a meter sends are below."""

ALWAYS_A: Final = 100.0
"""A current up to this is plausible whatever the limit is: a declared limit may be a small one."""

MOST_LIMIT_A: Final = 1000.0


def plausible_current(value: object, limit_a: float | None) -> float | None:
    """Return a current in A, None if it is none or cannot flow through a phase of this limit."""
    most_a = max(ALWAYS_A, MOST_LIMITS * limit_a) if limit_a else MOST_LIMITS * MOST_LIMIT_A
    number = _number(value)
    return number if number is not None and 0 <= number <= most_a else None


def plausible_limit(value: object) -> float | None:
    """Return a limit in A, None if no contract or breaker has such a one."""
    number = _number(value)
    return number if number is not None and 0 < number < MOST_LIMIT_A else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
