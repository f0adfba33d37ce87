"""Home Assistant's door: what it announces, says and takes, with the demonstration's config."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.config import model as config
from jph.heating.orders.coding import Order as HeaterOrder
from jph.mqtt.door import Edit, Effect, Order, Plan, Publish, Refused
from jph.mqtt.homeassistant.door import HomeAssistantDoor
from jph.mqtt.homeassistant.entities import PLATFORMS
from jph.mqtt.homeassistant.settings import HomeAssistantSettings
from jph.wire.codec import Control, Quality, Reading
from tests.support import REPOSITORY

NETWORK = config.load(str(REPOSITORY / "static" / "config.json"))
NOW_MS = 1_796_000_000_000
PLAN = Plan(
    {"scheduler": {"schedules": [{"alias": "Winter"}], "active_schedule": "Winter"}},
    {
        "rooms": {"Bathroom": {"degrees": 20.0, "wish": 20.0, "by": "schedule", "hand": []}},
        "away": None,
    },
    alive=True,
)


class House:
    """A door, and what a broker keeps of it."""

    def __init__(self, **settings: Any) -> None:
        made = HomeAssistantSettings(**{"every": 0.05, **settings})
        self.door = HomeAssistantDoor(NETWORK, made, "TI")
        self.retained: dict[str, bytes] = {}
        self.others: list[Effect] = []
        self.now_ms = NOW_MS
        self.do(self.door.on_connect(self.now_ms))
        self.do(self.door.on_plan(PLAN, self.now_ms))

    def do(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                self.retained[effect.topic] = effect.payload
            else:
                self.others.append(effect)

    def say(self, code: str, value: Any, flag: str = "d", quality: int = Quality.GOOD) -> None:
        self.now_ms += 1000
        made = Reading(0, 1, self.now_ms, flag, code, "@@", 1, quality, value)
        self.do(self.door.on_readings([made], self.now_ms))

    def command(self, code: str, part: str, payload: bytes | str, retained: bool = False) -> Any:
        content = payload.encode() if isinstance(payload, str) else payload
        topic = f"jph/home/{code}/set/{part}"
        assert self.door.takes(topic)
        return list(self.door.on_message(topic, content, retained=retained, now_ms=self.now_ms))

    def state(self, code: str, part: str = "state") -> str:
        return self.retained[f"jph/home/{code}/{part}"].decode()

    def devices(self) -> dict[str, Any]:
        return {
            topic.split("/")[2]: json.loads(payload)
            for topic, payload in self.retained.items()
            if topic.startswith("homeassistant/device/") and payload
        }


def test_every_component_is_of_a_known_platform_with_a_lasting_id() -> None:
    devices = House().devices()
    ids = [each["uniq_id"] for device in devices.values() for each in device["cmps"].values()]
    assert len(ids) == len(set(ids)) > 100
    for device in devices.values():
        assert device["o"]["name"] == "jph"
        for part in device["cmps"].values():
            assert part["p"] in PLATFORMS
            assert re.fullmatch(r"jph_home_[0-9A-Z]{2}(_[a-z]+)?", part["uniq_id"])
            assert part["default_entity_id"].startswith(f"{part['p']}.jph_home_")


def test_meter_indexes_suit_the_energy_dashboard() -> None:
    parts = [p for d in House().devices().values() for p in d["cmps"].values()]
    energy = [part for part in parts if part.get("dev_cla") == "energy"]
    assert energy
    assert {part["stat_cla"] for part in energy} == {"total_increasing"}


def test_a_room_is_a_climate_with_its_area() -> None:
    device = House().devices()["jph_home_ZH"]
    climate = device["cmps"]["ZH_climate"]
    assert device["dev"]["sa"] == "Bathroom"
    assert climate["max_temp"] == 24
    assert set(climate["pr_modes"]) == {"boost", "away"}


def test_values_and_lateness() -> None:
    house = House()
    house.say("RH", 18.25)
    assert house.state("RH") == "18.25"
    assert house.state("RH", "available") == "online"
    assert house.state("ZH", "current") == "18.2"
    house.now_ms += 21_000
    house.do(house.door.on_timer(house.now_ms))
    assert house.state("RH", "available") == "offline"
    house.say("RH", 19.0)
    assert house.state("RH", "available") == "online"


def test_a_stale_value_is_not_said_as_if_it_were_known() -> None:
    house = House()
    house.say("RH", 18.0)
    house.say("RH", 99.0, quality=Quality.STALE)
    assert house.state("RH") == "18"
    assert house.state("RH", "available") == "offline"


def test_a_heater_shows_its_order_and_that_it_is_shed() -> None:
    house = House()
    house.say("11", int(HeaterOrder.COMFORT), "i")
    house.say("1A", int(HeaterOrder.OFF), "i")
    assert house.state("11", "order") == "comfort"
    assert house.state("11", "mode") == "heat"
    assert house.state("11", "shed") == "1"
    house.say("1A", int(HeaterOrder.COMFORT), "i")
    assert house.state("11", "shed") == "0"


@pytest.mark.parametrize(
    ("code", "part", "payload", "expected"),
    [
        ("11", "order", "eco", Order("A", "11", float(HeaterOrder.ECO))),
        ("11", "mode", "off", Order("A", "11", float(HeaterOrder.OFF))),
        ("11", "preset", "comfort -1", Order("A", "11", float(HeaterOrder.COMFORT_1))),
        ("SP", "value", "21.5", Order("A", "SP", 21.5)),
        ("ZH", "mode", "auto", Edit("cancel", {"room": "Bathroom"}, "Home Assistant")),
        ("ZH", "skip", "PRESS", Edit("skip", {"room": "Bathroom"}, "Home Assistant")),
        ("SC", "away", "1", Edit("away", {}, "Home Assistant")),
        ("SC", "away", "0", Edit("home", {}, "Home Assistant")),
        (
            "SA",
            "schedule",
            "Winter",
            Edit("set_active_schedule", {"schedule_name": "Winter"}, "Home Assistant"),
        ),
        (
            "ZH",
            "target",
            "21.5",
            Edit("wish", {"room": "Bathroom", "value": 21.5, "until_ms": "rule"}, "Home Assistant"),
        ),
        (
            "ZH",
            "preset",
            "boost",
            Edit(
                "wish",
                {"room": "Bathroom", "value": 22.0, "for_s": 3600, "boost": True},
                "Home Assistant",
            ),
        ),
    ],
)
def test_commands(code: str, part: str, payload: str, expected: Effect) -> None:
    assert House().command(code, part, payload) == [expected]


@pytest.mark.parametrize(
    ("code", "part", "payload"),
    [
        ("11", "order", "warm"),
        ("21", "preset", "comfort -1"),  # a relay does not take it
        ("SP", "value", "nan"),
        ("SP", "value", "1e300"),
        ("I1", "value", "3"),  # it cannot be set
        ("ZH", "target", ""),
        ("ZH", "target", b"\xff\xfe"),
        ("ZH", "target", "9" * 5000),
        ("ZZ", "value", "1"),
    ],
)
def test_commands_that_are_refused(code: str, part: str, payload: str | bytes) -> None:
    (refused,) = House().command(code, part, payload)
    assert isinstance(refused, Refused)


def test_a_retained_command_is_refused() -> None:
    (refused,) = House().command("11", "order", "eco", retained=True)
    assert refused.reason == "retained"


def test_without_orders_it_has_no_command_topics() -> None:
    house = House(orders=False)
    parts = [p for d in house.devices().values() for p in d["cmps"].values()]
    assert not {part["p"] for part in parts} & {"button", "number", "select", "switch"}
    (refused,) = house.command("11", "order", "eco")
    assert refused.reason == "orders are off"


def test_the_birth_message_has_everything_said_again() -> None:
    house = House()
    house.say("RH", 18.0)
    house.retained.clear()
    effects = house.door.on_message(
        "homeassistant/status", b"online", retained=False, now_ms=house.now_ms
    )
    house.do(effects)
    assert house.state("RH") == "18"
    assert "jph_home_ZH" in house.devices()


def test_a_device_that_left_the_config_is_cleared_and_others_stay() -> None:
    house = House()
    for name, cleared in (("jph_home_Q9", True), ("jph_home_ZH", False), ("other_1", False)):
        topic = f"homeassistant/device/{name}/config"
        if not house.door.takes(topic):
            assert not cleared
            continue
        house.do(house.door.on_message(topic, b"{}", retained=True, now_ms=house.now_ms))
        assert (house.retained.get(topic) == b"") is cleared


def test_a_value_is_said_at_most_once_in_every() -> None:
    house = House(every=10.0)
    house.say("RH", 18.0)
    house.say("RH", 18.5)
    assert house.state("RH") == "18"
    house.now_ms += 10_000
    house.do(house.door.on_timer(house.now_ms))
    assert house.state("RH") == "18.5"


@given(
    code=st.text("0123456789AZ", min_size=2, max_size=2),
    part=st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20),
    payload=st.binary(max_size=300),
)
def test_any_command_is_taken_or_refused(code: str, part: str, payload: bytes) -> None:
    effects = SHARED.command(code, part, payload)
    assert len(effects) == 1


SHARED = House()


def test_a_value_that_stays_the_same_is_repeated_before_it_expires() -> None:
    house = House()
    expiry_s = house.devices()["jph_home_HO"]["cmps"]["RH"]["exp_aft"]
    house.say("RH", 18.0)
    topic, said_at = "jph/home/RH/state", house.now_ms
    del house.retained[topic]
    house.say("RH", 18.0)
    assert topic not in house.retained
    house.now_ms = said_at + 1000 * expiry_s // 2
    house.say("RH", 18.0)
    assert house.retained[topic] == b"18"


def test_a_heater_tells_what_it_draws_and_why_it_is_shed() -> None:
    house = House()
    why = {
        "value": -1,
        "watts": {"11": 1480},
        "shed": {"11": {"since_ms": NOW_MS, "reason": "overrun", "current": 33, "limit": 30}},
    }
    house.say("11", int(HeaterOrder.COMFORT), "i")
    house.say("E1", json.dumps(why), "j")
    house.say("S1", 1, "i")
    attributes = json.loads(house.state("11", "attributes"))
    assert (house.state("11", "power"), house.state("11", "shed")) == ("1480", "1")
    assert attributes["shed_reason"] == "overrun"
    assert "shed" in attributes["why"]
    assert house.state("E1") == "None"  # no trip is near


def test_a_node_that_lives_without_readings_is_connected() -> None:
    house = House()
    alive = Control(1, 1, house.now_ms, "I", "R1", "@@", 1, 0.0, True)
    house.do(house.door.on_control(alive, house.now_ms))
    house.do(house.door.on_timer(house.now_ms))
    assert house.state("R1", "alive") == "online"
    house.now_ms += 120_000
    house.do(house.door.on_timer(house.now_ms))
    assert house.state("R1", "alive") == "offline"


def test_changes_are_merged_and_of_each_codifier_one_waits() -> None:
    house = House(every=1.0)
    codes = [sensor.codifier for sensor in NETWORK.sensors if sensor.symbol == "°C"]
    said = 0
    for count in range(2000):
        readings = [
            Reading(0, 1, house.now_ms, "d", code, "@@", 1, 0, count + number)
            for number, code in enumerate(codes)
        ]
        said += len(list(house.door.on_readings(readings, house.now_ms + count)))
    assert said < 2000 * len(codes) / 100
    assert len(house.door.states._waiting) <= len(NETWORK.sensors)


def test_a_large_house_is_described_at_once() -> None:
    entries = [
        {"Codifier": f"{a}{b}", "Type": "Proxy", "Symbol": "°C", "Sensor": {"Codifier": "AA"}}
        for a in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        for b in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
        if a + b != "AA"
    ]
    raw = json.loads((REPOSITORY / "static" / "config.json").read_text(encoding="utf-8"))
    node = {"Codifier": "AA", "Type": "Setpoint"}
    document = {"Multicast": raw["Multicast"], "Sensors": [node, *entries]}
    network = config.parse(json.dumps(document).encode())
    door = HomeAssistantDoor(network, HomeAssistantSettings(), "AA")
    told = list(door.on_connect(NOW_MS))
    (message,) = (e for e in told if isinstance(e, Publish) and e.topic.endswith("/config"))
    assert len(json.loads(message.payload)["cmps"]) == 1297
