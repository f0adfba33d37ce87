"""MQTT by WebSocket through the page's port: which handshakes enter, and what the broker gets."""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from jph.config.broker import broker_file
from jph.config.model import Sensor
from jph.gateway.platform import connections
from jph.gateway.platform.relay import MqttRelay
from jph.gateway.platform.server import WebServer, listen
from tests.jph.mqtt.test_connect import packet
from tests.nodes.heatinghouse import house

NETWORK = msgspec.structs.replace(house({}), sensors=[Sensor(codifier="MQ", type="Mqtt")])
PAGE = "http://pi:8080"
CONNECT = packet(0xC2, b"", b"app", b"secret")
ANONYMOUS = packet(0x02, b"")


@contextlib.asynccontextmanager
async def echo(state: Path) -> AsyncIterator[list[bytes]]:
    """Stand in for the broker: keeps what it gets and sends it back."""
    got: list[bytes] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        while part := await reader.read(1000):
            got.append(part)
            writer.write(part)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broker_file(state).parent.mkdir()
    broker_file(state).write_text(json.dumps({"port": port, "users": {}}))
    async with server:
        yield got
        await asyncio.gather(*(task for task in serving if task is not None))


class Telephone:
    """One WebSocket as the server hands it to an application."""

    def __init__(self, origin: str | None = PAGE, **scope: Any) -> None:
        headers = [(b"host", b"pi:8080")]
        headers += [(b"origin", origin.encode())] if origin is not None else []
        self.scope = {
            "type": "websocket",
            "path": "/",
            "headers": headers,
            "subprotocols": ["mqtt"],
            **scope,
        }
        self.up: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.down: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.up.put_nowait({"type": "websocket.connect"})

    def say(self, data: bytes) -> None:
        self.up.put_nowait({"type": "websocket.receive", "bytes": data})

    async def call(self, *said: bytes) -> list[dict[str, Any]]:
        """Say this and hang up; return what was answered."""
        for data in said:
            self.say(data)
        relay = MqttRelay(_no_request, {"pi"}, lambda: NETWORK, logging.getLogger("test"))
        task = asyncio.create_task(relay(self.scope, self.up.get, self.down.put))
        answered = [await self.down.get()]
        if answered[0]["type"] == "websocket.accept":
            answered.append(await self.down.get())
        self.up.put_nowait({"type": "websocket.disconnect"})
        await task
        while not self.down.empty():
            answered.append(self.down.get_nowait())
        return answered


async def _no_request(*_: object) -> None:
    raise AssertionError("this is no request")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JPH_STATE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("origin", [PAGE, None])
@pytest.mark.parametrize("path", ["/", "/mqtt"])
async def test_a_telephone_reaches_the_broker(path: str, origin: str | None, state: Path) -> None:
    async with echo(state) as got:
        first, second, last = await Telephone(origin, path=path).call(CONNECT)
        assert first == {"type": "websocket.accept", "subprotocol": "mqtt"}
        assert second == {"type": "websocket.send", "bytes": CONNECT}
        assert last["type"] == "websocket.close"
        assert got == [CONNECT]


async def test_a_page_of_ours_may_leave_the_login_to_the_broker(state: Path) -> None:
    async with echo(state) as got:
        await Telephone().call(ANONYMOUS)
        assert got == [ANONYMOUS]


@pytest.mark.parametrize(
    ("telephone", "said"),
    [
        (Telephone(None), ANONYMOUS),
        (Telephone(), b"GET / HTTP/1.1"),
        (Telephone("http://evil.example"), CONNECT),
        (Telephone(headers=[(b"host", b"evil.example")]), CONNECT),
        (Telephone(subprotocols=["chat"]), CONNECT),
        (Telephone(path="/events"), CONNECT),
    ],
    ids=["no login", "no MQTT", "origin", "host", "subprotocol", "path"],
)
async def test_others_are_refused(telephone: Telephone, said: bytes, state: Path) -> None:
    async with echo(state) as got:
        answered = await telephone.call(said)
        assert answered[-1] == {"type": "websocket.close", "code": 1008}
        assert not got


async def test_without_a_broker_a_telephone_comes_again_later() -> None:
    answered = await Telephone().call(CONNECT)
    assert answered[-1] == {"type": "websocket.close", "code": 1013}


async def test_a_real_handshake_leaves_the_limits_of_requests_behind(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time to send a request ends; the WebSocket goes on."""
    monkeypatch.setattr(connections, "HEAD_LIMIT_S", 0.05)
    log = logging.LoggerAdapter(logging.getLogger("test"))
    relay = MqttRelay(_no_request, {"127.0.0.1"}, lambda: NETWORK, log)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    ended: list[BaseException | None] = []
    async with echo(state) as got:
        web = WebServer(relay, [listener], ended.append, log, websockets=True)
        url, mqtt = f"ws://127.0.0.1:{port}/mqtt", [Subprotocol("mqtt")]
        async with connect(url, subprotocols=mqtt) as telephone:
            assert telephone.subprotocol == "mqtt"
            await asyncio.sleep(0.1)  # twice the limit
            await telephone.send(CONNECT)
            assert await telephone.recv() == CONNECT
            await telephone.send(b"later")
            assert await telephone.recv() == b"later"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(url, subprotocols=mqtt, origin=Origin("http://evil.example"))
        await web.stop()
        assert b"".join(got) == CONNECT + b"later"
    assert not ended
