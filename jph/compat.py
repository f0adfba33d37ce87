"""The interface of the original library, for scripts that were written for it.

    import jph
    channel = jph.jph(configURL="file:static/config.json", Codifier="C1")
    channel.run(timeCallback=lambda now: channel.sendData(21.5))

Callbacks take what the original's took:

    timeCallback(timestamp, flag, number): flag and number of a command `A` or `E`, otherwise "" and
                               None; a callback with one parameter gets the timestamp alone
    dataCallback, ctrlCallback(channel, flag, source, to, timestamp, sequence, length, sender,
                               value, isActive)

with times in ms; `channel` is "Data=" or "Ctrl=", `isActive` is None on the data bus, `sender` the
(address, port) a message came from.
"""

import asyncio
import inspect
import json
import os
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from jph.config import model as config
from jph.config.sealed import fetch_signed
from jph.node.node import Node
from jph.node.outbox import now_ms
from jph.node.program import default_url, run_nodes
from jph.util import logs
from jph.wire.codec import EVERY_NODE, Control, Flag, Json, Reading

Callback = Callable[..., Any]


class _Callbacks(NamedTuple):
    data: Callback | None
    time: Callback | None
    control: Callback | None


class _Script(Node):
    """A node whose hooks are a script's callbacks; `callbacks` is set when it runs."""

    hears_itself = True  # as with the original library
    callbacks: _Callbacks | None = None

    def hears_data(self) -> bool:
        return self.callbacks is not None and self.callbacks.data is not None

    async def on_timer(self, now_ms: int) -> None:
        self._call_timer(now_ms)

    def on_control(self, message: Control) -> None:
        if self.callbacks is None or not self.active:
            return
        if message.to == self.codifier and message.flag in (Flag.SET, Flag.STEP):
            self._call_timer(now_ms(), str(message.flag), message.number)
        if self.callbacks.control:
            self._call(self.callbacks.control, "Ctrl=", message, message.number, message.active)

    def on_data(self, readings: Sequence[Reading]) -> None:
        if self.callbacks is None or self.callbacks.data is None:
            return
        for reading in readings:
            self._call(self.callbacks.data, "Data=", reading, reading.value, None)

    def on_announcement(self, announcement: Reading) -> None:
        self.on_data([announcement])

    def _call_timer(
        self, timestamp_ms: int, command: str = "", number: float | None = None
    ) -> None:
        if self.callbacks is None or self.callbacks.time is None:
            return
        arguments = (timestamp_ms, command, number)[: _arity(self.callbacks.time)]
        if self.callbacks.time(*arguments) is STATE.GOOD:
            self.count_as_alive()

    def _call(
        self,
        callback: Callback,
        channel: str,
        message: Control | Reading,
        value: Any,  # noqa: ANN401
        active: bool | None,
    ) -> None:
        callback(
            channel,
            str(message.flag),
            message.source,
            message.to,
            message.timestamp_ms,
            message.sequence,
            _payload_size(message),
            self.sender,
            value,
            active,
        )


def _arity(callback: Callback) -> int:
    """Return how many positional arguments a timer callback takes: 1 to 3."""
    try:
        parameters = inspect.signature(callback).parameters.values()
    except (TypeError, ValueError):
        return 3
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return 3
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return max(1, min(3, sum(each.kind in positional for each in parameters)))


def _payload_size(message: Control | Reading) -> int:
    if isinstance(message, Control):
        return 9
    if isinstance(message.value, str):
        return 4 + len(message.value.encode())
    return 8 if message.flag in "dq" else 4


class STATE(Enum):
    """Result of a timer callback; GOOD counts as a keep-alive."""

    GOOD = 1
    WITHERRORS = 2
    FAILED = 3
    NOREADING = 4


def timeNow() -> int:
    """Return the current time, ms since 1970 UTC."""
    return now_ms()


class jph:
    """One codifier's channel to the network.

    Args:
        configURL: the config's `file:` or `http:` URL or path; by default `JPH_CONFIG`.
        Codifier: codifier of the script; by default `JPH_SENSOR`.

    Raises:
        ConfigError: the config is wrong, or has no such codifier.
    """

    def __init__(self, configURL: str = "", Codifier: str = "") -> None:
        self._url = configURL or default_url()
        self.Codifier = Codifier or os.environ.get("JPH_SENSOR", "")
        self._read_raw()
        logs.configure(self._network.logging)
        self._node = _Script(self.Codifier, self._network, self._reload)
        self.logger = self._node.log

    def timeNow(self) -> int:
        """Return the current time, ms since 1970 UTC."""
        return now_ms()

    def getConfig(self) -> dict[str, Any]:
        """Return the whole configuration as it is written."""
        return self._raw

    def getAllSensors(self) -> list[dict[str, Any]]:
        """Return the entries of all codifiers as they are written."""
        sensors: list[dict[str, Any]] = self._raw["Sensors"]
        return sensors

    def getSensor(self, Codifier: str) -> dict[str, Any] | None:
        """Return the entry of one codifier, or None."""
        return next((s for s in self.getAllSensors() if s["Codifier"] == Codifier), None)

    def getMySensor(self) -> dict[str, Any]:
        """Return this script's own entry."""
        return next(s for s in self.getAllSensors() if s["Codifier"] == self.Codifier)

    def getMySensorElement(self, elem: str) -> Any:  # noqa: ANN401
        """Return one of this script's own settings (of its `Sensor`), or None."""
        return self.getMySensor().get("Sensor", {}).get(elem)

    def sendData(
        self,
        data: Any,  # noqa: ANN401
        timestamp: int = 0,
        Codifier: str = "",
        sequence_packet: bool = False,
        isJson: bool = False,
    ) -> None:
        """Send a reading: an integer, a float, text, or (`isJson`) the text of a JSON object.

        `sequence_packet` asks for an announcement; nothing is sent then, as each source is
        announced by itself.

        Raises:
            EncodeError: `data` is of another kind.
        """
        if sequence_packet:
            return
        value = Json(data if isinstance(data, str) else json.dumps(data)) if isJson else data
        self._open_outside_run()
        self._node.send(value, codifier=Codifier or None, timestamp_ms=timestamp or None)

    def sendCtrl(
        self, flag: str, timestamp: int = 0, to: str = "", timeComponent: float = 0
    ) -> None:
        """Send a control message; by default to every node, with the time the config was loaded.

        `timestamp` has no effect: a message carries the time at which it is sent.
        """
        self._open_outside_run()
        number = float(timeComponent or self._node.config_time_ms)
        self._node.send_control(flag[:1], to[:2] or EVERY_NODE, number)

    def run(
        self,
        dataCallback: Callback | None = None,
        timeCallback: Callback | None = None,
        ctrlCallback: Callback | None = None,
    ) -> None:
        """Manage the codifier's state on the network and call back, until SIGTERM or SIGINT."""
        self._node.bus.close_now()
        self._node.callbacks = _Callbacks(dataCallback, timeCallback, ctrlCallback)
        asyncio.run(run_nodes([self._node]))

    def close(self) -> None:
        """Close the sockets of a script that only sends."""
        self._node.bus.close_now()

    def _open_outside_run(self) -> None:
        """Open the bus of a script that only sends."""
        if self._node.callbacks is None and not self._node.bus.control.is_open:
            self._node.bus.open()

    def _read_raw(self) -> None:
        document = fetch_signed(self._url).document
        self._network = config.parse(document, self._url)
        self._raw: dict[str, Any] = json.loads(document)

    async def _reload(self) -> config.Network:
        await asyncio.to_thread(self._read_raw)
        return self._network
