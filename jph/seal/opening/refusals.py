"""Counts refused messages and frames by cause and sender. Pure."""

from collections import Counter
from collections.abc import Callable, Container
from enum import StrEnum
from typing import Final

from jph.seal.frame import Fields

_MOST_COUNTS: Final = 1000
NO_MEMBER: Final = "??"
"""Counts the frames of all who are no members."""


class Cause(StrEnum):
    """Reasons to refuse a message."""

    OPEN = "open"
    GENERATION = "generation"
    KEY = "key"
    SIGNATURE = "signature"
    RIGHT = "right"
    REPLAY = "replay"
    EARLY = "early"
    STALE = "stale"
    UNFRESH = "unfresh"
    SERIAL = "serial"

    __hash__ = str.__hash__  # that of an Enum is a function of Python


Refuse = Callable[[Cause, str, Fields | None], None]
"""Takes the cause, the node of the frame, and what the message claims to be, if it was read."""


class Refusals:
    """Refused messages of one opener.

    Attributes:
        members: the members; other nodes are counted together.
        counts: refusals by cause and node.
        on_refused: is called with each.
    """

    def __init__(self, members: Container[str]) -> None:
        self.members = members
        self.counts: Counter[tuple[Cause, str]] = Counter()
        self.on_refused: Refuse = lambda cause, node, claimed: None

    def add(self, cause: Cause, node: str, claimed: Fields | None = None) -> None:
        """Count a refusal."""
        counts = self.counts
        key = cause, node if node in self.members else NO_MEMBER
        if key in counts:
            counts[key] += 1
        elif len(counts) < _MOST_COUNTS:
            counts[key] = 1
        self.on_refused(cause, node, claimed)
