import pytest

from jph.config.house.loads import Wiring
from jph.errors import ConfigError
from jph.heating.orders.coding import Order
from jph.heating.orders.targets import choose, split
from tests.jph.heating.shedding.loads import pilot_heater

HOUSE = Wiring(
    [
        pilot_heater("11", "P1", 1, 1, 0, "Salon", "Fenêtre", None, 1),
        pilot_heater("12", "P1", 2, 1, 1, "Salle à manger", "", None, 1),
        pilot_heater("21", "P2", 1, 2, 0, "Salon", "Porte", None, 1),
        pilot_heater("22", "P2", 2, 2, 1, "", "", None, 1),
    ]
)


@pytest.mark.parametrize(
    ("text", "codifiers"),
    [
        ("21", ["21"]),
        ("salon", ["11", "21"]),
        ("SALON", ["11", "21"]),
        ("salle a manger", ["12"]),
        ("Salle-à-manger", ["12"]),
        ("salon fenetre", ["11"]),
        ("phase 2", ["21", "22"]),
        ("phase2", ["21", "22"]),
        ("all", ["11", "12", "21", "22"]),
        ("tout", ["11", "12", "21", "22"]),
    ],
)
def test_who_is_meant(text: str, codifiers: list[str]) -> None:
    assert [heater.codifier for heater in choose(HOUSE, text)] == codifiers


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("sallon", "near: Salon"),
        ("manger", "near: Salle à manger"),
        ("phase 3", "near: phase 2, phase 1"),
        ("23", "near: 22, 21 (Salon Porte)"),
        ("zzzz", "the rooms are: Salle à manger, Salon"),
        ("", "the rooms are"),
    ],
)
def test_who_is_not_there(text: str, near: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(HOUSE, text)
    assert near in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("words", "target", "order"),
    [
        ("21 eco", "21", Order.ECO),
        ("salle a manger hors gel", "salle a manger", Order.FROST),
        ("phase 2 comfort -1", "phase 2", Order.COMFORT_1),
        ("phase 2 confort-2", "phase 2", Order.COMFORT_2),
        ("eco", "", Order.ECO),
    ],
)
def test_words_are_target_and_order(words: str, target: str, order: Order) -> None:
    assert split(words.split()) == (target, order)


@pytest.mark.parametrize("words", ["salon warm", "salon", ""])
def test_words_without_an_order(words: str) -> None:
    with pytest.raises(ValueError, match="is no order; the orders are comfort"):
        split(words.split())
