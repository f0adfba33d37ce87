"""A policy's memory goes through its file into the next run."""

import json
import math

import pytest

from jph.config.house.loads import Wiring
from jph.config.house.plausible import plausible_current, plausible_limit
from jph.heating.shedding import SheddingPolicy
from jph.heating.shedding.memory import Memory, from_stored, to_stored
from tests.jph.heating.shedding.shedhouse import ShedHouse

WALL_MS = 1_795_160_000_000.0


def through_a_file(memory: Memory) -> Memory:
    return from_stored(json.loads(json.dumps(to_stored(memory))))


@pytest.fixture
def house() -> ShedHouse:
    """Return a house that has shed something."""
    house = ShedHouse(amperes=(6.0, 5.0, 5.0, 5.0))
    house.base_a = 18.0
    house.live(20)
    assert house.mask
    return house


def restarted(house: ShedHouse, later_s: float = 10.0) -> SheddingPolicy:
    """Return a new policy with the memory of the house's."""
    now_s = house.now_s
    memory = through_a_file(house.policy.memory(now_s, WALL_MS))
    fresh = SheddingPolicy(Wiring(house.heaters), [1, 2])
    start_s = 5.0  # another boot has another monotonic clock
    fresh.adopt(start_s, {1: house.mask, 2: 0})
    fresh.recall(memory, start_s, WALL_MS + later_s * 1000)
    return fresh


def test_reasons_times_and_learned_amperes_survive(house: ShedHouse) -> None:
    before = house.policy.report(house.now_s)[1]
    after = restarted(house).report(5.0)[1]
    assert after.shed.keys() == before.shed.keys()
    for code, held in before.shed.items():
        again = after.shed[code]
        assert (again.cause, again.current_a) == (held.cause, held.current_a)
        assert 5.0 - again.since_s == pytest.approx(house.now_s - held.since_s + 10)
    assert after.amperes == pytest.approx(before.amperes)


def test_old_reasons_are_forgotten_and_learned_amperes_are_not(house: ShedHouse) -> None:
    before = house.policy.report(house.now_s)[1]
    after = restarted(house, later_s=7200).report(5.0)[1]
    assert {held.cause for held in after.shed.values()} == {"shed before the last start"}
    assert after.amperes == pytest.approx(before.amperes)


def test_rubbish_is_no_memory() -> None:
    for stored in (None, 3, {"heaters": 7}, {"rooms": {"Hall": {"hypotheses": [[1]]}}}):
        assert from_stored(stored) == Memory()


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, 1e308, 5.6e18, 9876, True, "8", 10**400])
def test_a_current_that_cannot_flow(value: object) -> None:
    assert plausible_current(value, 30.0) is None


def test_currents_and_limits_that_can_be() -> None:
    assert plausible_current(149, 30.0) == 149
    assert plausible_current(99, 3.0) == 99
    assert plausible_current(4000, None) == 4000
    assert [plausible_limit(x) for x in (0, 30, 1e9)] == [None, 30, None]
