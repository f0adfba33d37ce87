"""Values of Z-Wave devices from a Z-Wave JS server, and orders to them.

`ZwavePower` is the original's name for meters behind OpenZWave.
"""

import asyncio
import json
import time
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from jph.config.house.house import DEGREES
from jph.config.model import Sensor
from jph.config.settings import described
from jph.devices.radio.zwave import OPENZWAVE, Change, Network, ValueId, begin, order, poll
from jph.node.node import Settings
from jph.util.backoff import Backoff
from jph.values.elements import Element
from jph.values.node import ValueNode
from jph.wire.codec import Control

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

SERVER: Final = "ws://127.0.0.1:3000"
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Largest message: the state of 200 nodes has about 10 MB."""
_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 30.0


class ZwaveElement(Element, frozen=True, kw_only=True):
    """One value of a node."""

    node: Annotated[int, described("Number of the Z-Wave node")]
    command_class: Annotated[int, described("Command class: 50 is Meter, 37 Binary Switch")]
    property: Annotated[str | int, described("Property: value, currentValue, Air temperature")]
    key: Annotated[str | int | None, described("Property key, where there is one")] = None
    endpoint: Annotated[int, described("Endpoint of the node")] = 0
    set: Annotated[
        str, described('Property that orders set: targetValue; needs "Control": "enabled"')
    ] = ""

    def where(self) -> ValueId:
        """Return where the value is."""
        return ValueId(self.node, self.command_class, self.property, self.key, self.endpoint)

    def target(self) -> ValueId:
        """Return where orders go."""
        return self.where()._replace(property=self.set)


class ZwaveSettings(Settings, frozen=True):
    """One server, values of its nodes."""

    elements: Annotated[tuple[ZwaveElement, ...], described("Values of the nodes")]
    server: Annotated[str, described("Address of the server")] = SERVER

    def __post_init__(self) -> None:
        if not self.server.startswith(("ws://", "wss://")):
            raise ValueError(f"Server: expected ws://host:port, found {self.server[:60]!r}")


class Zwave(ValueNode, type="Zwave", settings=ZwaveSettings):
    """Publish values when the server tells a change, and again each `SensorInterval`.

    A value of a node that the server calls dead is sent once more, as stale. A connection that is
    lost is opened again.
    """

    every_answer = False
    libraries = ("websockets",)
    _connection: "ClientConnection | None" = None
    _orders = 0

    async def open(self) -> None:
        """Start to connect."""
        self._network = Network()
        self._pending: dict[str, str] = {}
        await super().open()

    def serving(self) -> Coroutine[Any, Any, None]:
        """Return what keeps the connection."""
        return self._serve()

    async def read(self, now_ms: int) -> None:
        """Publish the values that are known; a node sends changes only."""
        if self._connection is None:
            return
        for element in self._elements():
            where = element.where()
            if self._network.is_dead(where.node):
                continue
            if where in self._network.values:
                self._take_value(element.codifier, where, self._network.values[where])
            elif reason := self._network.missing(where):
                self.explain(element.codifier, reason)

    def on_control(self, message: Control) -> None:
        """Send an order to the node of an element that has `Set`."""
        element = next((e for e in self._elements() if e.codifier == message.to), None)
        value = self.ordered(message)
        if element is None or not element.set or value is None:
            return
        self.spawn(self._order(element, value), "order")

    async def _order(self, element: ZwaveElement, value: float) -> None:
        target = element.target()
        kind = self._network.types.get(target, "")
        text = f"the order {value:g}"
        if self._is_converted(element.codifier, element.where()):
            value = round(value * 1.8 + 32, 1)
        if not await self._ask(element, text, order(self._next(), target, value, kind)):
            self.log.warning("%s: %s is not obeyed: no connection", element.codifier, text)
            return
        await self._ask(element, "a question", poll(self._next(), element.where()))

    async def _ask(self, element: ZwaveElement, text: str, message: Mapping[str, Any]) -> bool:
        from websockets.exceptions import WebSocketException

        connection = self._connection
        if connection is None:
            return False
        self._pending[message["messageId"]] = f"{element.codifier}: {text}"
        try:
            await connection.send(json.dumps(message))
        except (OSError, WebSocketException):
            return False
        return True

    def _next(self) -> int:
        self._orders += 1
        return self._orders

    async def _serve(self) -> None:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S, _LAST_RETRY_S)
        server = self.source.server
        while True:
            begin_s = time.monotonic()
            try:
                async with connect(server, max_size=_MOST_BYTES, proxy=None) as connection:
                    await self._talk(connection)
                reason = "the server closed the connection"
            except (OSError, ValueError, TimeoutError, WebSocketException) as error:
                reason = str(error) or type(error).__name__
            finally:
                self._connection = None
            self.explain("server", f"{server}: {reason}")
            await asyncio.sleep(backoff.next_s(time.monotonic() - begin_s))

    async def _talk(self, connection: "ClientConnection") -> None:
        for message in begin(_parse(await connection.recv())):
            await connection.send(json.dumps(message))
        self._connection = connection
        self._pending.clear()
        async for text in connection:
            self._take_message(_parse(text))

    def _take_message(self, message: Any) -> None:  # noqa: ANN401
        by_id = {each.where(): each.codifier for each in self._elements()}
        for change in self._network.take(message):
            if not isinstance(change, Change):
                for element in self._elements():
                    if element.node == change.node:
                        self.explain(element.codifier, f"Z-Wave node {change.node} is dead")
            elif code := by_id.get(change.id):
                self.show_raw(f"{code}: {change.value}")
                if change.value is None:
                    self.explain(code, "the node does not tell it")
                elif not self._network.is_dead(change.id.node):
                    self._take_value(code, change.id, change.value)
        self._take_answer(message)

    def _take_value(self, code: str, where: ValueId, value: Any) -> None:  # noqa: ANN401
        """Take a value; °F are °C where the codifier is in °C."""
        if self._is_converted(code, where) and isinstance(value, int | float):
            value = round((value - 32) / 1.8, 2)
        self.take(code, value)

    def _is_converted(self, code: str, where: ValueId) -> bool:
        symbol = self.elements.get(code, self.entry).symbol
        return self._network.units.get(where) == "°F" and symbol in DEGREES

    def _take_answer(self, message: Any) -> None:  # noqa: ANN401
        if not isinstance(message, dict) or message.get("type") != "result":
            return
        what = self._pending.pop(str(message.get("messageId")), "")
        if message.get("success") is False:
            reason = message.get("message") or message.get("errorCode") or "no reason given"
            self.log.warning("%s is not obeyed: %s", what or "a message", str(reason)[:200])

    def _elements(self) -> list[ZwaveElement]:
        return [each for each in self.described if isinstance(each, ZwaveElement)]


def _parse(text: str | bytes) -> Any:  # noqa: ANN401
    """Return a message, None for one that is no JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class _PowerValue(Settings, frozen=True):
    """A value in the words of OpenZWave."""

    node: Annotated[int, described("Number of the node")] = msgspec.field(name="node")
    index: Annotated[int, described("0 kWh, 8 W, 16 V, 20 A of a meter, 4 W of a sensor")] = (
        msgspec.field(name="index")
    )
    instance: Annotated[int, described("Not read, as in the original")] = msgspec.field(
        name="instance", default=1
    )

    def __post_init__(self) -> None:
        if self.index not in OPENZWAVE:
            raise ValueError(f"index: expected one of {[*OPENZWAVE]}, found {self.index}")

    def element(self, codifier: str) -> ZwaveElement:
        """Return the value in the words of Z-Wave JS."""
        command_class, name, key = OPENZWAVE[self.index]
        return ZwaveElement(
            codifier=codifier, node=self.node, command_class=command_class, property=name, key=key
        )


class PowerEntry(_PowerValue, frozen=True, kw_only=True):
    """A further element of the original's settings."""

    codifier: Annotated[str, described("Codifier of the element")]


class PowerSettings(_PowerValue, frozen=True, kw_only=True):
    """Settings of the original's `ZwavePower`, and the server."""

    proxy: Annotated[tuple[PowerEntry, ...], described("Further elements")] = ()
    server: Annotated[str, described("Address of the Z-Wave JS server")] = SERVER


class ZwavePower(Zwave, type="ZwavePower", settings=PowerSettings):
    """The original's meters; a Z-Wave JS server replaces its OpenZWave."""

    @classmethod
    def source_of(cls, entry: Sensor, settings: Any) -> ZwaveSettings:  # noqa: ANN401
        """Return the values in the words of Z-Wave JS."""
        assert isinstance(settings, PowerSettings)
        others = [each.element(each.codifier) for each in settings.proxy]
        elements = (settings.element(entry.codifier), *others)
        return ZwaveSettings(elements=elements, server=settings.server)
