"""Facts about the house that are not known now, ready for pages, stream and API. Pure.

The board finds them (`Board.blind`); every surface shows the same list, and shows it first.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from jph.gateway.live.board import Board
from jph.heating.explain.blindness import Blind
from jph.heating.explain.sentences import Say, english

HEADLINES: Final = {
    "cache": "The newest values are not known",
    "meter": "What the house draws is not known",
    "shedder": "The breaker is not protected",
    "card": "Whether the heaters obey is not known",
    "history": "Readings may not be stored",
    "disk": "Files cannot be written",
    "sensor": "A sensor does not answer",
    "current": "A current is not plausible",
    "shared": "Two programs share a codifier",
    "clock": "A clock is wrong",
}
"""The headline by the worst part; parts are in the order of their weight."""
NOTED: Final = frozenset({"sensor", "current", "shared", "clock"})
"""Parts that are reported, but leave the house safe."""


class Unknown(msgspec.Struct, frozen=True):
    """One thing that is not known: its part, node and phases, and a sentence.

    `text` is English with the names of `values` in braces, so that a browser can translate it.
    `codes` are the codifiers whose values are not those of now.
    """

    part: str
    code: str
    phases: list[int]
    text: str
    values: dict[str, str]
    codes: list[str]

    def words(self, say: Say = english) -> str:
        """Return the sentence in a language."""
        return say(self.text, **self.values)


def unknown_of(board: Board) -> list[Unknown]:
    """Return what is not known of a house, the worst first."""
    return [
        Unknown(
            part=each.part,
            code=each.codifier,
            phases=list(each.phases),
            text=each.text,
            values=dict(each.values),
            codes=sorted(_codes(board, each)),
        )
        for each in board.blind
    ]


def is_blind(found: Iterable[Unknown]) -> bool:
    """Whether something is not known that the house needs to be safe or to keep its history."""
    return any(each.part not in NOTED for each in found)


def _codes(board: Board, blind: Blind) -> set[str]:
    """Return the codifiers that show what is not known: currents, masks, heaters."""
    phases = [phase for phase in board.house.phases if phase.number in blind.phases]
    if blind.part == "meter":
        return {phase.current for phase in phases if phase.current}
    if blind.part == "shedder":
        return {phase.mask for phase in phases if phase.mask}
    if blind.part == "card":
        heaters = board.house.wiring.heaters.values()
        return {h.codifier for h in heaters if h.actuator.card == blind.codifier}
    return set()
