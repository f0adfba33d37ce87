"""Z-Wave against a server that speaks as Z-Wave JS server does, with a published node state."""

import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from jph.config.model import Network as Config
from jph.devices.radio.zwave import Change, Dead, Network, ValueId, begin
from jph.wire.codec import Flag, Quality
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.zwave import Zwave, ZwavePower
from tests.support import SHARED_DATA, running, until

MakeNetwork = Callable[..., Config]
STATES = SHARED_DATA / "zwave"


def value(command_class: int, name: str, now: Any, key: Any = None, **more: Any) -> dict[str, Any]:
    found = {"commandClass": command_class, "endpoint": 0, "property": name, **more}
    return found | ({} if key is None else {"propertyKey": key}) | {"value": now}


def node(number: int, *values: dict[str, Any], status: int = 4) -> dict[str, Any]:
    return {"nodeId": number, "status": status, "ready": True, "values": list(values)}


class FakeServer:
    """The first answers of a Z-Wave JS server; orders are kept and obeyed."""

    def __init__(self, *nodes: dict[str, Any]) -> None:
        self.nodes = list(nodes)
        self.heard: list[dict[str, Any]] = []
        self.clients: set[ServerConnection] = set()
        self.refuses = ""
        self.url = ""

    async def event(self, number: int, name: str, **args: Any) -> None:
        event = {"source": "node", "event": name, "nodeId": number, "args": args}
        for client in self.clients:
            await client.send(json.dumps({"type": "event", "event": event}))

    async def serve(self, client: ServerConnection) -> None:
        self.clients.add(client)
        await client.send(json.dumps({"type": "version", "maxSchemaVersion": 50}))
        try:
            async for text in client:
                await self._answer(client, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            self.clients.discard(client)

    async def _answer(self, client: ServerConnection, message: dict[str, Any]) -> None:
        self.heard.append(message)
        answer: dict[str, Any] = {"type": "result", "messageId": message["messageId"]}
        answer |= {"success": True, "result": {}}
        if message["command"] == "start_listening":
            answer["result"] = {"state": {"nodes": self.nodes}}
        if self.refuses and message["command"] == "node.set_value":
            answer |= {"success": False, "message": self.refuses}
        await client.send(json.dumps(answer))
        if message["command"] == "node.set_value" and not self.refuses:
            changed = message["valueId"] | {"property": "currentValue"}
            await self.event(
                message["nodeId"], "value updated", **changed, newValue=message["value"]
            )


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer(
        node(
            2,
            value(50, "value", 12.5, 66049),
            value(49, "Power", 11.0),
            value(50, "value", 3.25, 65537),
        ),
        node(3, value(37, "currentValue", False), value(37, "targetValue", None,
             metadata={"type": "boolean"})),
        node(4, value(50, "value", 99.0, 66049), status=3),
    )  # fmt: skip
    async with serve(fake.serve, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets or ())).getsockname()[1]
        fake.url = f"ws://127.0.0.1:{port}"
        yield fake


ELEMENTS = [
    {"Codifier": "Z2", "Node": 2, "CommandClass": 50, "Property": "value", "Key": 66049},
    {"Codifier": "Z3", "Node": 3, "CommandClass": 37, "Property": "currentValue",
     "Set": "targetValue"},
    {"Codifier": "Z4", "Node": 4, "CommandClass": 50, "Property": "value", "Key": 66049},
]  # fmt: skip


def entries(url: str, kind: str = "Zwave", **settings: Any) -> list[dict[str, Any]]:
    settings = settings or {"Elements": ELEMENTS}
    codes = [each["Codifier"] for each in settings.get("Elements") or settings["Proxy"]]
    return [
        {"Codifier": "Z1", "Type": kind, "SensorInterval": 60,
         "Sensor": {"Server": url, **settings}},
        *(
            {"Codifier": c, "Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "Z1"}}
            for c in codes
        ),
        {"Codifier": "CC", "Type": "ControlProgram"},
    ]  # fmt: skip


class Heard:
    """The newest value and quality of each codifier."""

    def __init__(self, console: ListeningProgram) -> None:
        self.newest: dict[str, tuple[Any, int]] = {}
        console.read = self._take

    def _take(self, readings: Any) -> None:
        for each in readings:
            if each.flag != "n":
                self.newest[each.source] = each.value, each.quality

    async def has(self, code: str, value: Any, quality: int = Quality.GOOD) -> None:
        await until(lambda: self.newest.get(code) == (value, quality))


async def test_values_changes_death_and_return(network: MakeNetwork, server: FakeServer) -> None:
    made = network(*entries(server.url))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Zwave("Z1", made)):
        heard = Heard(console)
        await heard.has("Z2", 12.5)
        await server.event(2, "value updated", **ELEMENT_2, newValue=40)
        await heard.has("Z2", 40)
        await server.event(2, "statistics updated", statistics={})
        await server.event(2, "dead")
        await heard.has("Z2", 40, Quality.STALE)
        await server.event(2, "alive")
        await server.event(2, "value updated", **ELEMENT_2, newValue=41)
        await heard.has("Z2", 41)
        assert "Z4" not in heard.newest  # dead from the start


ELEMENT_2 = {"commandClass": 50, "endpoint": 0, "property": "value", "propertyKey": 66049}


async def test_orders(
    network: MakeNetwork, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    made = network(*entries(server.url))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Zwave("Z1", made)):
        heard = Heard(console)
        await heard.has("Z3", 0)
        console.send_control(Flag.SET, "Z3", 1)
        await heard.has("Z3", 1)
        sent = next(m for m in server.heard if m["command"] == "node.set_value")
        assert sent["value"] is True
        assert sent["valueId"]["property"] == "targetValue"
        server.refuses = "the node is asleep"
        console.send_control(Flag.SET, "Z3", 0)
        await until(lambda: "Z3: the order 0 is not obeyed: the node is asleep" in caplog.text)


async def test_the_server_goes_and_returns(
    network: MakeNetwork, monkeypatch: pytest.MonkeyPatch, server: FakeServer
) -> None:
    monkeypatch.setattr("nodes.zwave._FIRST_RETRY_S", 0.01)
    made = network(*entries(server.url))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Zwave("Z1", made)):
        heard = Heard(console)
        await heard.has("Z2", 12.5)
        server.nodes[0]["values"][0]["value"] = 13.5
        for client in [*server.clients]:
            await client.close()
        await heard.has("Z2", 13.5)


async def test_the_originals_entry(network: MakeNetwork, server: FakeServer) -> None:
    server.nodes[0]["values"] += [value(50, "value", 230.0, 66561)]
    others = [
        {"Codifier": "W2", "node": 2, "index": 8, "instance": 1},
        {"Codifier": "W3", "node": 2, "index": 0, "instance": 1},
        {"Codifier": "W4", "node": 2, "index": 16, "instance": 1},
    ]
    entry = {"node": 2, "index": 4, "instance": 1, "Proxy": others}
    made = network(*entries(server.url, "ZwavePower", **entry))
    async with on_bus(ListeningProgram("CC", made)) as console, running(ZwavePower("Z1", made)):
        heard = Heard(console)
        for code, number in (("Z1", 11.0), ("W2", 12.5), ("W3", 3.25), ("W4", 230.0)):
            await heard.has(code, number)


@pytest.mark.skipif(not STATES.is_dir(), reason="no captures beside this checkout")
def test_a_published_state() -> None:
    state = json.loads((STATES / "multisensor_6_state.json").read_text())
    found = Network()
    changes = list(found.take({"type": "result", "success": True,
                               "result": {"state": {"nodes": [state]}}}))  # fmt: skip
    assert Change(ValueId(52, 49, "Air temperature"), 9) in changes
    assert found.values[ValueId(52, 49, "Humidity")] == 65
    assert found.status == {52: 1}
    assert ValueId(52, 32, "targetValue") not in found.values  # without value: unknown


async def test_another_endpoint_and_fahrenheit(
    network: MakeNetwork, server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    warm = value(49, "Air temperature", 72, endpoint=1, metadata={"type": "number", "unit": "°F"})
    server.nodes.append(node(13, warm))
    place = {"Node": 13, "CommandClass": 49, "Property": "Air temperature"}
    described = [
        {"Codifier": "Z2", **place},
        {"Codifier": "Z3", **place, "Endpoint": 1, "Set": "wish"},
    ]
    made = network(
        *({**e, "Symbol": "°C", "SensorInterval": 0.05} if e["Codifier"] != "CC" else e
          for e in entries(server.url, Elements=described))
    )  # fmt: skip
    async with on_bus(ListeningProgram("CC", made)) as console, running(Zwave("Z1", made)):
        await Heard(console).has("Z3", 22.22)
        console.send_control(Flag.SET, "Z3", 20)
        await until(lambda: any(m.get("value") == 68 for m in server.heard))
        await until(lambda: "Z2: no value: it is not at endpoint 0, but at 1" in caplog.text)


def test_a_first_message_of_another_server_is_refused() -> None:
    others: tuple[Any, ...] = (None, [], {"type": "hello"})
    for other in others:
        with pytest.raises(ValueError, match="Z-Wave"):
            begin(other)
    assert begin({"type": "version"})[0]["schemaVersion"] == 0


def test_10000_mutated_messages_change_only_what_they_name() -> None:
    source = random.Random(7)
    messages = [
        {"type": "result", "success": True, "result": {"state": {"nodes": [
            node(2, value(50, "value", 12.5, 66049))]}}},
        {"type": "event", "event": {"source": "node", "event": "value updated", "nodeId": 2,
                                    "args": {**ELEMENT_2, "newValue": 7}}},
        {"type": "event", "event": {"source": "node", "event": "dead", "nodeId": 2}},
    ]  # fmt: skip
    texts = [json.dumps(each) for each in messages]
    found = Network()
    for _ in range(10_000):
        text = list(source.choice(texts))
        for _ in range(source.randrange(1, 4)):
            text[source.randrange(len(text))] = source.choice('{}[]",:0123456789ntfe.- ')
        try:
            message = json.loads("".join(text))
        except ValueError:
            continue
        for change in found.take(message):
            assert isinstance(change, Change | Dead)
    assert len(found.values) <= 10_000
