"""Rooms below their frost floor and rooms with a boost: what the policy does for their heaters."""

import json

import pytest

from jph.config.house.loads import Wiring
from jph.config.house.rooms import Room, RoomSettings
from jph.config.house.shedder import PhaseSettings, SheddingSettings
from jph.heating.plan.evaluation.wish import Limits, Wish, decide
from jph.heating.plan.urgent import cold_rooms, urgent_of
from jph.heating.shedding import Readings, Rules, Urgent
from jph.heating.shedding.bus.inputs import InputSorter
from jph.wire.codec import Json, Quality, Reading
from tests.jph.heating.shedding.shedhouse import ShedHouse, heater

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


def test_the_schedule_names_the_heaters_and_the_shedder_understands() -> None:
    rooms = [
        Room(
            RoomSettings(codifier=f"R{code}", name=code, frost=8.0),
            (heater(code, 0),),
        )
        for code in ("11", "12", "13")
    ]
    boost = Wish(22.0, boost=True)
    decided = {
        name: decide(wish, None, None, Wish("eco"), Limits())
        for name, wish in (("11", None), ("12", boost), ("13", boost))
    }
    cold = cold_rooms(rooms, {"11": 7.9, "12": 18.0, "13": None}, frozenset())
    assert cold == {"11"}
    assert cold_rooms(rooms, {"11": 8.4}, cold) == {"11"}
    assert cold_rooms(rooms, {"11": None}, cold) == {"11"}
    assert cold_rooms(rooms, {"11": 8.5}, cold) == frozenset()
    text = json.dumps(urgent_of(rooms, decided, cold))
    settings = SheddingSettings(
        phases=(PhaseSettings(phase=1, codifier="S1", current="I1", limit=30.0),), urgent="SU"
    )
    sorter = InputSorter(settings, Wiring(load for room in rooms for load in room.heaters))

    def heard(value: str) -> Urgent | None:
        reading = Reading(1, 1, 0, "j", "SU", "", 1, Quality.GOOD, Json(value))
        return sorter.sort([reading]).readings.urgent

    assert heard(text) == Urgent(frozenset({"11"}), frozenset({"12", "13"}))
    for wrong in ("", "[]", '{"frost": 1, "boost": 2}', "null"):
        assert heard(wrong) is None
