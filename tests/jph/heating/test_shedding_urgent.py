"""Rooms below their frost floor and rooms with a boost: what the policy does for their heaters."""

import pytest

from jph.heating.shedding import Readings, Rules, Urgent
from tests.jph.heating.shedhouse import ShedHouse, heater

RULES = Rules(maximum_off_s=900.0)


def house_of(count: int, *, urgent: Urgent, base_a: float, rules: Rules = RULES) -> ShedHouse:
    """Return a phase of equal heaters; the first one has the lowest priority of all."""
    heaters = [heater(f"1{bit + 1}", bit, 1 if bit == 0 else 3) for bit in range(count)]
    house = ShedHouse(heaters, rules=rules)
    house.policy.step(house.now_s, Readings(urgent=urgent))
    house.base_a = base_a
    return house


def off_share(house: ShedHouse, frames: int = 3000) -> list[float]:
    """Return the share of time for which each heater is off."""
    off = [0] * len(house.heaters)
    for _ in range(frames):
        house.frame()
        for bit in range(len(off)):
            off[bit] += house.mask >> bit & 1
    return [each / frames for each in off]


def test_a_room_below_its_frost_floor_is_shed_last_and_restored_first() -> None:
    frost = Urgent(frost=frozenset({"11"}))
    house = house_of(6, urgent=frost, base_a=14.0)
    house.frame()
    assert house.shed()
    assert "11" not in house.shed()
    house.base_a = 45.0  # everything must go
    house.live(20)
    assert len(house.shed()) == 6
    house.base_a = 14.0
    house.reasons.clear()
    house.live(300)
    returned = [reason.heater.codifier for reason in house.reasons if not reason.shed]
    assert returned[0] == "11"


@pytest.mark.parametrize("priority_s", [200.0, 1e6])
def test_a_room_below_its_frost_floor_is_never_off_longer_than_the_maximum(
    priority_s: float,
) -> None:
    rules = Rules(maximum_off_s=300.0, priority_s=priority_s)
    house = house_of(4, urgent=Urgent(), base_a=22.0, rules=rules)
    house.live(400)
    assert house.mask & 1, "it has the lowest priority"
    house.policy.step(house.now_s, Readings(urgent=Urgent(frost=frozenset({"11"}))))
    since_s = house.now_s if house.mask & 1 else None
    longest_s = 0.0
    for _ in range(2000):
        house.frame()
        if not house.mask & 1:
            since_s = None
        elif since_s is None:
            since_s = house.now_s
        else:
            longest_s = max(longest_s, house.now_s - since_s)
    assert longest_s <= rules.maximum_off_s


def test_a_boost_raises_the_rank_until_it_ends() -> None:
    plain = off_share(house_of(6, urgent=Urgent(), base_a=9.0))
    boosted = house_of(6, urgent=Urgent(boosted=frozenset({"11"})), base_a=9.0)
    shares = off_share(boosted)
    assert shares[0] < 0.6 * min(shares[1:])
    assert shares[0] < 0.6 * plain[0]
    boosted.policy.step(boosted.now_s, Readings(urgent=Urgent()))
    boosted.live(1200)
    assert off_share(boosted)[0] > shares[0]
