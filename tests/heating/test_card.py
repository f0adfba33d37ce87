import pytest
from hypothesis import given
from hypothesis import strategies as st

from heating.card import Card
from heating.orders import Order, decode
from heating.wiring import Heater, Wiring

HEATERS = [
    Heater(
        f"1{wire}", "P1", wire, 1 if wire < 8 else 2, wire - 1 if wire < 8 else 0, "", "", None, 1
    )
    for wire in range(1, 9)
] + [Heater("1A", "P2", 1, 1, 7, "", "", None, 9)]
HOUSE = Wiring(HEATERS)


@pytest.fixture
def card() -> Card:
    return Card(HOUSE, "P1", hold_s=60, release_interval_s=5)


def test_orders_alone(card: Card) -> None:
    assert card.latches(0) == (0, 0)
    card.orders["11"] = Order.ECO
    card.orders["18"] = Order.FROST
    assert card.latches(0) == (0b11, 0b1000_0000)


def test_a_shed_lies_on_top_and_the_order_returns(card: Card) -> None:
    card.orders["12"] = Order.ECO
    card.hear(1, 0b1000_0010, 0)  # bit 7 is another card's
    assert card.shed(0) == {"12"}
    assert card.latches(0) == (0b0100, 0)
    card.orders["12"] = Order.FROST  # an order given during a shed takes effect at its end
    assert card.latches(1) == (0b0100, 0)
    card.hear(1, 0, 2)
    assert card.latches(2) == (0b1000, 0)


def test_phases_do_not_mix(card: Card) -> None:
    card.hear(2, 0b1, 0)
    assert card.shed(0) == {"18"}


def test_a_silent_shedder_is_held_then_released_across_cards(card: Card) -> None:
    card.hear(1, 0b1000_0011, 0)
    assert card.shed(59) == {"11", "12"}
    assert card.shed(60) == {"11", "12"}  # the other card's more important one goes first
    assert card.shed(65) == {"12"}
    assert card.shed(70) == set()
    card.hear(1, 0b1, 71)
    assert card.shed(71) == {"11"}


def test_a_restart_takes_over_what_the_chip_still_sheds(card: Card) -> None:
    card.orders["13"] = Order.OFF
    card.adopt((0b01_01_01_00, 0), now_s=10)  # wires 2 and 4 shed, wire 3 ordered off
    assert card.shed(10) == {"12", "14"}
    assert card.latches(10) == (0b01_01_01_00, 0)
    assert card.shed(75) == set()


def test_what_was_heard_counts_more_than_what_the_chip_says(card: Card) -> None:
    card.hear(1, 0, 9)
    card.adopt((0b01, 0), 10)
    assert card.shed(10) == set()


def test_rewired_it_goes_on(card: Card) -> None:
    card.orders["11"] = Order.ECO
    card.orders["18"] = Order.FROST
    card.hear(1, 0b10, 0)
    rewired = Card(Wiring(HEATERS[:2]), "P1", 60, 5)
    rewired.take_over(card)
    assert rewired.orders == {"11": Order.ECO, "12": Order.COMFORT}
    assert rewired.shed(1) == {"12"}


@given(
    orders=st.lists(st.sampled_from(Order), min_size=8, max_size=8),
    mask=st.integers(0, 2**32 - 1),
    silent_s=st.floats(0, 200),
)
def test_a_shed_heater_is_off_and_any_other_follows_its_order(
    orders: list[Order], mask: int, silent_s: float
) -> None:
    card = Card(HOUSE, "P1", hold_s=60, release_interval_s=5)
    card.orders = dict(zip(card.heaters, orders, strict=True))
    card.hear(1, mask, 0)
    shed = card.shed(silent_s)
    wires = decode(card.latches(silent_s))
    for codifier, heater in card.heaters.items():
        asked = heater.phase == 1 and bool(mask >> heater.bit & 1)
        assert asked or codifier not in shed
        assert not asked or silent_s >= 60 or codifier in shed
        expected = Order.OFF if codifier in shed else card.orders[codifier]
        assert wires[heater.wire] is expected
