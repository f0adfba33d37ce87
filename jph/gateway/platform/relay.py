"""A relay of MQTT by WebSocket to the broker: a telephone needs no other port than the page's.

MQTT by WebSocket is the same stream of bytes in binary messages, so the broker needs no WebSocket.
A handshake passes the checks of a request that changes something. One without an `Origin`, which no
browser sends, must log in: the broker judges user and password.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Final

from jph.config.broker import Broker, broker_of
from jph.config.model import Network
from jph.errors import JphError
from jph.gateway.platform.protection import App, Receive, Scope, Send, refusal
from jph.mqtt.connect import LARGEST, NotMqttError, login_in

SUBPROTOCOL: Final = "mqtt"
_PATHS: Final = frozenset({"/", "/mqtt"})
_MOST: Final = 64
_LOGIN_S: Final = 10.0
_BROKER_S: Final = 5.0
_PART_BYTES: Final = 16_384
_POLICY: Final = 1008
"""Close code of WebSocket (RFC 6455): the message violates a policy."""
_GOING_AWAY: Final = 1001
_TRY_LATER: Final = 1013


class MqttRelay:
    """An ASGI application around another: takes the WebSockets, passes requests on."""

    def __init__(
        self,
        app: App,
        hosts: Collection[str],
        network: Callable[[], Network],
        log: logging.Logger | logging.LoggerAdapter[logging.Logger],
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._network = network
        self._log = log
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or relay one WebSocket to its end."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        await receive()  # the handshake
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if not self._may_enter(scope, headers) or self._running >= _MOST:
            await send({"type": "websocket.close", "code": _POLICY})
            return
        self._running += 1
        try:
            await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
            code = await self._relay("origin" not in headers, receive, send)
            with contextlib.suppress(Exception):  # the client may have gone first
                await send({"type": "websocket.close", "code": code})
        finally:
            self._running -= 1

    def _may_enter(self, scope: Scope, headers: dict[str, str]) -> bool:
        place = scope.get("place")
        any_port = bool(place and place.any_port)
        refused = refusal("POST", headers, self._hosts, any_port=any_port)
        known = scope["path"] in _PATHS and SUBPROTOCOL in scope.get("subprotocols", ())
        return refused is None and known

    async def _relay(self, must_log_in: bool, receive: Receive, send: Send) -> int:
        """Relay until one side ends; return the close code."""
        try:
            async with asyncio.timeout(_LOGIN_S):
                first = await _first_packet(receive)
        except (TimeoutError, NotMqttError):
            return _POLICY
        login = login_in(first)
        if login is None or (must_log_in and not (login.user and login.password)):
            return _POLICY
        try:
            async with asyncio.timeout(_BROKER_S):
                reader, writer = await _open(await asyncio.to_thread(self._broker))
        except (OSError, TimeoutError, JphError) as error:
            self._log.warning("no broker for a telephone: %s", error or "it does not answer")
            return _TRY_LATER
        try:
            writer.write(first)
            ways = (_up(receive, writer), _down(reader, writer, send))
            tasks = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
        return _GOING_AWAY

    def _broker(self) -> Broker:
        """Return the broker of the first Mqtt node.

        Raises:
            JphError: there is none.
        """
        for node in self._network().nodes():
            if node.type == "Mqtt":
                return broker_of(str(node.sensor.get("URL", "")), "")
        raise JphError("the config has no Mqtt node")


async def _first_packet(receive: Receive) -> bytes:
    """Return what came until the first packet was whole.

    Raises:
        NotMqttError: it is no MQTT, too long, or the client went.
    """
    found = b""
    while login_in(found) is None:
        part = _bytes_of(await receive())
        if part is None or len(found) > LARGEST:
            raise NotMqttError
        found += part
    return found


def _bytes_of(message: dict[str, object]) -> bytes | None:
    """Return the bytes of a message; None if it is text or the end."""
    part = message.get("bytes")
    return part if message["type"] == "websocket.receive" and isinstance(part, bytes) else None


async def _open(broker: Broker) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if broker.tls else None
    return await asyncio.open_connection(broker.host, broker.port, ssl=context)


async def _up(receive: Receive, writer: asyncio.StreamWriter) -> None:
    while (part := _bytes_of(await receive())) is not None:
        writer.write(part)
        await writer.drain()


async def _down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send: Send) -> None:
    quick = getattr(socket, "TCP_QUICKACK", None)
    while part := await reader.read(_PART_BYTES):
        if quick is not None:  # a broker that waits for acknowledgements (Nagle) takes 40 ms each
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, quick, 1)
        await send({"type": "websocket.send", "bytes": part})
