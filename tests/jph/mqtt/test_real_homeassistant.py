"""A real Home Assistant core finds every entity of the demonstration, each with a state.

`make test-homeassistant` installs it outside the tree and names its program in `JPH_HASS`.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from gmqtt import Client
from gmqtt.mqtt.constants import MQTTv311

from jph.config import model as config
from jph.config.broker import Broker, broker_of
from jph.mqtt.door import Effect, Plan, Publish
from jph.mqtt.homeassistant.door import HomeAssistantDoor
from jph.mqtt.homeassistant.settings import HomeAssistantSettings
from jph.wire.codec import Reading
from tests.brokers import broker
from tests.support import LIMIT_S, REPOSITORY

HASS = os.environ.get("JPH_HASS", "")
pytestmark = pytest.mark.skipif(not HASS, reason="no Home Assistant: see make test-homeassistant")
_NEXT = json.dumps({"value": 1, "at_ms": 1_796_000_000_000})


@contextlib.asynccontextmanager
async def home_assistant(folder: Path, at: Broker) -> AsyncIterator[Path]:
    """Run a core whose MQTT integration is set up already; yield the folder of its storage."""
    storage = folder / ".storage"
    storage.mkdir()
    http = "http:\n  server_host: 127.0.0.1\n  server_port: 18123\n"
    (folder / "configuration.yaml").write_text(f"homeassistant:\n  name: t\n{http}")
    data: dict[str, Any] = {"broker": at.host, "port": at.port, "protocol": "3.1.1"}
    data |= {"username": at.user, "password": at.password}
    day = "2026-01-01T00:00:00+00:00"
    entry: dict[str, Any] = {
        "created_at": day,
        "modified_at": day,
        "data": data,
        "options": {},
        "domain": "mqtt",
    }
    entry |= {"entry_id": "01JMQTT", "title": "broker", "source": "user", "unique_id": None}
    entry |= {"version": 1, "minor_version": 2, "disabled_by": None, "discovery_keys": {}}
    entry |= {"subentries": [], "pref_disable_new_entities": False, "pref_disable_polling": False}
    entries: dict[str, Any] = {"version": 1, "minor_version": 5, "key": "core.config_entries"}
    text = json.dumps({**entries, "data": {"entries": [entry]}})
    (storage / "core.config_entries").write_text(text)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            HASS, "-c", str(folder), "--skip-pip", stdout=log, stderr=log
        )
        try:
            yield storage
        finally:
            process.terminate()
            await process.wait()


async def test_every_entity_appears_with_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPH_STATE", str(tmp_path / "state"))
    (tmp_path / "hass").mkdir()
    network = config.load(str(REPOSITORY / "static" / "config.json"))
    bridge = next(node.codifier for node in network.nodes() if node.type == "Mqtt")
    door = HomeAssistantDoor(network, HomeAssistantSettings(every=0.1), bridge)
    client, born = Client("jph-test"), asyncio.Event()

    def do(effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                client.publish(effect.topic, effect.payload, qos=0, retain=effect.retain)

    def take(_: Client, topic: str, payload: bytes, __: int, properties: Any) -> int:
        retained = bool(properties.get("retain"))
        if door.takes(topic):
            do(door.on_message(topic, bytes(payload), retained=retained, now_ms=_now()))
        if topic == "homeassistant/status":
            born.set()
        return 0

    async with broker(tmp_path / "state"):
        at = await asyncio.to_thread(broker_of, "", "")
        client.on_message = take
        client.set_auth_credentials(at.user, at.password)
        await client.connect(at.host, at.port, version=MQTTv311)
        for topic, qos in door.subscriptions():
            client.subscribe(topic, qos=qos)
        do(door.on_connect(_now()))
        async with home_assistant(tmp_path / "hass", at) as storage:
            async with asyncio.timeout(2 * LIMIT_S):
                await born.wait()
            for _ in range(12):  # its registry is written ten seconds after the last change
                do(door.on_plan(_plan(network), _now()))
                do(door.on_readings(list(_readings(network)), _now()))
                do(door.on_timer(_now()))
                await asyncio.sleep(1)
        await client.disconnect()
    expected = {
        part["uniq_id"]
        for description in door.described
        for part in json.loads(description)["cmps"].values()
    }
    entities = json.loads((storage / "core.entity_registry").read_text())["data"]["entities"]
    assert expected - {each["unique_id"] for each in entities} == set()
    kept = json.loads((storage / "core.restore_state").read_text())["data"]
    states = {each["state"]["entity_id"]: each["state"]["state"] for each in kept}
    without = [
        entity
        for entity, state in states.items()
        if state in ("unknown", "unavailable") and not entity.startswith(("button.", "scene."))
    ]
    assert without == []


def _now() -> int:
    return time.time_ns() // 1_000_000


def _plan(network: config.Network) -> Plan:
    room = {"degrees": 20.0, "wish": 20.0, "by": "schedule", "hand": [], "layers": []}
    rooms = {each["Name"]: room for each in network.rooms}
    schedules = [{"alias": "Winter"}]
    return Plan({"scheduler": {"schedules": schedules}}, {"rooms": rooms, "away": None}, alive=True)


def _readings(network: config.Network) -> Iterable[Reading]:
    values: dict[str, tuple[Any, str]] = {"text": ("Winter", "s"), "json": (_NEXT, "j")}
    values["float"] = (20.5, "d")
    for sensor in network.sensors:
        value, flag = values.get(sensor.data_type, (0, "q"))
        yield Reading(0, 1, _now(), flag, sensor.codifier, "@@", 1, 0, value)
