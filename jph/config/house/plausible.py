"""Plausible ranges of a house's currents and limits: a finite number is not enough. Pure."""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

MOST_LIMITS: Final = 5.0
"""A breaker of type C may open at once from 5 times its rating, and must within 0.1 s at 10 times
(EN 60898-1 table 7): the currents that a meter sends are below."""

ALWAYS_A: Final = 100.0
"""A current up to this is plausible whatever the limit is: a declared limit may be a small one."""

MOST_LIMIT_A: Final = 1000.0

REMEMBERED_S: Final = 60.0
"""A current that is not believed is named for this time."""


def plausible_current(value: object, limit_a: float | None) -> float | None:
    """Return a current in A, None if it is none or cannot flow through a phase of this limit."""
    most_a = max(ALWAYS_A, MOST_LIMITS * limit_a) if limit_a else MOST_LIMITS * MOST_LIMIT_A
    number = _number(value)
    return number if number is not None and 0 <= number <= most_a else None


def plausible_limit(value: object) -> float | None:
    """Return a limit in A, None if no contract or breaker has such a one."""
    number = _number(value)
    return number if number is not None and 0 < number < MOST_LIMIT_A else None


class CurrentOf(Protocol):
    """A phase of the house model: the elements of its current and of its contract."""

    @property
    def current(self) -> str:
        """Codifier of the current."""

    @property
    def subscribed(self) -> str:
        """Codifier of the contract's current."""

    def smaller_limit(self, subscribed_a: float | None) -> float | None:
        """Return the limit in A."""


class Refused(NamedTuple):
    """A current that was not believed, and the monotonic time at which it came."""

    value: float
    at_s: float


class CurrentFilter:
    """Tells currents that can flow from those that cannot; remembers the latter for a while.

    A current that is not believed is no reading: the one before it stays, with its age.
    """

    def __init__(self, phases: Iterable[CurrentOf]) -> None:
        self._phases = {phase.current: phase for phase in phases if phase.current}
        self._subscribed = {p.subscribed for p in self._phases.values() if p.subscribed}
        self._limits: dict[str, float | None] = {}
        self._refused: dict[str, Refused] = {}

    def believes(self, codifier: str, value: object, now_s: float) -> bool:
        """Take a value; return whether it is plausible. Only currents are judged."""
        if codifier in self._subscribed:
            self._limits[codifier] = plausible_limit(value)
        phase, number = self._phases.get(codifier), _number(value)
        if phase is None or number is None:
            return True
        limit_a = phase.smaller_limit(self._limits.get(phase.subscribed))
        if plausible_current(number, limit_a) is not None:
            return True
        self._refused[codifier] = Refused(number, now_s)
        return False

    def refused(self, now_s: float) -> Mapping[str, float]:
        """Return the currents that were not believed within the last minute, by codifier."""
        return {
            code: each.value
            for code, each in self._refused.items()
            if now_s - each.at_s <= REMEMBERED_S
        }


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
