"""Rooms held at their wishes: orders, their ends and followers, and people's orders at heaters."""

from itertools import pairwise

import pytest

from jph.heating.orders.coding import Order
from jph.heating.plan.evaluation.wish import DEGREES
from jph.heating.rooms.regulation import Thermometer
from jph.heating.rooms.thermostat import (
    LEASE_S,
    RELAY_PAUSE_S,
    RETRY_S,
    Change,
    Command,
    Ordered,
    RoomThermostat,
    Sent,
    by_hand,
    is_due,
    phrase,
)
from jph.sim.physics.room import SimulatedRoom
from jph.sim.physics.spec import RoomSpec
from tests.jph.heating.shedding.loads import pilot_heater

SOLID = pilot_heater("11", "P1", 1, 1, 0, "", "", None, 1, solid_state=True)
RELAY = pilot_heater("12", "P1", 2, 1, 1, "", "", None, 1)
NOW_MS = 1_790_000_000_000


def room(
    *heaters: object, wish_c: float = 19.0, temperature_c: float | None = 18.0
) -> RoomThermostat:
    made = RoomThermostat(heaters or (SOLID, RELAY), DEGREES)  # type: ignore[arg-type]
    made.hear_wish(wish_c, NOW_MS)
    heard = [] if temperature_c is None else [Thermometer("T1", temperature_c, 1.0)]
    made.measure(heard, 900.0)
    return made


def orders(made: RoomThermostat, now_s: float = 0.0) -> dict[str, Order]:
    return {code: each.order for code, each in made.commands(None, now_s, NOW_MS).items()}


def test_solid_state_wires_hold_a_room_within_a_third_of_a_kelvin() -> None:
    simulated = SimulatedRoom(
        RoomSpec(name="room", area_m2=15.0, loss_w_per_k=25.0), 16.0, 0.0, 60.0
    )
    made, seen, switched, last = room(SOLID, wish_c=20.0), [], 0, Order.COMFORT
    for minute in range(48 * 60):
        made.measure([Thermometer("T1", simulated.air_c, 1.0)], 900.0)
        order = orders(made, 60.0 * minute)["11"]
        switched, last = switched + (order is not last), order
        simulated.step(1500.0 if order is Order.COMFORT else 0.0, 0.0)
        seen.append(simulated.air_c)
    day = seen[24 * 60 :]
    assert sum(abs(each - 20.0) <= 0.3 for each in day) >= 0.95 * len(day)
    assert switched <= 2 * 12 * 48


def test_relays_hold_a_wish_between_two_orders_by_the_thermometer_and_switch_seldom() -> None:
    simulated = SimulatedRoom(
        RoomSpec(name="room", area_m2=14.0, loss_w_per_k=43.0), 16.0, 0.0, 20.0
    )
    second = pilot_heater("13", "P1", 3, 1, 2, "", "", None, 1)
    made, seen, changes, last = room(RELAY, second, wish_c=17.5), [], [], Order.COMFORT
    for step in range(36 * 180):
        made.measure([Thermometer("T1", round(simulated.air_c, 2), 1.0)], 900.0)
        given = orders(made, 20.0 * step)
        if given["12"] is not last:
            changes.append(20.0 * step)
        last = given["12"]
        simulated.step(1000.0 * sum(each is Order.COMFORT for each in given.values()), 0.0)
        seen.append(simulated.air_c)
    day = seen[12 * 180 :]
    assert sum(abs(each - 17.5) <= 0.5 for each in day) >= 0.95 * len(day)
    assert min(b - a for a, b in pairwise(changes)) >= RELAY_PAUSE_S


def test_the_heat_of_a_cycle_ends_early_in_a_small_room_with_a_strong_heater() -> None:
    made = room(SOLID, wish_c=20.0)
    assert orders(made, 0.0)["11"] is Order.COMFORT
    made.measure([Thermometer("T1", 20.4, 1.0)], 900.0)
    assert orders(made, 60.0)["11"] is Order.ECO
    made.measure([Thermometer("T1", 19.9, 1.0)], 900.0)
    assert orders(made, 120.0)["11"] is Order.ECO
    made.measure([Thermometer("T1", 19.3, 1.0)], 900.0)
    assert orders(made, 140.0)["11"] is Order.COMFORT  # the next cycle begins early


@pytest.mark.parametrize(
    ("wish_c", "temperature_c", "expected"),
    [
        (19.0, 17.0, {"11": Order.COMFORT, "12": Order.COMFORT}),
        (19.0, 25.0, {"11": Order.ECO, "12": Order.COMFORT}),
        (18.5, 25.0, {"11": Order.ECO, "12": Order.ECO}),
        (9.0, 15.0, {"11": Order.FROST, "12": Order.FROST}),
        (9.0, 5.0, {"11": Order.COMFORT, "12": Order.COMFORT}),
        (18.5, None, {"11": Order.COMFORT_1, "12": Order.ECO}),
    ],
)
def test_heaters_have_the_order_of_the_wish(
    wish_c: float, temperature_c: float | None, expected: dict[str, Order]
) -> None:
    assert orders(room(wish_c=wish_c, temperature_c=temperature_c)) == expected


def test_an_order_ends_after_two_cycles_or_at_the_next_change_whose_order_follows() -> None:
    made, lease_ms = room(wish_c=19.0), round(1000 * LEASE_S)
    command = made.commands(None, 0.0, NOW_MS)["11"]
    assert command == Command(Order.COMFORT, NOW_MS + lease_ms, Order.COMFORT)
    soon = Change(NOW_MS + 60_000, 16.0)
    assert made.commands(soon, 1.0, NOW_MS)["11"] == Command(Order.COMFORT, soon.at_ms, Order.ECO)
    late = Change(NOW_MS + lease_ms + 1, 16.0)
    assert made.commands(late, 2.0, NOW_MS)["11"].follower is Order.COMFORT
    assert not RoomThermostat([SOLID], DEGREES).commands(soon, 0.0, NOW_MS)


def test_a_relay_keeps_its_order_for_a_time_and_a_wish_begins_a_cycle() -> None:
    made = room(wish_c=19.0, temperature_c=25.0)
    assert orders(made, 0.0) == {"11": Order.ECO, "12": Order.COMFORT}
    made.hear_wish(15.5, NOW_MS)
    assert orders(made, 59.0)["12"] is Order.COMFORT
    assert orders(made, 60.0)["12"] is Order.ECO
    assert made.hear_wish(28.0, NOW_MS)
    assert not made.hear_wish(28.0, NOW_MS)
    made.measure([Thermometer("T1", 25.0, 1.0)], 900.0)
    assert orders(made, 61.0)["11"] is Order.COMFORT


def test_what_a_room_learned_is_kept() -> None:
    made = room(wish_c=20.0, temperature_c=19.7)
    for turn in range(20):
        made.measure([Thermometer("T1", 19.7, 1.0)], 900.0)
        made.commands(None, 300.0 * turn, NOW_MS)
    assert made.memory is not None
    assert made.memory.integral > 0
    again = RoomThermostat([SOLID], DEGREES, memory=made.memory)
    assert not again.hear_wish(20.0, NOW_MS + 5000)
    again.measure([Thermometer("T1", 20.0, 1.0)], 900.0)
    again.commands(None, 0.0, NOW_MS)
    assert again.share == pytest.approx(made.memory.integral)


@pytest.mark.parametrize(
    ("ordered", "expected"),
    [
        (None, False),
        (Ordered("", 0, None), False),
        (Ordered("TH", NOW_MS, NOW_MS + 9000), False),
        (Ordered("CC", NOW_MS - 5000, None), False),
        (Ordered("CC", NOW_MS - 500, None), True),
        (Ordered("CC", NOW_MS - 9000, NOW_MS + 1), True),
        (Ordered("CC", NOW_MS - 9000, NOW_MS), False),
    ],
)
def test_a_persons_order_counts_until_its_end_or_a_new_wish(
    ordered: Ordered | None, expected: bool
) -> None:
    assert by_hand(ordered, {"TH", "SC", "P1"}, NOW_MS - 1000, NOW_MS) is expected


def test_the_first_wish_that_is_heard_ends_no_persons_order() -> None:
    made, ordered = RoomThermostat([SOLID], DEGREES), Ordered("CC", NOW_MS - 5000, None)

    def by_person() -> bool:
        assert made.memory is not None
        return by_hand(ordered, {"TH"}, made.memory.since_ms, NOW_MS + 1000)

    assert made.hear_wish(20.0, NOW_MS)
    assert by_person()
    assert made.hear_wish(19.0, NOW_MS)
    assert not by_person()


def test_an_order_is_sent_when_it_is_new_half_over_or_lost() -> None:
    command = Command(Order.ECO, NOW_MS + 600_000, Order.ECO)
    sent = Sent(command, 100.0)
    later = command._replace(end_ms=command.end_ms + 5000)
    assert is_due(None, command, Order.ECO, 100.0)
    assert not is_due(sent, later, Order.ECO, 105.0)
    assert is_due(sent, later, Order.ECO, 100.0 + LEASE_S / 2)
    assert is_due(sent, later._replace(order=Order.COMFORT), Order.ECO, 105.0)
    assert is_due(sent, later._replace(follower=Order.FROST), Order.ECO, 105.0)
    assert is_due(sent, command._replace(end_ms=NOW_MS + 9000), Order.ECO, 105.0)
    assert not is_due(sent, later, Order.OFF, 100.0 + RETRY_S - 1)
    assert is_due(sent, later, Order.OFF, 100.0 + RETRY_S)


def test_what_a_room_does_is_said() -> None:
    cold, warm = room(temperature_c=10.0), room(temperature_c=25.0)
    for made in (cold, warm):
        made.commands(None, 0.0, NOW_MS)
    assert phrase(cold, hand=False) == "heats to 19 °C"
    assert phrase(warm, hand=False) == "warm enough for 19 °C"
    assert phrase(warm, hand=True) == "set by hand"
    assert "no thermometer" in phrase(room(temperature_c=None), hand=False)
    assert phrase(room(RELAY), hand=False).startswith("the heaters' own thermostats")
    assert phrase(room(RELAY, wish_c=17.0), hand=False) == "warm enough for 17 °C"
    assert phrase(room(RELAY, wish_c=17.0, temperature_c=15.0), hand=False) == "heats to 17 °C"
