"""State of a codifier, judged by the age of its last sign of life. Pure."""

from enum import StrEnum
from typing import Final

DEAD_AFTER: Final = 3.0
"""After so many `TimeoutWarning`s without a sign of life, late becomes dead: two missed in a row
happen on a busy network, three do not."""


class State(StrEnum):
    """State of a codifier."""

    ALIVE = "alive"
    LATE = "late"
    HALTED = "halted"
    DEAD = "dead"
    UNHEARD = "unheard"
    SILENT = "silent"


def state_of(
    age_s: float | None,
    timeout_s: float,
    *,
    active: bool = True,
    parent: State | None = None,
    listened_s: float | None = None,
) -> State:
    """Judge by the age of the last sign of life (None: there never was one) and by `active`.

    An element of a halted node is halted, whatever its age. A `timeout_s` of 0 or less asks for no
    warning. A program that has listened for `listened_s` only passes that: an element whose node
    lives is unheard until its time is over. Without it, no sign of life means silent.
    """
    if parent is State.HALTED:
        return State.HALTED
    if age_s is None:
        if listened_s is None or parent in (None, State.SILENT):
            return State.SILENT
        return State.LATE if 0 < timeout_s < listened_s else State.UNHEARD
    if timeout_s > 0 and age_s > DEAD_AFTER * timeout_s:
        return State.DEAD
    if timeout_s > 0 and age_s > timeout_s:
        return State.LATE
    return State.ALIVE if active else State.HALTED
