"""The connection to the broker, the only one of this package: kept open, and said so once.

Nothing is queued while the broker is away: each connection is a new client with a clean session,
and the node tells everything again after each connect.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from gmqtt import Client, Message, Subscription

from jph.config.broker import Broker
from jph.mqtt.door import Publish
from jph.util.backoff import Backoff

KEEP_ALIVE_S: Final = 15
_CONNECT_S: Final = 8.0
_FIRST_S: Final = 0.2
_LONGEST_S: Final = 10.0
_GOOD_S: Final = 30.0
_LARGEST_MESSAGE: Final = 262_144
_FULL: Final = 1_000_000
"""Bytes that wait for a slow broker; then values wait, and only the newest is kept."""
_TAKEN_OVER: Final = 0x8E
"""The reason with which an MQTT 5 broker ends us for another client of the same id."""
_SHORT_S: Final = 3.0
_SHORT_ENDS: Final = 3
_OTHER: Final = "another client on this broker has the id %s too: the two cut each other off"


class Address(NamedTuple):
    """Where the broker is; `version` is 5 or 4 (3.1.1), 0 to find out."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    tls: ssl.SSLContext | None = None
    version: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


async def resolve(broker: Broker, version: str, ca: str = "") -> Address:
    """Return the address of a broker, IPv4 first: many brokers listen there alone.

    Raises:
        OSError: the name is not known, or the certificate cannot be read.
    """
    number = {"5": 5, "3.1.1": 4}.get(version, 0)
    login = (broker.user, broker.password)
    if broker.tls:
        tls = await asyncio.to_thread(ssl.create_default_context, cafile=ca or None)
        return Address(broker.host, broker.port, *login, tls, number)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(broker.host, broker.port, type=socket.SOCK_STREAM)
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    return Address(str(found[0][4][0]), broker.port, *login, None, number)


class Link:
    """Keeps one client connected.

    Attributes:
        connected: whether it is.
        version: the protocol version of the connection, 5 or 4.
        reason: why it is not connected.
    """

    def __init__(
        self,
        client_id: str,
        address: Callable[[], Awaitable[Address]],
        will: Publish | None,
        log: logging.Logger | logging.LoggerAdapter[Any],
    ) -> None:
        self.client_id = client_id
        self.connected = False
        self.version = 5
        self.on_connect: Callable[[], None] = lambda: None
        self.on_message: Callable[[str, bytes, bool], None] = lambda *_: None
        self.on_lost: Callable[[], None] = lambda: None
        self._address = address
        self._will = will
        self._log = log
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._short_ends = 0
        self.reason = ""

    async def run(self) -> None:
        """Connect and stay connected."""
        backoff = Backoff(_FIRST_S, _LONGEST_S, _GOOD_S)
        while True:
            began = time.monotonic()
            try:
                address = await self._address()
                await self._connect(address)
            except Exception as error:  # whatever the library raises, the broker is away
                self._say_away(error)
            else:
                self.reason = ""
                began = time.monotonic()
                self._log.info("connected to %s as %s", address, self.client_id)
                await self._lost.wait()
                self._after_loss(address, time.monotonic() - began)
            await self._drop()  # a cancelled run leaves this to `close`, which says goodbye
            await asyncio.sleep(backoff.next_s(time.monotonic() - began))

    async def close(self, last_words: Iterable[Publish]) -> None:
        """Say the last words and end the connection, so that the will is not said."""
        if self._client is not None and self.connected:
            for message in last_words:
                self.publish(message)
        await self._drop()

    def subscribe(self, topics: Sequence[tuple[str, int]]) -> None:
        """Subscribe to filters in their order."""
        if self._client is not None and self.connected and topics:
            self._client.subscribe([Subscription(topic, qos=qos) for topic, qos in topics])

    def publish(self, message: Publish) -> bool:
        """Publish, unless the broker is away; say whether it left."""
        if self._client is None or not self.connected:
            return False
        try:
            self._client.publish(
                message.topic, message.payload, qos=message.qos, retain=message.retain
            )
        except (OSError, OverflowError, ValueError) as error:
            self._log.debug("%s not published: %s", message.topic, error)
            return False
        return True

    @property
    def is_full(self) -> bool:
        """Whether the broker takes less than is said."""
        transport = getattr(getattr(self._client, "_connection", None), "_transport", None)
        return transport is not None and transport.get_write_buffer_size() > _FULL

    async def _connect(self, address: Address) -> None:
        will = self._will
        version = address.version or self.version
        client = Client(
            self.client_id,
            clean_session=True,
            will_message=will
            and Message(will.topic, will.payload, qos=will.qos, retain=will.retain),
            logger=_QUIET,
            **({"maximum_packet_size": _LARGEST_MESSAGE} if version == 5 else {}),
        )
        client.set_config({"reconnect_retries": _NEVER, "reconnect_delay": 0})
        if address.user or address.password:
            client.set_auth_credentials(address.user, address.password)
        client.on_connect = lambda *_: None
        client.on_message = self._take
        client.on_disconnect = self._note_loss
        self._client = client
        self._lost.clear()
        connecting = asyncio.ensure_future(
            client.connect(
                address.host,
                address.port,
                ssl=address.tls or False,
                keepalive=KEEP_ALIVE_S,
                version=version,
            )
        )
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            done, _ = await asyncio.wait(
                (connecting, lost), timeout=_CONNECT_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            lost.cancel()
            if not connecting.done():
                connecting.cancel()
        if connecting not in done:
            if not address.version:
                self.version = 9 - version  # the other one: some brokers have a port for each
            raise ConnectionError("it hung up" if done else "it did not answer MQTT")
        connecting.result()
        self.version = version
        self.connected = True
        self.on_connect()

    def _take(
        self, _: Client, topic: str | bytes, payload: bytes, qos: int, properties: dict[str, Any]
    ) -> int:
        if isinstance(topic, str):
            self.on_message(topic, bytes(payload), bool(properties.get("retain")))
        return 0

    def _note_loss(self, _: Client, packet: bytes, *__: object) -> None:
        if isinstance(packet, bytes | bytearray) and packet[:1] == bytes([_TAKEN_OVER]):
            self._log.warning(_OTHER, self.client_id)
            self._short_ends = 0
        self._lost.set()

    def _after_loss(self, address: Address, lasted_s: float) -> None:
        self.connected = False
        self._log.warning("the connection to %s is lost", address)
        self.on_lost()
        self._short_ends = self._short_ends + 1 if lasted_s < _SHORT_S else 0
        if self._short_ends == _SHORT_ENDS:
            self._log.warning(_OTHER, self.client_id)

    def _say_away(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self.reason:
            self.reason = text
            self._log.warning("the broker is away: %s", text)

    async def _drop(self) -> None:
        """Close what remains of a client."""
        self.connected = False
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    await client.disconnect()


_NEVER: Final = -2
"""A number of attempts that its own reconnection never reaches: ours is used."""
_QUIET: Final = logging.getLogger("jph.mqtt.gmqtt")
_QUIET.disabled = True
for _name in ("gmqtt.mqtt.protocol", "gmqtt.mqtt.utils", "gmqtt.mqtt.package"):
    logging.getLogger(_name).disabled = True
