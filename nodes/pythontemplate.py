"""Runs a Python file with readings filled in, as the original's `PythonNinja` did.

The file is the administrator's own code with all rights of the node. It is refused unless it
belongs to the node's user and no other user may write it or its folder. `Expression` computes
without that.
"""

import json
import math
import os
import stat
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from jph.config.model import expand
from jph.config.settings import described
from jph.errors import DeviceError, EncodeError
from jph.expressions.templates import fill, largest, smallest
from jph.node.node import Node, Settings, now_ms
from jph.util.logs import Throttle
from jph.util.worker import Worker
from jph.wire.codec import Json, Reading

MAX_BYTES: Final = 262_144
_MOST_SENT: Final = 1000
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class TemplateEntry(Settings, frozen=True):
    """An element that the file sends."""

    codifier: Annotated[str, described("Codifier of the element")]


class TemplateSettings(Settings, frozen=True):
    """The file, and the elements that it sends."""

    filename: Annotated[str, described("Path of the Python file; read again at each run")]
    proxy: Annotated[
        tuple[TemplateEntry, ...], described("Elements that the file sends; not read")
    ] = ()


class _Sent(NamedTuple):
    """What a file asked to send."""

    codifier: str
    value: Any
    timestamp_ms: int


class _Ordered(NamedTuple):
    """A control message that a file asked to send."""

    flag: str
    to: str
    number: float


class Channel:
    """The original library's channel as a template sees it; what it sends leaves after the run."""

    def __init__(self, codifier: str) -> None:
        self.Codifier = codifier
        self.sent: list[_Sent | _Ordered] = []

    def timeNow(self) -> int:
        """Return the current time, ms since 1970 UTC."""
        return now_ms()

    def sendData(
        self,
        data: Any,  # noqa: ANN401
        timestamp: int = 0,
        Codifier: str = "",
        sequence_packet: bool = False,
        isJson: bool = False,
    ) -> None:
        """Send a reading of the node or an element of it."""
        if not sequence_packet and len(self.sent) < _MOST_SENT:
            text = data if isinstance(data, str) else json.dumps(data)
            value = Json(text) if isJson else data
            self.sent.append(_Sent(Codifier or self.Codifier, value, timestamp))

    def sendCtrl(
        self, flag: str, timestamp: int = 0, to: str = "", timeComponent: float = 0
    ) -> None:
        """Send an order."""
        if len(self.sent) < _MOST_SENT:
            self.sent.append(_Ordered(flag[:1], to[:2], float(timeComponent)))


class PythonTemplate(Node, type=("PythonTemplate", "PythonNinja"), settings=TemplateSettings):
    """Run the file each `SensorInterval`; its own value is the time that it took, in ms.

    An error in it is logged once a minute with its line and does not end the node.
    """

    is_device = True
    settings: TemplateSettings

    async def open(self) -> None:
        """Prepare a thread: a run may take long."""
        self._worker = Worker(f"{self.codifier} template")
        self._log_throttle = Throttle()
        self._readings: dict[str, dict[str, Any]] = {}
        self._describe()

    async def close(self) -> None:
        """End the thread after a run under way."""
        self._worker.stop()

    def on_reload(self) -> None:
        """Take the new entries."""
        self._describe()

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Keep the newest reading of each codifier of the config."""
        for reading in readings:
            if reading.source in self._config:
                value = reading.value if reading.flag == "s" else reading.number
                self._readings[reading.source] = {
                    "Codifier": reading.source,
                    "Value": value,
                    "DTimestamp": reading.timestamp_ms,
                    "Quality": reading.quality,
                }

    async def on_timer(self, now_ms: int) -> None:
        """Run the file, then send what it asked for."""
        begin_s = time.monotonic()
        channel = Channel(self.codifier)
        readings = {code: dict(fields) for code, fields in self._readings.items()}
        try:
            await self._worker.run(self._run_file, channel, readings)
        except Exception as error:  # whatever an administrator's file raises
            if self._log_throttle.allow(type(error), time.monotonic()):
                self.log.error("%s: %s", self.settings.filename, _where(error))
            return
        for each in channel.sent:
            self._pass_on(each)
        self.send((time.monotonic() - begin_s) * 1000)

    def _describe(self) -> None:
        self._config: dict[str, dict[str, Any]] = {
            sensor.codifier: msgspec.to_builtins(sensor) for sensor in self.network.sensors
        }

    def _run_file(self, channel: Channel, readings: dict[str, dict[str, Any]]) -> None:
        path = Path(expand(self.settings.filename))
        code = fill(read_own_file(path), readings, self._config)
        names = {
            "channel": channel,
            "jph": SimpleNamespace(timeNow=now_ms, sendData=channel.sendData),
            "r": SimpleNamespace(
                hget=lambda codifier, field: readings.get(codifier, {}).get(field),
                hgetall=lambda codifier: readings.get(codifier, {}),
            ),
            "log": self.log,
            "math": math,
            "json": json,
            "min": smallest,
            "max": largest,
            "sendData": channel.sendData,
            "sendCtrl": channel.sendCtrl,
            "timeNow": now_ms,
        }
        exec(compiled(code, str(path)), names)

    def _pass_on(self, each: _Sent | _Ordered) -> None:
        if isinstance(each, _Ordered):
            if math.isfinite(each.number):
                self.send_control(each.flag, each.to, each.number)
            return
        try:
            if each.codifier not in (self.codifier, *self.elements):
                raise EncodeError(f"{each.codifier} is no element of this node")
            if isinstance(each.value, float) and not math.isfinite(each.value):
                raise EncodeError(f"{each.codifier}: {each.value} is no value")
            self.send(each.value, codifier=each.codifier, timestamp_ms=each.timestamp_ms or None)
        except EncodeError as error:
            if self._log_throttle.allow(each.codifier, time.monotonic()):
                self.log.warning("not sent: %s", error)


def compiled(code: str, path: str) -> CodeType:
    """Compile a filled file. `21.5 is not None`, as filled files have it, is worth no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return compile(code, path, "exec")


def read_own_file(path: Path) -> str:
    """Return the text of a file that no other user may have written.

    Raises:
        DeviceError: it belongs to another user, or another may write it or its folder.
        OSError: it cannot be read.
    """
    folder = path.parent.stat()
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_owner(os.fstat(descriptor), folder)
        return os.read(descriptor, MAX_BYTES).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _check_owner(file: os.stat_result, folder: os.stat_result) -> None:
    if not stat.S_ISREG(file.st_mode):
        raise DeviceError("refused: it is no regular file")
    if file.st_uid != os.geteuid():
        raise DeviceError(f"refused: it belongs to user {file.st_uid}, not to the node's")
    if file.st_mode & _OTHERS_WRITE:
        raise DeviceError("refused: other users may write it (chmod go-w)")
    if folder.st_mode & _OTHERS_WRITE and not folder.st_mode & stat.S_ISVTX:
        raise DeviceError("refused: other users may write its folder (chmod go-w)")
    if file.st_size > MAX_BYTES:
        raise DeviceError(f"refused: {file.st_size} bytes, expected up to {MAX_BYTES}")


def _where(error: Exception) -> str:
    """Return an error with the line of the file where it was raised."""
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "<module>":
            line = trace.tb_lineno
        trace = trace.tb_next
    place = f"line {line}: " if line else ""
    return f"{place}{type(error).__name__}: {error}"
