from jph.config.house.loads import Wiring
from jph.heating.card.leases import Fallback
from jph.heating.card.outputs import Card
from jph.heating.card.report import Report
from jph.heating.orders.coding import Order, decode
from jph.heating.orders.orderbook import Given
from tests.jph.heating.shedding.loads import pilot_heater

HEATERS = [
    pilot_heater(
        "11", "P1", 1, 1, 0, "", "", None, 1, applied="1A", verified="1I", solid_state=True
    ),
    pilot_heater("12", "P1", 2, 1, 1, "", "", None, 1),
]


def card() -> Card:
    made = Card(Wiring(HEATERS), "P1", Fallback(), (1,), 0)
    made.given["11"] = Given(Order.ECO, "CC", 7)
    return made


def test_ordered_applied_and_verified_are_told_apart() -> None:
    report, house = Report(), card()
    house.hear(1, 0b01, 0)
    out = house.step(0)
    assert report.readings(house, ["11", "12"], orders=True) == [("11", 3), ("12", 0)]
    assert report.applied(out) == ["11", "12"]
    assert report.applied(out) == []
    assert report.readings(house, ["11"], orders=True) == [("11", 3), ("1A", 1)]
    assert report.verified(house, out, decode((0b00, 0))) == ["11", "12"]  # the pin stays low
    assert report.readings(house, ["11"], orders=False) == [("1A", 1), ("1I", 0)]
    assert report.wires(house, out)["11"] == {
        "ordered": 3,
        "by": "CC",
        "at_ms": 7,
        "until_ms": None,
        "then": None,
        "applied": 1,
        "verified": 0,
        "shed": True,
    }
    assert report.verified(house, out, decode(out.latches)) == ["11"]
    assert report.readings(house, ["11"], orders=False) == [("1A", 1), ("1I", 1)]


def test_nothing_is_verified_before_it_was_read_again() -> None:
    report, house = Report(), card()
    out = house.step(0)
    report.applied(out)
    report.verified(house, out, decode(out.latches))
    house.given["11"] = Given(Order.OFF)
    out = house.step(1)
    assert report.complete
    assert report.applied(out) == ["11"]
    assert not report.complete
    assert report.readings(house, ["11", "99"], orders=False) == [("1A", 1)]
    assert report.wires(house, out)["12"]["verified"] == 0


def test_a_pulsed_order_is_verified_by_either_of_its_levels() -> None:
    report, house = Report(), card()
    house.given["11"] = Given(Order.COMFORT_1)
    for now_s, pins in ((0.0, 0b11), (3.0, 0b00), (300.0, 0b11)):
        out = house.step(now_s)
        report.verified(house, out, decode((pins, 0)))
        assert report.wires(house, out)["11"]["verified"] == Order.COMFORT_1
    report.verified(house, out, decode((0b00, 0)))
    assert report.wires(house, out)["11"]["verified"] == Order.COMFORT
