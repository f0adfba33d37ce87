"""Panels of the templates, in two languages."""

from collections.abc import Callable

import pytest

from jph.config.model import Network
from jph.gateway.live.board import Board, Row
from jph.gateway.platform.language import LANGUAGES
from jph.gateway.view import panels
from tests.jph.gateway.houses import card, house, node

ENGLISH, FRENCH = LANGUAGES["en"].say, LANGUAGES["fr"].say


@pytest.mark.parametrize(
    ("row", "english", "french"),
    [
        (Row(state="alive", value="19.5", unit="°C", number=19.5), "19.5 °C", "19,5 °C"),
        (
            Row(state="alive", value="eco, shed", order="eco", shed=True),
            "eco, shed",
            "éco, délesté",
        ),
        (Row(state="alive", value="frost", order="frost"), "frost", "hors-gel"),
        (
            Row(state="alive", value="peak, blue day"),
            "peak, blue day",
            "heures pleines, jour bleu",
        ),
        (Row(state="alive", value="v1.2"), "v1.2", "v1.2"),
    ],
)
def test_values_in_words(row: Row, english: str, french: str) -> None:
    assert " ".join(filter(None, panels.worded(row, ENGLISH, "en"))) == english
    assert " ".join(filter(None, panels.worded(row, FRENCH, "fr"))) == french


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ("No holes", "Aucun trou"),
        (
            "3 holes, 12 readings missing; 1 reading still asked for",
            "3 trous, il manque 12 mesures; 1 mesure encore demandée",
        ),
        ("9 strange things", "9 strange things"),
    ],
)
def test_texts_with_numbers_in_them(text: str, french: str) -> None:
    assert panels.counted(text, ENGLISH) == text
    assert panels.counted(text, FRENCH) == french


def test_who_needs_a_look(network: Callable[..., Network]) -> None:
    board = Board(network(*house(), node("OF", "Pipe", Active=False)))
    board.hear("TI", True, 5.0)
    board.hear("P1", False, 5.0)
    board.settle(6.0)
    troubles = {line.codifier: line.row.state for line in panels.troubles_of(board)}
    assert troubles["P1"] == "halted"
    assert troubles["P2"] == "silent"
    assert troubles.keys().isdisjoint({"TI", "OF", "CC", "I1"})
    assert panels.watched_of(board)["TI"] == ("Meter", 10)


def test_heaters_of_no_room_are_given_orders_too(network: Callable[..., Network]) -> None:
    board = Board(network(*house(), *card("P3", 3, ("31", ""))))
    rooms = panels.heated_rooms_of(board)
    assert [room.label for room in rooms] == ["Hall", "Kitchen", "Wall"]
    assert [chip.codifier for chip in rooms[-1].chips] == ["31"]
