import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from heating.orders import Order
from heating.shedding import Decision, Readings, Rules, SheddingPolicy
from heating.wiring import Heater, Wiring

WATTS = 1150.0  # 5 A
LIMIT = 30.0
FAST = Rules(settle_s=5, minimum_off_s=60, minimum_on_s=60, restore_interval_s=10)


def heater(code: str, bit: int, priority: int = 1, watts: float | None = WATTS) -> Heater:
    return Heater(code, "P1", bit + 1, 1, bit, "", "", watts, priority)


EQUALS = tuple(heater(f"1{bit + 1}", bit) for bit in range(4))


class House:
    """A policy and its clock."""

    def __init__(self, *heaters: Heater, rules: Rules = FAST, limit: float | None = LIMIT) -> None:
        self.policy = SheddingPolicy(Wiring(heaters or EQUALS), [1], rules)
        self.now = 0.0
        self.policy.step(0.0, Readings(limits={1: limit} if limit else {}))

    def at(self, now: float, current: float | None = None, **more: object) -> Decision:
        self.now = now
        currents = {} if current is None else {1: current}
        return self.policy.step(now, Readings(currents=currents, **more))  # type: ignore[arg-type]

    def until(self, end: float, current: float) -> Decision:
        """Hear the same current every second."""
        while self.now < end:
            decision = self.at(self.now + 1, current)
        return decision


def shed(decision: Decision) -> list[str]:
    return [reason.heater.codifier for reason in decision.reasons if reason.shed]


def test_nothing_below_the_limit() -> None:
    assert House().at(1, LIMIT) == Decision({1: 0}, [], [])


@pytest.mark.parametrize(
    ("current", "mask"), [(31, 0b1), (34, 0b1), (35, 0b11), (40, 0b111), (44, 0b111), (45, 0b1111)]
)
def test_enough_in_one_step(current: float, mask: int) -> None:
    decision = House().at(1, current)
    assert decision.masks == {1: mask}
    assert decision.shed == mask.bit_count()
    assert decision.helpless == []


def test_least_important_first() -> None:
    house = House(heater("11", 0, 3), heater("12", 1, 1), heater("13", 2, 2))
    assert shed(house.at(1, 31)) == ["12"]
    assert shed(house.at(10, 31)) == ["13"]
    assert shed(house.at(20, 31)) == ["11"]


def test_no_more_than_needed() -> None:
    house = House(heater("11", 0, 1, watts=230), heater("12", 1, 2, watts=2300))
    assert shed(house.at(1, 38)) == ["12"]  # with the small one as well it would be too much


def test_an_unknown_heater_is_assumed() -> None:
    house = House(*(heater(f"1{bit}", bit, watts=None) for bit in range(3)))
    assert shed(house.at(1, 35)) == ["10", "11"]


def test_a_heater_that_is_ordered_off_frees_nothing() -> None:
    house = House()
    decision = house.at(1, 31, orders={"11": Order.OFF, "12": Order.FROST, "13": Order.ECO})
    assert shed(decision) == ["13"]


def test_load_that_is_going_is_not_shed_again() -> None:
    house = House()
    assert shed(house.at(1, 33)) == ["11"]
    assert shed(house.at(2, 33)) == []  # the frame was measured before
    assert shed(house.at(3, 28)) == []
    assert shed(house.at(4, 33)) == ["12"]  # 5 A are gone: this is another kettle


def test_what_shedding_did_not_bring_is_shed_after_all() -> None:
    house = House()
    house.at(1, 33)
    assert shed(house.at(5.9, 33)) == []
    assert shed(house.at(6, 33)) == ["12"]  # its thermostat had been off anyway


def test_a_higher_current_is_not_hidden_by_what_is_going() -> None:
    house = House()
    assert shed(house.at(1, 33)) == ["11"]
    assert shed(house.at(2, 38)) == ["12"]


def test_helpless() -> None:
    house = House(heater("11", 0))
    assert shed(house.at(1, 50)) == ["11"]
    assert house.at(10, 45).helpless == [1]
    assert house.at(20, 29).helpless == []


def test_restored_one_by_one_when_there_is_room() -> None:
    house = House()
    house.at(1, 41)
    assert house.until(60, 20).masks == {1: 0b111}  # minimum off time
    decision = house.at(61, 20)
    assert decision.masks == {1: 0b110}
    assert str(decision.reasons[0]) == "phase 1: 11 restored, room again (20 A, limit 30 A)"
    assert house.until(70, 20).masks == {1: 0b110}
    assert house.until(71, 20).masks == {1: 0b100}
    assert house.until(81, 20).masks == {1: 0}


def test_restored_only_if_it_fits() -> None:
    house = House()
    house.at(1, 31)
    assert house.until(300, 24.5).masks == {1: 1}
    assert house.until(301, 24).masks == {1: 0}


def test_the_most_important_that_fits_is_restored_first() -> None:
    house = House(heater("11", 0, 1), heater("12", 1, 2), heater("13", 2, 3, watts=2300))
    house.at(1, 45)
    assert house.until(61, 22).masks == {1: 0b101}
    assert house.until(71, 22).masks == {1: 0b100}
    assert house.until(81, 19).masks == {1: 0}


def test_turns_are_taken() -> None:
    house = House()
    house.at(1, 31)
    assert house.until(61, 20).masks == {1: 0}
    assert shed(house.until(62, 31)) == ["12"]


def test_a_young_heater_is_spared_unless_nothing_else_is_left() -> None:
    house = House(heater("11", 0, 1), heater("12", 1, 2))
    assert shed(house.at(1, 31)) == ["11"]
    house.until(61, 20)
    assert shed(house.at(62, 31)) == ["12"]
    assert shed(house.at(72, 31)) == ["11"]


def test_a_silent_meter_restores_nothing() -> None:
    house = House()
    house.at(1, 31)
    house.at(50, 10)
    assert house.at(66, None).masks == {1: 1}  # 16 s without a word
    assert house.at(67, 10).masks == {1: 0}


def test_a_very_long_silence_leaves_a_safe_share() -> None:
    house = House(*(heater(f"1{bit}", bit, priority=bit) for bit in range(8)))
    house.at(1, 20)
    assert house.at(301, None).masks == {1: 0}
    blind = house.at(302, None)
    assert blind.masks == {1: 0b0001_1111}  # the three most important draw half of 30 A
    assert "meter silent (no current known, limit 30 A)" in str(blind.reasons[0])
    assert house.at(400, None).masks == {1: 0b0001_1111}
    assert house.at(401, 10).masks == {1: 0b0000_1111}  # and back to work


def test_shed_before_the_silence_and_inside_the_share() -> None:
    house = House()
    house.at(1, 45)
    masks = [house.at(302 + 10 * turn, None).masks[1] for turn in range(4)]
    assert masks == [0b1110, 0b1100, 0b1000, 0b1000]


def test_warnings_stand_in_for_missing_currents() -> None:
    house = House()
    house.at(1, 29)
    assert house.at(2, None, warnings={1: 33.0}).shed == 0  # the current itself is fresh
    assert house.at(8, None, warnings={1: 33.0}).shed == 1


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -1.0])
def test_nonsense_is_no_current_and_no_limit(nonsense: float) -> None:
    house = House()
    assert house.at(1, nonsense, limits={1: nonsense}).shed == 0
    assert house.at(2, 31).shed == 1


def test_without_a_limit_nothing_is_decided() -> None:
    house = House(limit=None)
    assert house.at(1, 99).masks == {1: 0}
    assert house.at(2, None, limits={1: 0.0}).masks == {1: 0}
    assert house.at(3, 31, limits={1: LIMIT}).shed == 1


def test_adopted_masks_are_held_for_the_minimum_time() -> None:
    house = House()
    house.policy.adopt(0, {1: 0xFF02, 7: 1})
    assert house.at(1, 10).masks == {1: 0b10}
    assert house.until(59, 10).masks == {1: 0b10}
    assert house.until(60, 10).masks == {1: 0}


def test_time_that_goes_back_is_held() -> None:
    house = House()
    house.at(100, 31)
    assert house.at(50, 31).shed == 1
    assert house.at(160, 10).shed == 0


class Winter(RuleBasedStateMachine):
    """Any readings in any order: what must hold whatever the meter says."""

    @initialize(
        amperes=st.lists(st.integers(1, 12) | st.none(), min_size=1, max_size=8),
        priorities=st.lists(st.integers(1, 3), min_size=8, max_size=8),
    )
    def build(self, amperes: list[int | None], priorities: list[int]) -> None:
        self.heaters = [
            heater(f"1{bit}", bit, priorities[bit], amps * 230.0 if amps else None)
            for bit, amps in enumerate(amperes)
        ]
        self.policy = SheddingPolicy(Wiring(self.heaters), [1], FAST)
        self.now = 0.0
        self.mask = 0
        self.current: float | None = None
        self.shed_since: dict[int, float] = {}
        self.on_since: dict[int, float] = {}
        self.decision = self.policy.step(0.0, Readings(limits={1: LIMIT}))

    def step(self, current: float | None, wait: float) -> None:
        self.now += wait
        self.current = current
        currents = {} if current is None else {1: current}
        self.decision = self.policy.step(self.now, Readings(currents=currents))
        self.check()
        self.mask = self.decision.masks[1]

    def check(self) -> None:
        mask = self.decision.masks[1]
        restored = self.mask & ~mask
        assert restored.bit_count() <= 1
        told = sum(1 << r.heater.bit for r in self.decision.reasons)
        assert told == self.mask ^ mask
        for reason in self.decision.reasons:
            bit = reason.heater.bit
            if reason.shed:
                overrun = self.current is not None and self.current > LIMIT
                rested = self.now - self.on_since.get(bit, -math.inf) >= FAST.minimum_on_s
                assert overrun or (reason.cause == "meter silent" and rested)
                self.shed_since[bit] = self.now
            else:
                assert self.now - self.shed_since[bit] >= FAST.minimum_off_s
                self.on_since[bit] = self.now

    @rule(current=st.floats(0, 60), wait=st.floats(0, 30))
    def hear(self, current: float, wait: float) -> None:
        self.step(current, wait)

    @rule(wait=st.floats(0, 400))
    def silence(self, wait: float) -> None:
        self.step(None, wait)

    @rule()
    def calm_at_last(self) -> None:
        """When the current stays low, nothing stays shed for ever."""
        for _ in range(40 * len(self.heaters)):
            self.step(10.0, 2.0)
        assert self.mask == 0

    @invariant()
    def only_heaters_that_exist(self) -> None:
        assert self.mask < 1 << len(self.heaters)


Winter.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestWinter = Winter.TestCase
