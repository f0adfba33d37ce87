import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.orders.coding import (
    COLDEST_FIRST,
    PULSE_PERIOD_S,
    Order,
    TimedOrder,
    carried,
    decode,
    encode,
    lowest,
    next_edge_s,
    number_of,
    timed_order,
)

STATIC = [order for order in Order if not order.pulsed]
PULSES = [(Order.COMFORT_1, 3.0), (Order.COMFORT_2, 7.0)]
CASES = [
    ({}, (0x00, 0x00)),
    ({1: Order.OFF}, (0b01, 0)),
    ({1: Order.FROST}, (0b10, 0)),
    ({1: Order.ECO}, (0b11, 0)),
    ({4: Order.OFF}, (0b0100_0000, 0)),
    ({5: Order.OFF}, (0, 0b01)),
    ({8: Order.ECO}, (0, 0b1100_0000)),
    (dict.fromkeys(range(1, 9), Order.ECO), (0xFF, 0xFF)),
]


def test_numbers_on_the_bus() -> None:
    assert [order.value for order in Order] == [0, 1, 2, 3, 4, 5]
    assert [order.word for order in Order] == [
        "comfort",
        "off",
        "frost",
        "eco",
        "comfort-1",
        "comfort-2",
    ]


@pytest.mark.parametrize(("orders", "latches"), CASES)
def test_orders_and_their_latches(orders: dict[int, Order], latches: tuple[int, int]) -> None:
    assert encode(orders) == latches
    everything = dict.fromkeys(range(1, 9), Order.COMFORT) | orders
    assert decode(latches) == everything


@given(st.dictionaries(st.integers(1, 8), st.sampled_from(STATIC), min_size=8))
def test_round_trip(orders: dict[int, Order]) -> None:
    assert decode(encode(orders)) == orders


@pytest.mark.parametrize("wire", [0, 9, -1])
def test_a_wire_the_chip_does_not_have(wire: int) -> None:
    with pytest.raises(ValueError, match=f"wire {wire}"):
        encode({wire: Order.OFF})


def test_two_bits_hold_no_pulsed_order() -> None:
    with pytest.raises(ValueError, match="comfort-1 of wire 3 is not static"):
        encode({3: Order.COMFORT_1})


@pytest.mark.parametrize("number", [-1, 6, 0.5, float("nan"), float("inf"), 1e300])
def test_numbers_that_are_no_order(number: float) -> None:
    with pytest.raises(ValueError, match="is no order"):
        Order.of(number)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("comfort", Order.COMFORT),
        ("Confort", Order.COMFORT),
        ("ECO", Order.ECO),
        ("frost", Order.FROST),
        ("hors-gel", Order.FROST),
        ("hors gel", Order.FROST),
        ("off", Order.OFF),
        ("arrêt", Order.OFF),
        ("arret", Order.OFF),
        ("comfort-1", Order.COMFORT_1),
        ("comfort −2", Order.COMFORT_2),
        ("confort-2", Order.COMFORT_2),
    ],
)
def test_words(text: str, order: Order) -> None:
    assert Order.named(text) is order


@pytest.mark.parametrize("text", ["", "warm", "comfort-3", "1"])
def test_words_that_are_no_order(text: str) -> None:
    with pytest.raises(ValueError, match="the orders are comfort, off, frost, eco, comfort-1"):
        Order.named(text)


@pytest.mark.parametrize("order", Order)
def test_the_coldest_wins(order: Order) -> None:
    assert lowest(order, Order.OFF) is Order.OFF
    assert lowest(order, Order.COMFORT) is order
    assert Order.of(float(order)) is order
    assert Order.named(order.word) is order


def test_from_coldest_to_warmest() -> None:
    assert [order.word for order in COLDEST_FIRST] == [
        "off",
        "frost",
        "eco",
        "comfort-2",
        "comfort-1",
        "comfort",
    ]


@pytest.mark.parametrize("order", STATIC)
def test_a_static_order_never_switches_by_itself(order: Order) -> None:
    assert carried(order, 1.0) is order
    assert next_edge_s(order, 1.0) == math.inf


@pytest.mark.parametrize(("order", "pulse_s"), PULSES)
def test_full_wave_for_seconds_of_each_five_minutes(order: Order, pulse_s: float) -> None:
    for start_s in (0.0, 300.0, 3000.0):
        assert carried(order, start_s) is Order.ECO
        assert carried(order, start_s + pulse_s - 0.001) is Order.ECO
        assert carried(order, start_s + pulse_s) is Order.COMFORT
        assert carried(order, start_s + 299.999) is Order.COMFORT


@given(order=st.sampled_from([order for order, _ in PULSES]), age_s=st.floats(0, 1e6))
def test_the_next_edge_is_where_the_wire_switches(order: Order, age_s: float) -> None:
    wait_s = next_edge_s(order, age_s)
    assert 0 < wait_s <= PULSE_PERIOD_S
    assert carried(order, age_s + wait_s + 1e-6) is not carried(order, age_s)
    assert carried(order, age_s + wait_s / 2) is carried(order, age_s)


ENDS_S = st.integers(1_000_000_000, 7_999_999_999)
ORDERS = st.sampled_from(Order)


@given(ORDERS, st.none() | ENDS_S, st.none() | ORDERS)
def test_an_order_travels_with_its_end_and_its_follower(
    order: Order, end_s: int | None, follower: Order | None
) -> None:
    follower = None if end_s is None else follower
    number = number_of(order, None if end_s is None else 1000.0 * end_s, follower)
    assert timed_order(number) == TimedOrder(order, end_s, follower)
    assert number < 8 or number >= (8e9 if follower is None else 64e9)


@given(st.floats(allow_nan=True) | st.integers(0, 2**53).map(float))
def test_a_number_is_an_order_that_gives_the_number_back_or_is_refused(number: float) -> None:
    try:
        order, end_s, follower = timed_order(number)
    except ValueError:
        return
    back = number_of(order, None if end_s is None else 1000 * end_s, follower)
    without = order + 64 * (end_s or 0)  # an end in the longer form, without a follower
    assert number in (back, without)


def test_the_numbers_of_orders_with_an_end() -> None:
    assert number_of(Order.ECO, 1_790_000_000_999) == 3 + 8 * 1_790_000_000
    assert number_of(Order.OFF, 1_790_000_000_999, Order.COMFORT) == 1 + 8 + 64 * 1_790_000_000
    assert timed_order(3 + 64 * 1_790_000_000) == TimedOrder(Order.ECO, 1_790_000_000)
    with pytest.raises(ValueError, match="without an end"):
        number_of(Order.ECO, None, Order.OFF)
    with pytest.raises(ValueError, match="no order"):
        timed_order(3 + 8 * 7 + 64 * 1_790_000_000)
