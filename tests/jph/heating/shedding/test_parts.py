"""The parts of the shedding policy, each alone."""

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.shedding.decision.knapsack import Item, cheapest, fill, greedily
from jph.heating.shedding.decision.planner import Planner
from jph.heating.shedding.decision.trip import TripModel
from jph.heating.shedding.estimates.duty_cycle import BAND_S, DRAWING_S, MOST_SHORT_S, RoomHeat
from jph.heating.shedding.estimates.hypotheses import Command, HypothesisFilter
from jph.heating.shedding.estimates.learned_current import LearnedCurrents
from jph.heating.shedding.estimates.observer import Observer
from jph.heating.shedding.estimates.peaks import Peaks
from jph.heating.shedding.estimates.surge import Surge
from jph.heating.shedding.rules import Rules
from tests.jph.heating.shedding.loads import pilot_heater

AMPS = (3.0, 5.0, 8.0)


def linky_s(ratio: float) -> int:
    """Return the seconds to the trip, by the sum of Enedis-NOI-CPT_54E §7 itself."""
    filtered, seconds = 0.0, 0
    while filtered < 1.3**2:
        filtered = 0.008 * ratio**2 + 0.992 * filtered
        seconds += 1
    return seconds


@pytest.mark.parametrize("ratio", [1.4, 1.6, 2.0, 3.0])
def test_the_published_filter(ratio: float) -> None:
    trip = TripModel()
    trip.take(0.0, 30.0 * ratio, 30.0)
    assert abs(trip.seconds_left() - linky_s(ratio)) <= 1
    trip.take(20.0, 30.0 * ratio, 30.0)
    assert abs(trip.seconds_left() - (linky_s(ratio) - 20)) <= 1
    trip.take(linky_s(ratio) + 1.0, 30.0 * ratio, 30.0)
    assert trip.seconds_left() == 0.0


@pytest.mark.parametrize("ratio", [0.0, 0.9, 1.29])
def test_what_a_linky_bears_for_ever(ratio: float) -> None:
    trip = TripModel()
    trip.take(0.0, 30.0 * ratio, 30.0)
    trip.take(9999.0, 30.0 * ratio, 30.0)
    assert trip.seconds_left() == math.inf


def test_the_nearer_of_two_breakers() -> None:
    trip = TripModel(breaker_a=20.0)
    trip.take(0.0, 22.0, 30.0)
    assert trip.seconds_left() == math.inf
    trip.take(1.0, 29.0, 30.0)
    assert trip.seconds_left() == pytest.approx(60.0, rel=0.01)
    trip.take(31.0, 29.0, 30.0)
    assert trip.seconds_left() == pytest.approx(30.0, rel=0.05)
    trip.take(1000.0, 10.0, 30.0)
    trip.take(9000.0, 29.0, 30.0)  # it has cooled
    assert trip.seconds_left() == pytest.approx(60.0, rel=0.01)
    trip.take(9001.0, 400.0, 30.0)
    assert trip.seconds_left() < 0.1


def test_nothing_known_is_no_trip() -> None:
    assert TripModel(20.0).seconds_left() == math.inf


items = st.lists(
    st.tuples(st.floats(0.5, 15.0), st.floats(-2.0, 20.0)), min_size=0, max_size=8
).map(lambda pairs: [Item(bit, a, w) for bit, (a, w) in enumerate(pairs)])


@given(items=items, room=st.floats(-5.0, 40.0))
def test_no_set_that_fits_is_worth_more(items: list[Item], room: float) -> None:
    chosen = fill(items, room)
    best = 0.0
    for size in range(1, len(items) + 1):
        for some in combinations(items, size):
            if sum(item.amperes for item in some) <= room:
                best = max(best, sum(item.worth for item in some))
    mine = [item for item in items if chosen >> item.bit & 1]
    assert sum(item.amperes for item in mine) <= max(room, 0.0) + 1e-9
    assert sum(item.worth for item in mine) == pytest.approx(best, abs=1e-6)


def test_many_items_are_chosen_from_in_time() -> None:
    many = [Item(bit, 1.0 + bit % 7 * 0.37, 1.0 + bit % 5 * 0.61) for bit in range(32)]
    chosen = fill(many, 25.0)
    assert 20.0 < sum(item.amperes for item in many if chosen >> item.bit & 1) <= 25.0


@given(items=items, need=st.floats(0.1, 40.0))
def test_greedily_is_enough_if_anything_is(items: list[Item], need: float) -> None:
    chosen = greedily(items, need)
    got = sum(item.amperes for item in chosen)
    assert got >= need or len(chosen) == len(items)
    assert all(got - item.amperes < need for item in chosen) or got < need


def test_the_cheapest_that_is_enough() -> None:
    three = [Item(0, 5, 3.0), Item(1, 5, 1.0), Item(2, 5, 1.5)]
    chosen = cheapest(three, lambda bits: bits.bit_count() >= 2)
    assert chosen is not None
    assert {item.bit for item in chosen} == {1, 2}
    assert cheapest(three, lambda _: False) is None


def known(*amperes: float) -> HypothesisFilter:
    return HypothesisFilter(LearnedCurrents(list(amperes), 5.0))


def test_a_shed_heater_gives_itself_away() -> None:
    hypotheses = known(*AMPS)
    hypotheses.follow(17.0)
    step = hypotheses.explain(12.0, [Command(1, False)])
    assert step.before[1] > 0.9
    step = hypotheses.explain(12.0, [Command(2, False)])
    assert step.before[2] < 0.6


def test_a_thermostat_is_told_by_its_step() -> None:
    hypotheses = known(*AMPS)
    hypotheses.follow(17.0)
    hypotheses.explain(9.0, [])
    assert [round(chance) for chance in hypotheses.chance] == [1, 1, 0]
    hypotheses.explain(17.0, [])
    assert [round(chance) for chance in hypotheses.chance] == [1, 1, 1]


def test_a_kettle_is_no_heater() -> None:
    hypotheses = known(*AMPS)
    hypotheses.follow(17.0)
    hypotheses.explain(27.0, [])
    assert min(hypotheses.chance) > 0.9
    assert hypotheses.base_a == pytest.approx(11.0, abs=1.0)


def test_what_nothing_explains_is_forgotten() -> None:
    hypotheses = known(*AMPS)
    hypotheses.follow(17.0)
    hypotheses.explain(400.0, [])
    assert hypotheses.level_a == 400.0


@given(
    currents=st.lists(st.tuples(st.integers(0, 90), st.integers(0, 5)), max_size=30),
    count=st.integers(0, 8),
)
def test_any_currents_leave_chances(currents: list[tuple[int, int]], count: int) -> None:
    hypotheses = HypothesisFilter(LearnedCurrents([None] * count, 5.0))
    for current, switch in currents:
        bit, on = divmod(switch, 2)
        commands = [Command(bit, bool(on))] if bit < count else []
        if commands or not hypotheses.follow(float(current)):
            hypotheses.follow(float(current))
            hypotheses.explain(float(current), commands)
        assert len(hypotheses.chance) == count
        assert all(0.0 <= chance <= 1.0 + 1e-9 for chance in hypotheses.chance)
        assert hypotheses.base_a >= 0.0


def test_amperes_are_the_middle_of_their_steps() -> None:
    amperes = LearnedCurrents([None, None], 5.0)
    for step in (6, 7, 16, 6, 7, 7):  # once a kettle came in the same second
        amperes.learn(0, step)
    assert amperes.of[0] == pytest.approx(6.6, abs=0.1)
    assert amperes.seen == [6, 0]
    assert amperes.variance[0] < 0.2


@pytest.mark.parametrize("step", [0.0, 0.9, -4.0, 40.0])
def test_what_is_no_step_of_a_heater(step: float) -> None:
    amperes = LearnedCurrents([None], 5.0)
    amperes.learn(0, step)
    assert amperes.of == [5.0]
    assert amperes.seen == [0]


def test_what_is_declared_is_not_guessed_at() -> None:
    amperes = LearnedCurrents([4.0, None], 5.0)
    amperes.guess(20.0)
    assert amperes.of == [4.0, 16.0]
    amperes.share([0, 1], 12.0)
    assert amperes.of == [4.0, pytest.approx(12.0)]


def test_a_room_learns_what_it_needs() -> None:
    room = RoomHeat()
    for _ in range(60):  # heats 150 s of every 500 s between its thermostat's limits
        pass_time(room, 350.0, 0.0)
        room.asking()
        pass_time(room, 150.0, 1.0)
        room.satisfied()
    assert room.share == pytest.approx(0.34, abs=0.15)
    assert room.short_s == pytest.approx(-BAND_S, abs=1.0)


def test_a_room_that_always_draws_when_it_may_is_soon_known_to_be_cold() -> None:
    room = RoomHeat()
    for _ in range(3):  # not once does a thermostat let go
        pass_time(room, 300.0, 0.0)
        room.cold()
        pass_time(room, 600.0, 1.0)
    assert room.share > 0.7
    pass_time(room, 300.0, 0.0)
    assert room.short_s > 2 * BAND_S


def pass_time(room: RoomHeat, seconds: float, drawing: float) -> None:
    for _ in range(round(seconds / 5)):
        room.pass_time(5.0, drawing)


def test_a_room_is_bounded() -> None:
    room = RoomHeat()
    room.pass_time(1e6, 0.0)
    assert room.short_s == MOST_SHORT_S
    assert room.eagerness > 0.9
    room.pass_time(1e6, 1.0)
    assert room.short_s == pytest.approx(DRAWING_S)  # what still draws is not warm yet
    room.satisfied()
    assert room.eagerness < 0.5


def test_a_heater_that_could_draw_and_does_not_disproves_the_cold() -> None:
    room = RoomHeat()
    room.pass_time(3600.0, 0.0)
    short_s = room.short_s
    for _ in range(60):
        room.pass_time(5.0, 0.0, idle=True)
    assert BAND_S < room.short_s < 0.4 * short_s
    assert room.share < 0.5


def test_the_walls_keep_a_room_from_cooling_for_ever() -> None:
    quick, slow = RoomHeat(), RoomHeat()
    for _ in range(3600):
        quick.pass_time(1.0, 0.25)
    for _ in range(12 * 3600):
        slow.pass_time(1.0, 0.25)
    assert quick.short_s < 0.25 * 3600
    assert slow.short_s < 5 * quick.short_s


def test_one_contrary_sign_counts_for_half() -> None:
    room = RoomHeat()
    room.pass_time(1200.0, 0.0)
    short_s = room.short_s
    room.satisfied()
    assert 0.2 * short_s < room.short_s < 0.5 * short_s
    for _ in range(3):
        room.satisfied()
    assert room.short_s < 0


def test_a_single_surge_is_soon_forgotten_a_pulse_is_not() -> None:
    surge = Surge(120.0)
    for second in range(100):
        surge.take(second, 10.0 if 10 <= second < 20 else 1.0)
        if second == 50:
            assert surge.expected_a(second) == 10.0
    assert surge.expected_a(100) == 1.0
    for second in range(200, 900):
        surge.take(second, 10.0 if second % 110 < 40 else 1.0)
        if second > 450:
            assert surge.expected_a(second) == 10.0


@pytest.mark.parametrize(
    ("said_va", "off"),
    [(6000.0, 0.0), (6900.0, 0.0), (4600.0, 0.0), (9200.0, 0.25), (2300.0, -1.0)],
)
def test_the_meters_peak_lies_between_what_was_shown_and_what_came_through(
    said_va: float, off: float
) -> None:
    peaks = Peaks()
    peaks.take(50.0, 50.0)
    assert peaks.compare(5000.0, 230.0) is None
    assert peaks.compare(100.0, 230.0) is None  # a day that was not heard from its beginning
    peaks.take(30.0, 10.0)
    peaks.take(20.0, 20.0)
    assert peaks.compare(said_va, 230.0) is None
    assert peaks.compare(0.0, 230.0) == pytest.approx(off)


def test_what_came_through_the_filter_follows_the_current() -> None:
    model = TripModel()
    for second in range(900):
        model.take(float(second), 36.0, 30.0)
        assert 0.0 <= model.filtered_a <= 36.0
    assert model.filtered_a == pytest.approx(36.0, rel=0.01)


def planner(*watts: float | None) -> Planner:
    """Return the planner of heaters in rooms of their own, all warm."""
    heaters = [
        pilot_heater(f"1{bit}", "P1", bit + 1, 1, bit, f"Room {bit}", "", each, 1)
        for bit, each in enumerate(watts)
    ]
    rooms = [RoomHeat() for _ in heaters]
    for room in rooms:
        room.satisfied()
    return Planner(heaters, Observer(heaters, rooms, Rules()), Rules())


def test_a_heater_that_was_off_too_long_has_its_turn_though_its_room_seems_warm() -> None:
    plan = planner(1150.0, 1150.0)
    assert plan.worths(0b11)[0] == 0
    assert plan.worths(0b11, overdue=0b01) == [pytest.approx(5.0), 0]


def test_of_two_alike_the_one_that_was_never_seen_alone_is_switched_first() -> None:
    plan = planner(None, 1150.0)
    unknown, known = plan.worths(0)
    assert unknown == pytest.approx(known / 2)


def test_in_a_silence_all_may_ask_while_somebody_switches_something_on() -> None:
    plan = planner(1150.0, 1150.0)  # 5 A each, and a surprise of 12 A
    assert plan.caution(0b11, limit_a=30.0, expected_a=7.9) == 0
    assert plan.caution(0b11, limit_a=30.0, expected_a=8.1).bit_count() == 1
    assert plan.caution(0b11, limit_a=30.0, expected_a=13.1) == 0b11
