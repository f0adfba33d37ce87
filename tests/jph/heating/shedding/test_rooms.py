"""Thermometers and wishes in the plan of the shedder."""

import pytest

from jph.config.house.rooms import Room, RoomSettings
from jph.heating.shedding import Readings
from jph.heating.shedding.bus.rooms import OLDEST_S, RoomSensors
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.estimates.thermometer import Thermometer
from jph.heating.shedding.rules import RoomReading
from jph.wire.codec import Quality, Reading
from tests.jph.heating.shedding.shedhouse import ShedHouse, heater


def house_with(air_c: list[float], base_a: float) -> ShedHouse:
    """Return a phase of equal heaters, each in a room of its own with a wish of 20 °C."""
    house = ShedHouse([heater(f"1{bit + 1}", bit, room=f"R{bit}") for bit in range(len(air_c))])
    rooms = {f"R{bit}": RoomReading(celsius, 20.0) for bit, celsius in enumerate(air_c)}
    house.policy.step(house.now_s, Readings(rooms=rooms))
    house.base_a = base_a
    return house


def test_the_coldest_against_its_wish_is_shed_last_and_restored_first() -> None:
    house = house_with([18.0, 19.5, 19.9, 19.0], 13.0)
    house.frame()
    assert house.shed() == ["13"]
    house.base_a = 30.0
    house.live(20)
    assert len(house.shed()) == 4
    house.base_a = 14.0
    house.reasons.clear()
    house.live(200)
    assert [why.heater.codifier for why in house.reasons if not why.shed][:2] == ["11", "14"]


def test_a_wish_counts_and_not_the_temperature() -> None:
    house = house_with([19.0, 19.0], 23.0)
    wish = {"R0": RoomReading(19.0, 16.0), "R1": RoomReading(19.0, 21.0)}
    house.policy.step(house.now_s, Readings(rooms=wish))
    house.frame()
    assert house.shed() == ["11"]


def test_without_a_thermometer_the_estimate_stays() -> None:
    room = RoomHeat()
    estimate_s = room.short_s
    room.measure(0.0, RoomReading(18.0, 20.0))
    assert room.short_s == pytest.approx(400)
    assert room.wanted(90.0) == 1.0
    room.measure(1.0, None)
    assert estimate_s < room.short_s < 400
    room.measure(2.0, RoomReading(99.0, 20.0))
    assert not room.thermometer.measures


def test_the_error_of_a_thermostat_is_learned_in_spite_of_wrong_signs() -> None:
    room = Thermometer()
    for number in range(60):
        room.take(60.0 * number, RoomReading(19.5 if number % 5 else 18.0, 20.0))
        room.switched(warm=number % 2 == 0)
    assert room.offset_k == pytest.approx(0.5, abs=0.1)
    again = Thermometer()
    again.recall(room.memory())
    assert again.offset_k == pytest.approx(room.offset_k, abs=0.01)
    again.recall([1.0, 2.0])
    assert again.offset_k == pytest.approx(room.offset_k, abs=0.01)


def reading(code: str, value: float, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(1, 1, 0, "f", code, "@@", 1, quality, value)


def test_the_bus_gives_temperatures_and_wishes_by_room() -> None:
    settings = RoomSettings(codifier="ZA", name="Hall", thermometers=("T1", "T2"))
    loads = (heater("11", 0, room="Hall"), heater("12", 1))
    sensors = RoomSensors([Room(settings, loads)])
    assert sensors.take([reading("T1", 18.0), reading("XX", 5.0)], 0.0) == {}
    known = sensors.take([reading("ZA", 20.0), reading("T2", 19.0)], 10.0)
    assert known == {"Hall": RoomReading(18.5, 20.0), "12": RoomReading(18.5, 20.0)}
    assert sensors.take([reading("T2", 30.0, Quality.STALE), reading("ZA", 80.0)], 11.0) == {}
    assert sensors.look(OLDEST_S + 5.0)["Hall"] == RoomReading(19.0, 20.0)
    assert sensors.look(OLDEST_S + 15.0)["Hall"] is None
    after = RoomSensors([Room(settings, loads)])
    after.recall(sensors)
    assert after.take([reading("T1", 17.0)], OLDEST_S + 20.0)["Hall"] == RoomReading(17.0, 20.0)
