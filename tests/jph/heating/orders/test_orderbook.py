import json

from jph.heating.orders.coding import Order
from jph.heating.orders.orderbook import Given, first, from_stored, to_stored
from tests.jph.heating.shedding.loads import pilot_heater

RELAY = pilot_heater("11", "P1", 1, 1, 0, "", "", None, 1)
SOLID = pilot_heater("12", "P1", 2, 1, 1, "", "", None, 1, solid_state=True, power_on=Order.FROST)


def test_what_was_kept_comes_back_with_who_and_when() -> None:
    given = {"11": Given(Order.ECO, "CC", 1_790_000_000_000), "12": Given(Order.COMFORT_2)}
    stored = json.loads(json.dumps(to_stored(given)))
    assert from_stored(stored, [RELAY, SOLID]) == (given, [])


def test_a_bare_number_is_an_order_too() -> None:
    assert from_stored({"11": 3, "99": 1}, [RELAY, SOLID]) == ({"11": Given(Order.ECO)}, [])


def test_mistakes_cost_only_themselves() -> None:
    for bad in (7, "warm", None, [3], {"order": 9}, {"order": "3"}, {}, {"order": 4}):
        orders, mistakes = from_stored({"11": bad, "12": 1}, [RELAY, SOLID])
        assert orders == {"12": Given(Order.OFF)}
        assert len(mistakes) == 1
        assert mistakes[0].startswith("11: ")


def test_odd_witnesses_are_left_out() -> None:
    stored = {"11": {"order": 1, "by": 5, "at_ms": "noon"}}
    assert from_stored(stored, [RELAY]) == ({"11": Given(Order.OFF)}, [])


def test_the_first_order() -> None:
    assert first(RELAY) == Given(Order.COMFORT)
    assert first(SOLID) == Given(Order.FROST)
