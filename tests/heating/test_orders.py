import pytest
from hypothesis import given
from hypothesis import strategies as st

from heating.orders import Order, decode, effective, encode

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


@pytest.mark.parametrize(("orders", "latches"), CASES)
def test_orders_and_their_latches(orders: dict[int, Order], latches: tuple[int, int]) -> None:
    assert encode(orders) == latches
    everything = dict.fromkeys(range(1, 9), Order.COMFORT) | orders
    assert decode(latches) == everything


@given(st.dictionaries(st.integers(1, 8), st.sampled_from(Order), min_size=8))
def test_round_trip(orders: dict[int, Order]) -> None:
    assert decode(encode(orders)) == orders


@pytest.mark.parametrize("wire", [0, 9, -1])
def test_a_wire_the_chip_does_not_have(wire: int) -> None:
    with pytest.raises(ValueError, match=f"wire {wire}"):
        encode({wire: Order.OFF})


@pytest.mark.parametrize("number", [-1, 4, 0.5, float("nan"), float("inf"), 1e300])
def test_numbers_that_are_no_order(number: float) -> None:
    with pytest.raises(ValueError, match="is no order"):
        Order.of(number)


@pytest.mark.parametrize("order", Order)
def test_shed_is_off_and_not_shed_is_the_order(order: Order) -> None:
    assert effective(order, shed=True) is Order.OFF
    assert effective(order, shed=False) is order
    assert Order.of(float(order)) is order
