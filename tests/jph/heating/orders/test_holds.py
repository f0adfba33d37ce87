import json

import pytest

from jph.heating.orders.coding import Order, number_of
from jph.heating.orders.holds import LONGEST_S, Ends, asked
from jph.heating.orders.orderbook import Given, from_stored, to_stored
from tests.jph.heating.shedding.loads import pilot_heater

RELAY = pilot_heater("11", "P1", 1, 1, 0, "", "", None, 1)
SOLID = pilot_heater("12", "P1", 2, 1, 1, "", "", None, 1, solid_state=True)
NOW_MS = 1_790_000_000_500
ECO = Given(Order.ECO, "CC", NOW_MS - 9000)


def held(until_ms: int, order: Order = Order.COMFORT) -> Given:
    return asked(SOLID, number_of(order, until_ms), "CF", NOW_MS, ECO)


@pytest.mark.parametrize("order", list(Order))
def test_an_order_travels_with_its_end(order: Order) -> None:
    end_ms = 1_790_003_600_000
    assert held(end_ms + 999, order) == Given(order, "CF", NOW_MS, end_ms, ECO)
    assert asked(SOLID, number_of(order), "CF", NOW_MS, ECO) == Given(order, "CF", NOW_MS)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (8.0, "is no order"),
        (number_of(Order.ECO, NOW_MS), "next 7 days"),
        (number_of(Order.ECO, NOW_MS + 1000 * LONGEST_S + 1000), "next 7 days"),
        (number_of(Order.ECO, NOW_MS + 60_000) + 0.5, "is no order"),
        (number_of(Order.ECO, NOW_MS + 60_000) + 3, "is no order"),
        (number_of(Order.COMFORT_1, NOW_MS + 60_000), "wear out a relay"),
        (float("nan"), "is no order"),
        (float("inf"), "is no order"),
        (-1.0, "is no order"),
    ],
)
def test_what_is_refused(number: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        asked(RELAY, number, "CF", NOW_MS, ECO)


def test_a_hold_of_a_hold_goes_back_before_both() -> None:
    first = held(NOW_MS + 60_000)
    second = asked(SOLID, number_of(Order.OFF, NOW_MS + 90_000), "CC", NOW_MS, first)
    assert second.before == ECO
    assert asked(SOLID, 1, "CC", NOW_MS, second) == Given(Order.OFF, "CC", NOW_MS)


def test_a_follower_comes_at_the_end_whatever_was_there_before() -> None:
    end_ms = NOW_MS - NOW_MS % 1000 + 60_000
    number = number_of(Order.COMFORT, end_ms, Order.FROST)
    frost = Given(Order.FROST, "TH", NOW_MS)
    given = asked(SOLID, number, "TH", NOW_MS, held(NOW_MS + 5000))
    assert given == Given(Order.COMFORT, "TH", NOW_MS, end_ms, frost)
    assert from_stored(to_stored({"12": given}), [SOLID]) == ({"12": given}, [])
    assert Ends().due({"12": given}, end_ms, 5.0) == {"12": frost}
    hand = asked(SOLID, number_of(Order.OFF, NOW_MS + 90_000), "CC", NOW_MS, given)
    assert hand.before == frost
    with pytest.raises(ValueError, match="comfort-1 would wear out a relay"):
        asked(RELAY, number_of(Order.ECO, end_ms, Order.COMFORT_1), "TH", NOW_MS, ECO)


def test_it_is_over_when_its_time_has_come_by_a_clock_nobody_steps() -> None:
    ends, orders = Ends(), {"12": held(NOW_MS + 60_000), "11": ECO}
    assert ends.due(orders, NOW_MS, 100.0) == {}
    assert ends.due(orders, NOW_MS + 9_000_000, 159.0) == {}  # the wall clock was stepped
    assert ends.due(orders, NOW_MS - 9_000_000, 160.0) == {"12": ECO}


def test_after_a_start_the_wall_clock_counts_once() -> None:
    orders = {"12": held(NOW_MS + 60_000)}
    assert Ends().due(orders, NOW_MS + 60_000, 5.0) == {"12": ECO}
    # 1970, before the time has been fetched: no longer than it was asked for
    ends = Ends()
    assert ends.due(orders, 0, 5.0) == {}
    assert ends.due(orders, 0, 64.0) == {}
    assert ends.due(orders, 0, 65.0) == {"12": ECO}


def test_it_comes_back_from_the_disk_whole() -> None:
    given = {"12": held(1_790_003_600_000)}
    assert from_stored(json.loads(json.dumps(to_stored(given))), [SOLID]) == (given, [])


def test_half_a_hold_is_an_order() -> None:
    stored = {"12": {"order": 3, "by": "CC", "at_ms": 5, "until_ms": 9}}
    assert from_stored(stored, [SOLID]) == ({"12": Given(Order.ECO, "CC", 5)}, [])
