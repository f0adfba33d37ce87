"""The Mqtt node with a real broker: the app's topics, edits, wills, doubles, hostile messages."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jph.config.model import Network, Sensor
from jph.mqtt.door import Climate, Door, Edit, Effect, Plan, Publish, Refused
from jph.mqtt.doors import open_doors
from jph.mqtt.settings import MqttSettings
from nodes import mqtt
from nodes.mqtt import Mqtt
from nodes.schedule import Schedule
from tests.brokers import Listener, broker, needs_broker
from tests.nodes.heatinghouse import element, house, living
from tests.support import until

pytestmark = needs_broker
BASE = "heatingcontrol"
SERVER = f"{BASE}/serverdata"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JPH_STATE", str(tmp_path))
    return tmp_path


def network(**settings: Any) -> Network:
    """Return a house with a plan for one room, and a Mqtt node."""
    made = house({})
    elements = {"Document": "SD", "Answer": "SR", "State": "SK"}
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.2}
    plan = Sensor(codifier="SC", type="Schedule", control="enabled", sensor=elements, **fast)
    sensor = {"App": {}, **settings}
    made.sensors.extend(
        [
            plan,
            Sensor(codifier="MQ", type="Mqtt", sensor=sensor, **fast),
            element("RS", "SC", "enabled"),
            *(element(code, "SC") for code in elements.values()),
        ]
    )
    return msgspec.structs.replace(made, rooms=[{"Codifier": "RS", "Name": "Salon"}])


def command(name: str, params: object) -> str:
    return json.dumps({"command": name, "params": params})


class Echo(Door):
    """Says what the node gives to a door, and offers a thermostat."""

    name = "echo"

    def __init__(self) -> None:
        self.connected = 0
        self.answers: list[Any] = []
        self.plan = Plan()

    def subscriptions(self) -> list[tuple[str, int]]:
        return [("echo/#", 1)]

    def will(self) -> Publish:
        return Publish("said/will", b"1", retain=True)

    def takes(self, topic: str) -> bool:
        return topic.startswith("echo/")

    def on_connect(self, now_ms: int) -> list[Effect]:
        self.connected += 1
        return [Publish("said/connects", b"%d" % self.connected, retain=True)]

    def on_plan(self, plan: Plan, now_ms: int) -> list[Effect]:
        self.plan = plan
        return []

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> list[Effect]:
        if payload == b"crash":
            raise RuntimeError
        if payload == b"edit":
            return [Edit("wish", {"room": "Salon", "value": 21.5}, "echo", 7)]
        if payload == b"climate":
            return [Climate("climate_x", "X", 18.0, 20.0)]
        merged = [Publish("said/merged", b"%d" % n, merge=True) for n in range(5000)]
        return [*merged, Refused("as asked")]

    def on_answer(self, tag: int, answer: Any, now_ms: int) -> list[Effect]:
        self.answers.append((tag, answer["status"]))
        return []


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Echo:
    """Add a door to those of the settings."""
    door = Echo()

    def doors(made: Network, codifier: str, settings: MqttSettings) -> list[Door]:
        return [*open_doors(made, codifier, settings), door]

    monkeypatch.setattr(mqtt, "open_doors", doors)
    return door


async def test_the_app_edits_the_plan_and_is_told(state: Path) -> None:
    made = network()
    listener = Listener("")
    async with broker(state):
        node = Mqtt("MQ", made)
        async with living(Schedule("SC", made), node):
            await listener.connect(f"{BASE}/#")
            said = f"{SERVER}/devices/RS"
            await listener.until(lambda: (listener.last(said) or {}).get("setpoint") == 19.0)
            await listener.until(lambda: listener.last(f"{SERVER}/is_alive"))
            setpoint = {"device_name": "Salon", "setpoint": 21}
            listener.publish(f"{BASE}/command", command("set_setpoint", setpoint))
            await listener.until(lambda: listener.last(said)["setpoint"] == 21.0)
            answer = {"cmd": "set_setpoint", "status": "success"}
            assert listener.last(f"{BASE}/on_cmd_response") == answer
            listener.publish(f"{BASE}/command", command("delete_device", {"name": "Salon"}))
            await listener.until(
                lambda: listener.last(f"{BASE}/on_cmd_response")["status"] == "failure"
            )
            assert node.refused_messages == {"app: REFERENCED_NODE": 1}
        await listener.until(lambda: listener.heard[-1] == (f"{SERVER}/is_alive", b""))
        await listener.close()


async def test_doors_act_and_their_mistakes_end_nothing(state: Path, echo: Echo) -> None:
    made = network()
    listener = Listener()
    async with broker(state):
        node = Mqtt("MQ", made)
        async with living(Schedule("SC", made), node):
            await listener.connect("said/#", f"{SERVER}/on_entities")
            await listener.until(lambda: listener.last("said/connects"))  # so it has subscribed
            await until(lambda: echo.plan.alive and echo.plan.document)
            listener.publish("echo/a", "crash")
            listener.publish("echo/a", "edit")
            await until(lambda: echo.answers == [(7, "success")])
            await until(lambda: echo.plan.wish_c("Salon") == 21.5)
            listener.publish("echo/a", "climate")
            await listener.until(
                lambda: (
                    listener.last(f"{SERVER}/on_entities")
                    == [{"name": "X", "srventity": "climate_x"}]
                )
            )
            listener.publish("echo/a", "merge")
            await listener.until(lambda: listener.last("said/merged") == 4999)
            merged = [topic for topic, _ in listener.heard if topic == "said/merged"]
            assert len(merged) < 100
            assert node.refused_messages == {"echo: error": 1, "echo: as asked": 1}
        await listener.close()


async def test_after_the_broker_is_back_everything_is_said_again(state: Path, echo: Echo) -> None:
    made = network()
    async with living(Schedule("SC", made), Mqtt("MQ", made)):
        for count in (1, 2):
            async with broker(state):
                await until(lambda count=count: echo.connected == count)
                await _hears_everything()


async def _hears_everything() -> None:
    listener = Listener()
    await listener.connect(f"{BASE}/#")
    await listener.until(lambda: listener.last(f"{SERVER}/on_scheduler"))
    await listener.until(lambda: listener.last(f"{SERVER}/is_alive"))
    await listener.close()


async def test_each_door_has_its_will(state: Path, echo: Echo) -> None:
    made = network()
    listener = Listener()
    async with broker(state):
        node = Mqtt("MQ", made)
        async with living(Schedule("SC", made), node):
            await listener.connect("said/will", f"{SERVER}/is_alive")
            await listener.until(lambda: listener.last(f"{SERVER}/is_alive"))
            await until(lambda: all(link.connected for link in node._links))
            for link in node._links:  # as when the process is killed
                link._client._connection._transport.abort()
            await listener.until(lambda: ("said/will", b"1") in listener.heard)
            await listener.until(lambda: (f"{SERVER}/is_alive", b"") in listener.heard)
        await listener.close()


async def test_a_second_client_of_the_same_id_is_named(
    state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = network()
    async with broker(state):
        node = Mqtt("MQ", made)
        with caplog.at_level(logging.WARNING):
            async with living(Schedule("SC", made), node):
                await until(lambda: node.link.connected)
                for _ in range(4):
                    double = Listener(node.client_id)
                    before = len(caplog.records)
                    await double.connect()
                    await until(lambda before=before: len(caplog.records) > before)
                    await until(lambda: node.link.connected)
                assert f"has the id {node.client_id} too" in caplog.text


async def test_hostile_messages_end_nothing(state: Path) -> None:
    made = network()
    listener = Listener("")
    async with broker(state):
        node = Mqtt("MQ", made)
        async with living(Schedule("SC", made), node):
            await listener.connect(f"{SERVER}/is_alive")
            await listener.until(lambda: listener.last(f"{SERVER}/is_alive"))
            topic = f"{BASE}/command"
            for payload in (b"[" * 100_000, os.urandom(1000), b"\xff", b"", b'{"command":1}'):
                listener.publish(topic, payload)
            await until(lambda: sum(node.refused_messages.values()) == 5)
            listener.publish(topic, b"x" * 200_000)
            await until(lambda: sum(node.refused_messages.values()) == 6)
        await listener.close()


async def test_home_assistant_sees_a_room_and_its_wish_is_obeyed(state: Path) -> None:
    made = network(App=None, HomeAssistant={"Every": 0.05})
    listener = Listener("")
    async with broker(state):
        async with living(Schedule("SC", made), Mqtt("MQ", made)):
            await listener.connect("homeassistant/#", "jph/#")
            config = "homeassistant/device/jph_home_RS/config"
            await listener.until(lambda: listener.last(config))
            topics = listener.last(config)["cmps"]["RS_climate"]
            await listener.until(lambda: listener.last(topics["temp_stat_t"]) == 19)
            listener.publish(topics["temp_cmd_t"], "21.5")
            await listener.until(lambda: listener.last(topics["temp_stat_t"]) == 21.5)
            await listener.until(
                lambda: listener.heard[-1][1] and _said(listener, topics) == "heat"
            )
        await listener.until(lambda: ("jph/home/status", b"offline") in listener.heard)
        await listener.close()


def _said(listener: Listener, topics: dict[str, str]) -> str:
    found = [payload for topic, payload in listener.heard if topic == topics["mode_stat_t"]]
    return found[-1].decode() if found else ""
