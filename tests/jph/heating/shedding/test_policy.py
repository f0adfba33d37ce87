import math
from itertools import pairwise

import pytest

from jph.config.house.loads import Wiring
from jph.heating.orders.coding import Order
from jph.heating.shedding import Decision, Readings, Rules, SheddingPolicy
from jph.heating.shedding.estimates.slowness import Slowness
from tests.jph.heating.shedding.shedhouse import EQUALS, LIMIT, ShedHouse, heater

BIG = (7.3, 4.4, 9.1, 2.6, 5.2, 6.0)
UNKNOWN = tuple(heater(f"1{bit + 1}", bit, watts=None) for bit in range(len(BIG)))


def first(current: float, *heaters: object, **more: object) -> list[str]:
    """Return what is shed on the first current a policy hears."""
    policy = SheddingPolicy(Wiring(heaters or EQUALS), [1])  # type: ignore[arg-type]
    readings = Readings(currents={1: current}, limits={1: LIMIT}, **more)  # type: ignore[arg-type]
    return [reason.heater.codifier for reason in policy.step(100.0, readings).reasons]


@pytest.mark.parametrize("current", [0, 20, 29])
def test_nothing_below_the_limit(current: float) -> None:
    assert first(current) == []


@pytest.mark.parametrize(("current", "count"), [(30, 1), (34, 1), (35, 2), (40, 3), (44, 3)])
def test_enough_in_one_step(current: float, count: int) -> None:
    assert len(first(current)) == count


def test_least_important_first() -> None:
    assert first(31, heater("11", 0, 3), heater("12", 1, 1), heater("13", 2, 2)) == ["12"]


def test_no_more_than_needed() -> None:
    mixed = heater("11", 0, 1, watts=230), heater("12", 1, 2, watts=2300), heater("13", 2, 3)
    assert first(38, *mixed) == ["12"]


def test_a_heater_that_is_ordered_off_frees_nothing() -> None:
    orders = {"11": Order.OFF, "12": Order.FROST, "13": Order.ECO}
    assert first(31, orders=orders)[0] in ("13", "14")


def test_what_was_shed_is_waited_for() -> None:
    house = ShedHouse()
    house.base_a = 15.0
    house.frame()
    assert len(house.shed()) == 2
    house.live(20)
    assert len(house.shed()) == 2
    assert house.current_a == 25.0


def test_a_kettle_in_the_same_second_is_seen() -> None:
    house = ShedHouse()
    house.base_a = 13.0
    house.frame()
    assert len(house.shed()) == 1
    house.base_a += 9.0
    house.live(8)
    assert house.current_a <= LIMIT


def test_a_heater_that_drew_nothing_is_followed_by_one_that_does() -> None:
    house = ShedHouse()
    house.want = [False, False, True, True]
    house.base_a = 22.0
    house.live(10)
    assert house.current_a <= LIMIT


def test_after_a_shed_that_brought_nothing_the_next_follows_and_not_all() -> None:
    """At 31 A of 30 A three heaters in a row do not draw, and the filter believes that they do."""
    house = ShedHouse(tuple(heater(f"1{bit + 1}", bit) for bit in range(8)))
    house.want = [False] * 3 + [True] * 5
    house.base_a = 6.0
    seen = []
    for _ in range(12):
        house.frame()
        seen.append(len(house.shed()))
    assert house.current_a <= LIMIT
    assert seen[0] <= 2
    assert seen[-1] == 4
    assert max(after - before for before, after in pairwise(seen)) <= 2


def test_heaters_seen_to_obey_in_time_are_not_waited_for() -> None:
    """Late steps make a heater slow, and those of its phase that gave no sign of their own."""
    slowness = Slowness(4, 2.6)
    for took_s in (1.5, 1.7):
        slowness.sign(2, took_s)
    for took_s in (7.0, 8.0):
        slowness.sign(0, took_s)
    assert slowness.settle_s([0]) == pytest.approx(8.3)
    assert slowness.settle_s([1, 2, 3]) == 2.6
    for took_s in (4.0, 5.0):
        slowness.sign(1, took_s)
    assert slowness.settle_s([1]) == pytest.approx(5.3)
    assert slowness.settle_s([3]) == pytest.approx(8.3)
    assert slowness.settle_s([2]) == 2.6
    for _ in range(3):
        slowness.sign(0, 1.5)
    assert slowness.settle_s([0]) == 2.6


def test_one_late_step_among_many_is_another_heaters() -> None:
    slowness = Slowness(1, 2.6)
    for took_s in (5.0, 5.0, 10.5, 5.0, 5.0):
        slowness.sign(0, took_s)
    assert slowness.settle_s([0]) == pytest.approx(5.3)


@pytest.mark.parametrize("obey_s", [(3.2, 7.9, 7.7, 5.6, 5.1, 6.5), (7.9, 3.2, 6.0, 5.0, 4.0, 7.0)])
def test_slow_heaters_learn_their_own_current_and_none_is_starved(obey_s: list[float]) -> None:
    """A late step is no thermostat's and no other heater's, and it shows a room that is cold."""
    house = ShedHouse(UNKNOWN, BIG, obey_s=obey_s)
    house.base_a = 12.0
    frames, on = 0, [0] * len(BIG)
    while house.now_s < 4 * 3600:
        house.frame()
        frames += 1
        on = [count + (not house.mask >> bit & 1) for bit, count in enumerate(on)]
    known = house.policy.report(house.now_s)[1].amperes
    for heater_, amperes in zip(UNKNOWN, BIG, strict=True):
        assert abs(known[heater_.codifier] - amperes) < 0.7
    assert min(on) > 0.15 * frames


def test_helpless_and_no_longer() -> None:
    house = ShedHouse(EQUALS[:1])
    house.base_a = 45.0
    house.frame()
    house.live(5)
    assert house.frame().helpless == [1]
    house.base_a = 10.0
    assert house.frame().helpless == []


def test_everything_comes_back_one_by_one() -> None:
    house = ShedHouse()
    house.base_a = 25.0
    house.live(10)
    assert len(house.shed()) == 4
    house.base_a = 2.0
    seen = [house.mask]
    for _ in range(120):
        before = house.mask.bit_count()
        house.frame()
        assert before - house.mask.bit_count() <= 1
        seen.append(house.mask)
    assert house.mask == 0


def test_nobody_comes_back_before_the_minimum_time() -> None:
    house = ShedHouse()
    house.base_a = 15.0
    house.frame()
    house.base_a = 0.0
    house.live(110)
    assert len(house.shed()) == 2


def test_watts_are_learned_and_used() -> None:
    house = ShedHouse(UNKNOWN, BIG)
    house.base_a = 3.0
    house.live(3 * 3600)
    known = house.policy.report(house.now_s)[1].amperes
    assert len(known) == len(BIG)
    for heater_, amperes in zip(UNKNOWN, BIG, strict=True):
        assert abs(known[heater_.codifier] - amperes) < 0.7


@pytest.mark.parametrize(("obey_s", "slow"), [(1.5, False), (6.0, True)])
def test_heaters_that_obey_late_are_waited_for(obey_s: float, slow: bool) -> None:
    house = ShedHouse(UNKNOWN, BIG, obey_s=obey_s)
    house.base_a = 3.0
    house.live(3600)
    settle_s = house.policy._phases[1].seen.slowness.settle_s(range(len(BIG)))
    assert settle_s > obey_s if slow else settle_s == Rules().settle_s


def test_rooms_take_turns_when_heat_is_short() -> None:
    house = ShedHouse(UNKNOWN, BIG)
    house.base_a = 3.0
    house.live(600)
    on_s = [0] * len(BIG)
    over = 0
    for _ in range(4000):
        house.frame()
        over += house.current_a > LIMIT
        for bit in range(len(BIG)):
            on_s[bit] += not house.mask >> bit & 1
    assert over <= 4
    assert min(on_s) > 0.4 * max(on_s)


def test_a_priority_is_worth_heat() -> None:
    house = ShedHouse([heater(f"1{bit + 1}", bit, 1 + (bit == 0)) for bit in range(7)])
    house.base_a = 9.0
    house.live(600)
    off_s = [0] * 7
    for _ in range(4000):
        house.frame()
        for bit in range(7):
            off_s[bit] += house.mask >> bit & 1
    assert off_s[0] < 0.6 * min(off_s[1:])


def test_who_draws_nothing_makes_way() -> None:
    house = ShedHouse([heater(f"1{bit + 1}", bit) for bit in range(6)])
    house.base_a = 9.0
    house.live(60)
    shed = [bit for bit in range(6) if house.mask >> bit & 1]
    assert shed
    warm = next(bit for bit in range(6) if bit not in shed)
    house.want[warm] = False
    house.live(300)
    assert house.mask >> warm & 1


def test_a_pulse_is_left_its_room() -> None:
    house = ShedHouse([heater(f"1{bit + 1}", bit) for bit in range(5)])
    over = []
    for pulse in range(40):
        for second in range(24):
            house.base_a = 11.0 if second < 8 else 1.0
            house.frame()
            over.append((pulse, house.current_a > LIMIT))
    assert sum(is_over for pulse, is_over in over if pulse < 3) > 0
    assert sum(is_over for pulse, is_over in over if pulse >= 3) <= 6


def test_a_silent_meter_leaves_room_for_what_nobody_sees() -> None:
    house = ShedHouse()
    house.base_a = 8.0
    house.live(60)
    assert house.mask == 0
    house.silence(4)
    assert house.current_a + 10.0 - 5.0 * house.mask.bit_count() <= LIMIT
    caution = house.mask.bit_count()
    house.silence(56)
    house.live(200)
    assert caution > 0
    assert house.mask == 0


def test_one_lost_frame_is_no_silence() -> None:
    house = ShedHouse()
    house.base_a = 8.0
    house.live(60)
    house.now_s += 1.7
    house.frame()
    assert house.mask == 0


def test_a_very_long_silence_leaves_a_safe_share() -> None:
    house = ShedHouse([heater(f"1{bit}", bit, priority=bit) for bit in range(8)])
    house.silence(302)
    assert house.mask == 0b0001_1111  # the three most important draw half of 30 A
    assert "meter silent (no current known, limit 30 A)" in str(house.reasons[0])
    assert house.silence(200).masks[1] == 0b0001_1111


def test_shed_before_the_silence_and_inside_the_share() -> None:
    policy = SheddingPolicy(Wiring(EQUALS), [1])
    policy.adopt(0.0, {1: 0b1111})
    policy.step(0.0, Readings(limits={1: LIMIT}))
    masks = [policy.step(302.0 + 10 * turn, Readings()).masks[1] for turn in range(4)]
    assert masks == [0b1110, 0b1100, 0b1000, 0b1000]


def test_warnings_and_status_stand_in_for_missing_currents() -> None:
    for more in ({"warnings": {1: 33.0}}, {"overrun": True}):
        policy = SheddingPolicy(Wiring(EQUALS), [1])
        policy.step(1.0, Readings(currents={1: 29.0}, limits={1: LIMIT}))
        assert policy.step(2.0, Readings(**more)).shed == 0
        assert policy.step(8.0, Readings(**more)).shed > 0


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -1.0])
def test_nonsense_is_no_current_and_no_limit(nonsense: float) -> None:
    policy = SheddingPolicy(Wiring(EQUALS), [1])
    policy.step(1.0, Readings(limits={1: LIMIT}))
    assert policy.step(2.0, Readings(currents={1: nonsense}, limits={1: nonsense})).shed == 0
    assert policy.step(3.0, Readings(currents={1: 31.0})).shed == 1


def test_without_a_limit_nothing_is_decided() -> None:
    policy = SheddingPolicy(Wiring(EQUALS), [1])
    assert policy.step(1.0, Readings(currents={1: 99.0})).masks == {1: 0}
    assert policy.step(2.0, Readings(limits={1: 0.0})).masks == {1: 0}
    assert policy.step(3.0, Readings(currents={1: 31.0}, limits={1: LIMIT})).shed == 1


def test_time_that_goes_back_is_held() -> None:
    policy = SheddingPolicy(Wiring(EQUALS), [1])
    policy.step(100.0, Readings(currents={1: 31.0}, limits={1: LIMIT}))
    assert policy.step(50.0, Readings(currents={1: 31.0})).shed == 1


def test_adopted_masks_are_held_for_the_minimum_time() -> None:
    house = ShedHouse()
    house.policy.adopt(house.now_s, {1: 0b11, 7: 1})
    house.mask = house._obeyed = 0b11
    house.live(115)
    assert house.mask == 0b11
    house.live(30)
    assert house.mask == 0


def test_who_only_watches_switches_nothing_and_knows() -> None:
    policy = SheddingPolicy(Wiring(EQUALS), [1])
    for second in range(60):
        readings = Readings(currents={1: 35.0}, limits={1: LIMIT})
        decision = policy.step(100.0 + second, readings, decide=False)
    assert decision == Decision({1: 0}, [], [])
    policy.adopt(160.0, {1: 0b10})
    assert policy.step(160.0, Readings(currents={1: 35.0}), decide=False).masks == {1: 0b10}
    assert policy.report(160.0)[1].trip_s == math.inf


def test_a_wrong_wiring_table_is_told() -> None:
    house = ShedHouse(EQUALS[:1], [9.0], shows_on=2)
    for _ in range(6):
        house.base_a = 31.0
        house.live(10)
        house.base_a = 2.0
        house.live(120)
    assert any("never shows on phase 1 but moves phase 2" in text for text in house.warnings)


def counted_a(policy: SheddingPolicy) -> float:
    """Return what the policy expects heater 11 to bring on its phase."""
    phase, bit = policy._places["11"]
    return phase.seen.amperes.of[bit]


def test_no_relief_is_expected_of_a_heater_on_another_phase() -> None:
    house = ShedHouse(EQUALS[:1], [9.0], shows_on=2)
    assert counted_a(house.policy) > 4
    for _ in range(6):
        house.base_a = 31.0
        house.live(10)
        house.base_a = 2.0
        house.live(120)
    assert counted_a(house.policy) < 1
    again = SheddingPolicy(Wiring(house.heaters), [1, 2])
    again.recall(house.policy.memory(house.now_s, 1e12), 5.0, 1e12)
    assert counted_a(again) < 1
    phase, bit = again._places["11"]
    for _ in range(3):  # the wiring is mended: its own steps count again
        phase.seen.amperes.learn(bit, 9.0)
    again.step(6.0, Readings())
    assert counted_a(again) == 9


def test_a_right_wiring_table_is_not_questioned() -> None:
    house = ShedHouse(UNKNOWN, BIG)
    house.base_a = 3.0
    house.live(3600)
    assert house.warnings == []


def test_a_heater_off_for_very_long_is_told() -> None:
    house = ShedHouse(EQUALS[:2], rules=Rules(maximum_off_s=600.0))
    house.base_a = 28.5
    house.live(1200)
    assert any("has been off for more than 10 min" in text for text in house.warnings)


def test_nobody_is_off_beyond_the_maximum_whatever_the_priorities() -> None:
    rules = Rules(maximum_off_s=900.0, priority_s=1e6)
    house = ShedHouse([heater("11", 0, priority=3), heater("12", 1, priority=1)], rules=rules)
    house.base_a = 22.0
    since_s = longest_s = 0.0
    turns = 0
    for _ in range(6000):
        before = house.mask
        house.frame()
        if house.mask & ~before & 2:
            since_s = house.now_s
        elif before & ~house.mask & 2:
            turns += 1
            longest_s = max(longest_s, house.now_s - since_s)
    assert turns >= 4
    assert longest_s < 900.0 + 2 * rules.minimum_off_s


def test_turns_may_stop_at_eco() -> None:
    house = ShedHouse(UNKNOWN, BIG, rules=Rules(eco_first=True))
    house.base_a = 3.0
    staged = set()
    for _ in range(1500):
        decision = house.policy.step(house.now_s, Readings())
        mask = decision.masks[1]
        assert not mask >> 32 & mask  # one stage each
        staged.add(bool(mask >> 32))
        house.now_s += 1.7
        house._obeyed = mask | mask >> 32  # both stages stop drawing
        readings = Readings(currents={1: float(round(house.current_a))})
        house.policy.step(house.now_s, readings)
    assert True in staged


def test_the_report_tells_why() -> None:
    house = ShedHouse()
    house.base_a = 15.0
    house.frame()
    report = house.policy.report(house.now_s)[1]
    assert report.current_a == 35.0
    assert report.limit_a == LIMIT
    assert set(report.shed) == set(house.shed())
    held = report.shed[house.shed()[0]]
    assert (held.since_s, held.current_a, held.cause) == (house.now_s, 35.0, "overrun")
    assert held.restore_s >= 60.0
