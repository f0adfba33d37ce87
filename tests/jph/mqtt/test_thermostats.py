"""Thermostats by MQTT: obeyed in the end, a person's setpoint known, ours never taken for one."""

import random
from typing import Any, Literal

import pytest

from jph.mqtt.climate import ClimateSettings
from jph.mqtt.door import Climate, Edit, Effect, Plan, Publish, Send
from jph.mqtt.thermostats import ThermostatsDoor
from tests.jph.mqtt.apphouse import NOW_MS, room

BASE = "homeassistant/climate/bureau"


class House:
    """One thermostat and the wish of its room."""

    def __init__(self, form: Literal["statestream", "zigbee2mqtt"] = "statestream") -> None:
        settings = ClimateSettings(codifier="TB", temperature="TX", base=BASE, form=form)
        rooms = [room("RB", "Bureau", thermometers=("TX",))]
        self.door = ThermostatsDoor([settings], rooms)
        self.now_ms = NOW_MS

    def says(self, topic: str, payload: object) -> list[Effect]:
        place = f"{BASE}/{topic}" if topic else BASE
        data = str(payload).encode()
        found = self.door.on_message(place, data, retained=False, now_ms=self.now_ms)
        return list(found)

    def wishes(self, degrees: float) -> list[Effect]:
        state = {"rooms": {"Bureau": {"degrees": degrees, "by": "schedule"}}}
        return list(self.door.on_plan(Plan({}, state, alive=True), self.now_ms))

    def after(self, seconds: float) -> list[Effect]:
        self.now_ms += round(seconds * 1000)
        return list(self.door.on_timer(self.now_ms))


def order(value: float) -> Publish:
    return Publish(f"{BASE}/new_setpoint", str(value).encode(), qos=1)


def test_a_setpoint_is_repeated_until_it_is_reported() -> None:
    house = House()
    house.says("temperature", 18.0)
    assert house.wishes(20.0) == [order(20.0)]
    assert house.says("temperature", 18.0) == []
    for pause in (10, 30, 60, 120, 600, 600):
        assert house.after(pause - 1) == []
        assert house.after(1) == [order(20.0)]
    assert house.says("temperature", "20") == [Send("TB", 20.0)]
    assert house.after(3600) == []


def test_a_knob_is_a_wish_by_the_rule_for_manual_mode() -> None:
    house = House()
    house.says("temperature", 18.0)
    house.wishes(20.0)
    house.says("temperature", 20.0)
    wish = {"room": "Bureau", "value": 22.0, "until_ms": "rule"}
    found = house.says("temperature", 22.0)
    assert found == [Send("TB", 22.0), Edit("wish", wish, "at bureau")]
    assert house.wishes(22.0) == []
    assert house.after(3600) == []


def test_an_old_write_that_comes_late_is_no_person() -> None:
    house = House()
    house.says("temperature", 18.0)
    house.wishes(20.0)
    house.wishes(21.0)
    assert house.says("temperature", 20.0) == [Send("TB", 20.0)]
    assert house.after(10) == [order(21.0)]


def test_one_that_comes_back_is_ordered_at_once() -> None:
    house = House()
    house.says("temperature", 18.0)
    house.says("state", "unavailable")
    assert house.wishes(20.0) == []
    assert house.after(60) == []
    assert house.says("state", "heat") == [order(20.0)]


def test_zigbee2mqtt() -> None:
    house = House("zigbee2mqtt")
    state = '{"local_temperature": 18.5, "occupied_heating_setpoint": 17}'
    assert house.says("", state) == [Send("TB", 17.0), Send("TX", 18.5)]
    payload = b'{"occupied_heating_setpoint":20.0}'
    assert house.wishes(20.0) == [Publish(f"{BASE}/set", payload, qos=1)]


def test_one_without_a_room_is_an_entity() -> None:
    settings = ClimateSettings(codifier="TB", base=f"{BASE}/")
    door = ThermostatsDoor([settings], [])
    assert list(door.on_connect(NOW_MS)) == [Climate("climate_bureau", "bureau")]
    found = door.on_message(f"{BASE}/friendly_name", b'"Bureau"', retained=True, now_ms=NOW_MS)
    assert list(found) == [Climate("climate_bureau", "Bureau")]
    devices = {"devices": [{"name": "B", "srventity": "climate_bureau"}]}
    idle: dict[str, Any] = {"rooms": {"B": {"degrees": 19.0, "by": "default"}}}
    assert list(door.on_plan(Plan(devices, idle, alive=True), NOW_MS)) == []
    wish = {"rooms": {"B": {"degrees": 20.5, "by": "hand"}}}
    assert list(door.on_plan(Plan(devices, wish, alive=True), NOW_MS)) == [order(20.5)]


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[" * 60_000, b"x" * 100_000, b"1e999", b"true"]
)
def test_hostile_reports_change_nothing(payload: bytes) -> None:
    house = House()
    found = house.door.on_message(f"{BASE}/temperature", payload, retained=False, now_ms=NOW_MS)
    assert not any(isinstance(each, Send | Edit) for each in found)


def test_a_climate_that_loses_and_repeats_obeys_in_the_end() -> None:
    """It drops 30 % of the orders and reports its old setpoint now and then."""
    house, chance, setpoint = House(), random.Random(7), 18.0
    house.says("temperature", setpoint)
    for wish in (20.0, 17.0, 21.5, 19.0) * 10:
        effects = house.wishes(wish)
        for _ in range(2000):
            for effect in effects:
                assert not isinstance(effect, Edit)
                if isinstance(effect, Publish) and chance.random() > 0.3:
                    assert not any(isinstance(e, Edit) for e in house.says("temperature", setpoint))
                    setpoint = float(effect.payload)
                    reported = house.says("temperature", setpoint)
                    assert not any(isinstance(each, Edit) for each in reported)
            if setpoint == wish:
                break
            effects = house.after(1)
        assert setpoint == wish
