"""A real MQTT broker for tests, as `up` starts it, and a client to judge what nodes say."""

import asyncio
import contextlib
import importlib.util
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from gmqtt import Client, Message
from gmqtt.mqtt.constants import MQTTv311

from jph.cli.supervise.broker import BrokerServer, mosquitto
from jph.config.broker import APP_USER, broker_of
from tests.support import LIMIT_S

INSTALLED = [
    kind
    for kind, there in (
        ("mosquitto", mosquitto() is not None),
        ("iotcore", importlib.util.find_spec("iotcore") is not None),
    )
    if there
]
needs_broker = pytest.mark.skipif(not INSTALLED, reason="no MQTT broker is installed")


@contextlib.asynccontextmanager
async def broker(state: Path, kind: str = "") -> AsyncIterator[BrokerServer]:
    """Run a broker on any free port; its address and users stand in the state."""
    server = BrokerServer(state, kind or INSTALLED[0], 0)
    await server.start()
    try:
        await server.wait_ready(LIMIT_S)
        yield server
    finally:
        await server.stop()


class Listener:
    """A client that keeps what it hears."""

    def __init__(self, client_id: str = "listener", will: Message | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._client = Client(client_id, will_message=will)
        self._client.set_config({"reconnect_retries": -2})
        self._client.on_message = self._take
        self._news = asyncio.Event()

    def _take(self, _: Client, topic: str, payload: bytes, *__: object) -> int:
        self.heard.append((topic, bytes(payload)))
        self._news.set()
        return 0

    async def connect(self, *topics: str) -> None:
        """Log in as a telephone and subscribe."""
        found = await asyncio.to_thread(broker_of, "", "", APP_USER)
        self._client.set_auth_credentials(found.user, found.password)
        await self._client.connect(found.host, found.port, version=MQTTv311)
        for topic in topics:
            self._client.subscribe(topic, qos=1)

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain)

    def last(self, topic: str) -> Any:
        """Return the newest content of a topic; None if it is empty or was not heard."""
        found = [payload for heard, payload in self.heard if heard == topic]
        return json.loads(found[-1]) if found and found[-1] else None

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something heard makes the condition true."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def close(self) -> None:
        await self._client.disconnect()
