import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.config.house.loads import ECO_SHIFT, Wiring
from jph.heating.card.leases import Fallback, Stage
from jph.heating.card.outputs import Card
from jph.heating.orders.coding import Order, decode, lowest
from jph.heating.orders.orderbook import Given
from tests.jph.heating.shedding.loads import pilot_heater

HEATERS = [
    pilot_heater(
        f"1{wire}",
        "P1",
        wire,
        1 if wire < 8 else 2,
        wire - 1 if wire < 8 else 0,
        "",
        "",
        None,
        1,
        solid_state=True,
    )
    for wire in range(1, 9)
] + [pilot_heater("1A", "P2", 1, 1, 7, "", "", None, 9)]
HOUSE = Wiring(HEATERS)
RULES = Fallback(hold_s=60, share=1, release_interval_s=5)
"""With all heaters in the safe share, a fallback only releases."""


@pytest.fixture
def card() -> Card:
    return Card(HOUSE, "P1", RULES, (1, 2), now_s=0)


def latches(card: Card, now_s: float) -> tuple[int, int]:
    return card.step(now_s).latches


def test_orders_alone(card: Card) -> None:
    assert latches(card, 0) == (0, 0)
    card.given["11"] = Given(Order.ECO)
    card.given["18"] = Given(Order.FROST)
    assert latches(card, 0) == (0b11, 0b1000_0000)


def test_a_shed_lies_on_top_and_the_order_returns(card: Card) -> None:
    card.given["12"] = Given(Order.ECO)
    card.hear(1, 0b1000_0010, 0)  # bit 7 is another card's
    assert card.step(0).held == {"12"}
    assert latches(card, 0) == (0b0100, 0)
    card.given["12"] = Given(Order.FROST)  # given during a shed, it takes effect at its end
    assert latches(card, 1) == (0b0100, 0)
    card.hear(1, 0, 2)
    assert latches(card, 2) == (0b1000, 0)


def test_a_staged_shed_leaves_eco_at_most(card: Card) -> None:
    card.given["12"] = Given(Order.FROST)
    card.given["13"] = Given(Order.COMFORT_2)
    card.hear(1, 0b0111 << ECO_SHIFT, 0)
    out = card.step(0)
    assert out.orders["11"] is Order.ECO
    assert out.orders["12"] is Order.FROST
    assert out.orders["13"] is Order.ECO
    assert out.held == {"11", "12", "13"}


def test_phases_do_not_mix(card: Card) -> None:
    card.hear(2, 0b1, 0)
    assert card.step(0).held == {"18"}


def test_a_silent_shedder_is_held_then_released_across_cards(card: Card) -> None:
    card.hear(1, 0b1000_0011, 0)
    assert card.step(59).held == {"11", "12"}
    assert card.step(60).held == {"11", "12"}  # the other card's more important one goes first
    assert card.step(65).held == {"12"}
    assert card.step(70).held == set()
    assert card.stages(70) == {1: Stage.SHARE, 2: Stage.SHARE}
    card.hear(1, 0b1, 71)
    assert card.step(71).held == {"11"}
    assert card.stages(71) == {1: Stage.LIVE, 2: Stage.SHARE}


def test_a_phase_without_a_mask_follows_its_orders_for_ever() -> None:
    card = Card(HOUSE, "P1", RULES._replace(share=0), (1,), 0)
    assert card.step(1e6).held == {f"1{wire}" for wire in range(1, 8)}


@pytest.mark.parametrize(("order", "pulse_s"), [(Order.COMFORT_1, 3), (Order.COMFORT_2, 7)])
def test_pulses_begin_with_the_order_and_again_after_a_shed(
    card: Card, order: Order, pulse_s: float
) -> None:
    card.given["11"] = Given(order)
    assert latches(card, 100) == (0b11, 0)
    assert card.next_edge_s(100) == pulse_s
    assert latches(card, 100 + pulse_s) == (0, 0)
    assert card.next_edge_s(100 + pulse_s) == 300 - pulse_s
    assert latches(card, 400) == (0b11, 0)
    card.hear(1, 1, 450)
    assert latches(card, 450) == (0b01, 0)
    card.hear(1, 0, 500)
    assert latches(card, 500) == (0b11, 0)
    assert card.step(500 + pulse_s).orders["11"] is order


def test_a_restart_takes_over_what_the_chip_still_sheds(card: Card) -> None:
    card.given["13"] = Given(Order.OFF)
    card.given["15"] = Given(Order.COMFORT_1)
    # wire 3 ordered off, wire 5 within a pulse or at eco, wire 7 at frost by an older fallback
    card.adopt((0b01_01_01_00, 0b10_11_11))
    assert card.step(10).held == {"12", "14", "15", "16", "17"}
    assert latches(card, 10) == (0b01_01_01_00, 0b01_11_11)
    for now_s in (75, 80, 85, 90, 95):
        held = card.step(now_s).held
    assert held == set()


def test_what_was_heard_counts_more_than_what_the_chip_says(card: Card) -> None:
    card.hear(1, 0, 9)
    card.adopt((0b01, 0))
    assert card.step(10).held == set()


def test_a_restart_during_the_fallback_returns_one_at_a_time_too() -> None:
    rules = RULES._replace(share=0)
    before = {card: Card(HOUSE, card, rules, (1, 2), 0) for card in ("P1", "P2")}
    kept = {card: each.step(61).latches for card, each in before.items()}
    after = {card: Card(HOUSE, card, rules, (1, 2), 100) for card in before}
    for card, each in after.items():
        each.adopt(kept[card])
        assert each.step(100).latches == kept[card]
        each.hear(1, 0b10, 110)
        each.see(1, 110)
    left = []
    for now_s in (110, 114, 115, 120, 125, 130, 135, 140, 145):
        held = set[str]().union(*(each.step(now_s).held for each in after.values()))
        left.append(len(held & {heater.codifier for heater in HOUSE.phases[1]}))
    assert left == [7, 7, 6, 5, 4, 3, 2, 1, 1]  # of both cards; the mask keeps 12
    after["P1"].hear(1, 0, 146)
    assert after["P1"].step(146).held == {"18"}  # whose shedder has not spoken yet


def test_a_restart_under_a_mask_that_goes_on_changes_nothing(card: Card) -> None:
    card.hear(1, 0b111, 0)
    kept = card.step(1).latches
    again = Card(HOUSE, "P1", RULES._replace(share=0), (1, 2), 2)
    again.adopt(kept)
    again.hear(1, 0b111, 3)
    assert again.step(3).latches == kept
    assert again.step(30).held == {"11", "12", "13"}
    again.hear(1, 0b001, 31)
    assert again.step(31).held == {"11"}  # the shedder's word counts at once again


@pytest.mark.parametrize("order", [Order.COMFORT, Order.COMFORT_1, Order.COMFORT_2])
def test_a_restart_keeps_a_shed_to_eco(card: Card, order: Order) -> None:
    card.given["11"] = Given(order)
    card.hear(1, 1 << ECO_SHIFT, 1)
    kept = card.step(1).latches
    again = Card(HOUSE, "P1", RULES, (1, 2), 2)
    again.given["11"] = Given(order)
    again.adopt(kept)
    for now_s in (2, 10, 61):
        assert again.step(now_s).latches == kept
    again.hear(1, 0, 61)
    assert again.step(61).orders["11"] is order


def test_rewired_it_goes_on(card: Card) -> None:
    card.given["11"] = Given(Order.ECO, "CC", 5)
    card.given["12"] = Given(Order.COMFORT_1)
    card.given["18"] = Given(Order.FROST)
    card.hear(1, 0b10, 0)
    relay = HEATERS[1]._replace(actuator=HEATERS[1].actuator._replace(solid_state=False))
    rewired = Card(Wiring([HEATERS[0], relay]), "P1", RULES, (1,), 1)
    rewired.take_over(card)
    assert rewired.given == {"11": Given(Order.ECO, "CC", 5), "12": Given(Order.COMFORT)}
    assert rewired.step(1).held == {"12"}


def test_a_heater_nobody_told_anything_starts_with_its_power_on_order() -> None:
    heater = HEATERS[0]._replace(actuator=HEATERS[0].actuator._replace(power_on=Order.ECO))
    assert Card(Wiring([heater]), "P1", RULES, (), 0).given == {"11": Given(Order.ECO)}


@given(
    orders=st.lists(st.sampled_from(Order), min_size=8, max_size=8),
    mask=st.integers(0, 2**63 - 1),
    silent_s=st.floats(0, 200),
)
def test_the_coldest_of_order_and_shed_wins(
    orders: list[Order], mask: int, silent_s: float
) -> None:
    card = Card(HOUSE, "P1", RULES, (1, 2), 0)
    card.given = {code: Given(order) for code, order in zip(card.heaters, orders, strict=True)}
    card.hear(1, mask, 0)
    out = card.step(silent_s)
    wires = decode(out.latches)
    for code, heater in card.heaters.items():
        off = heater.phase == 1 and mask >> heater.bit & 1
        eco = heater.phase == 1 and mask >> heater.bit + ECO_SHIFT & 1
        ceiling = Order.OFF if off else Order.ECO if eco else Order.COMFORT
        assert ceiling is not Order.COMFORT or code not in out.held
        if silent_s < 60 or code in out.held:
            assert out.orders[code] is lowest(card.given[code].order, ceiling)
        else:
            assert out.orders[code] is card.given[code].order
        assert wires[heater.actuator.wire] is out.wires[heater.actuator.wire]
        assert out.orders[code].pulsed or wires[heater.actuator.wire] is out.orders[code]
