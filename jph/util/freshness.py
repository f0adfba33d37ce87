"""Judges the age of values: a node or element is alive, late, dead, halted or silent. Pure.

A value is as old as its own reading.  A keep-alive or an answer to a ping shows that a node lives;
it does not make the node's value fresh.  Page, console, API, metrics and nodes judge by `judge`.
"""

from enum import StrEnum
from typing import Final, NamedTuple

DEAD_AFTER: Final = 3.0
"""A codifier without a sign for this many times its `TimeoutWarning` is dead: two messages missed
in a row happen on a busy network, three do not."""

SENT_WITHIN: Final = 1.5
"""A node that sends at each `SensorInterval` is not late before this many of them."""


class State(StrEnum):
    """State of a codifier."""

    ALIVE = "alive"
    LATE = "late"
    HALTED = "halted"
    DEAD = "dead"
    UNHEARD = "unheard"
    SILENT = "silent"


class Signs(NamedTuple):
    """Ages of the last signs of a codifier in s, None where there never was one.

    `life_s` is that of a keep-alive or an answer, `reading_s` that of its own reading.
    """

    life_s: float | None = None
    reading_s: float | None = None

    @property
    def any_s(self) -> float | None:
        """The age of the newest sign of both."""
        return min((s for s in self if s is not None), default=None)


def judge_node(
    signs: Signs, timeout_s: float, interval_s: float = 0.0, *, active: bool = True
) -> State:
    """Return the state of a node with this `TimeoutWarning` and `SensorInterval`.

    A node that lives but whose own reading is too old is late.  A node that never sent a reading
    is judged by its signs of life alone.  A `timeout_s` of 0 means no warning.
    """
    age_s = signs.any_s
    if age_s is None:
        return State.SILENT
    if timeout_s > 0 and age_s > timeout_s:
        return State.DEAD if age_s > DEAD_AFTER * timeout_s else State.LATE
    if not active:
        return State.HALTED
    return (
        State.LATE if is_old(signs.reading_s, node_limit_s(timeout_s, interval_s)) else State.ALIVE
    )


def judge_element(
    reading_s: float | None,
    timeout_s: float,
    node: State | None = None,
    *,
    listened_s: float | None = None,
) -> State:
    """Return the state of an element whose node is in the state `node`.

    An element of a halted node is halted.  With a `timeout_s` of 0 an element sends only changes:
    it is late or dead only when its node is.  A program that has listened for `listened_s` only
    passes that: an element whose node lives is unheard until its time is over.
    """
    if node is State.HALTED:
        return State.HALTED
    if reading_s is None:
        if listened_s is None or node in (None, State.SILENT):
            return State.SILENT
        return State.LATE if 0 < timeout_s < listened_s else State.UNHEARD
    if timeout_s <= 0:
        return node if node in (State.LATE, State.DEAD) else State.ALIVE
    if reading_s > timeout_s:
        return State.DEAD if reading_s > DEAD_AFTER * timeout_s else State.LATE
    return State.ALIVE


def node_limit_s(timeout_s: float, interval_s: float) -> float:
    """Return the age from which a node's own reading is too old, 0 for never."""
    return max(timeout_s, SENT_WITHIN * interval_s) if timeout_s > 0 else 0.0


def is_old(reading_s: float | None, limit_s: float) -> bool:
    """Return whether a reading of this age is too old; a limit of 0 means never."""
    return reading_s is not None and limit_s > 0 and reading_s > limit_s
