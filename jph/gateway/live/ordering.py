"""Answers of heaters to orders, as the API returns them."""

import msgspec

from jph.heating.explain.answers import Outcome
from jph.heating.explain.sentences import Say, english


class HeaterAnswer(msgspec.Struct, frozen=True):
    """The answer of a heater to an order; orders are words, `text` is for people.

    `applied` is the order on its wire; `followed` is false where the card refused, does not
    answer, or cannot reach its chip.
    """

    codifier: str
    room: str
    name: str
    wanted: str
    ordered: str | None
    applied: str | None
    followed: bool
    text: str


def heater_answer(outcome: Outcome, say: Say = english) -> HeaterAnswer:
    """Put the outcome of an order into words."""
    heater, ordered, applied = outcome.heater, outcome.ordered, outcome.applied
    return HeaterAnswer(
        heater.codifier,
        heater.room,
        heater.name,
        outcome.wanted.word,
        ordered.word if ordered is not None else None,
        applied.word if applied is not None else None,
        outcome.followed,
        outcome.words(say),
    )
