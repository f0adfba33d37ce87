"""A number that people set and programs listen to: a wished temperature, a limit, a switch.

The value is durable: `$JPH_STATE/setpoints/XX.json`. A new value is on the disk before it is sent.
Many values in a short time (a slider that moves, a flood) cost one write for each that ends up
on the disk: a thread writes the newest one and the values between are never sent.
"""

import asyncio
import contextlib
import json
import math
import time
from pathlib import Path
from typing import Annotated, Final

from jph.config.model import Sensor, state_dir
from jph.config.settings import described
from jph.errors import StoreError
from jph.node.node import Node, Settings
from jph.util import durable
from jph.util.logs import Throttle
from jph.wire.codec import Control, Flag

_LOG_EVERY_S: Final = 10.0
"""Shortest time between two log lines: a slider that moves sets many values."""

_SETTLE_S: Final = 0.1
"""Shortest time between two writes to the disk."""

PLAUSIBLE: Final = 1e9
"""Largest magnitude of a set point without `Min` and `Max`; no quantity of a house is larger."""


class SetpointSettings(Settings, frozen=True):
    """`Default` until a value is set; kept within `Min` and `Max`, in the entry's unit."""

    default: Annotated[float | str, described("Value until one is set")] = (
        0.0  # the original writes numbers as text
    )
    min: Annotated[float | None, described("Smallest value")] = None
    max: Annotated[float | None, described("Largest value")] = None

    def __post_init__(self) -> None:
        if not math.isfinite(float(self.default)):
            raise ValueError(f"Default: expected a finite number, found {self.default!r}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"Min {self.min} is above Max {self.max}")


def bounded(value: float, settings: SetpointSettings) -> float:
    """Return `value`, or the bound that it exceeds."""
    if settings.max is not None:
        value = min(value, settings.max)
    if settings.min is not None:
        value = max(value, settings.min)
    return value


def store(path: Path, value: float) -> None:
    """Replace the file; `StoreError` if the disk refuses."""
    durable.replace(path, [json.dumps({"value": value}).encode()])


def restore(path: Path) -> float | None:
    """Return the stored value; None if there is none, or none that can be used."""
    try:
        value = float(json.loads(path.read_bytes())["value"])
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return value if math.isfinite(value) else None


def _sent_value(value: float, entry: Sensor) -> float:
    return round(value) if entry.data_type == "integer" else value


class Setpoint(Node, type=("Setpoint", "controlSensor"), settings=SetpointSettings):
    """Publish a number. `A` sets it, `E` steps it.

    No input of this node can fall silent: without consoles it repeats its last value.
    """

    is_device = True
    settings: SetpointSettings
    value = 0.0
    _wanted = 0.0
    _setter = ""

    async def open(self) -> None:
        """Continue with the value of the last run."""
        self._log_throttle = Throttle(_LOG_EVERY_S)
        stored = restore(self._path)
        start = float(self.settings.default) if stored is None else stored
        self.value = self._wanted = bounded(start, self.settings)
        self._changed = asyncio.Event()
        self.spawn(self._save(), "set point")

    async def close(self) -> None:
        """Write a value that still waits."""
        if self._changed.is_set():
            with contextlib.suppress(StoreError):
                await asyncio.to_thread(store, self._path, self._wanted)

    async def on_timer(self, now_ms: int) -> None:
        """Repeat the value, so that new listeners learn it."""
        self._send()
        self._log_setting()

    def on_control(self, message: Control) -> None:
        """Obey `A` and `E`; the base class handles other flags."""
        if message.to != self.codifier or self.entry.control != "enabled":
            return
        if message.flag == Flag.SET:
            self._take(message.number, message.source)
        elif message.flag == Flag.STEP:
            self._take(self._wanted + message.number, message.source)

    def on_reload(self) -> None:
        """Keep the value inside the new bounds."""
        self.value = bounded(self.value, self.settings)
        self._wanted = bounded(self._wanted, self.settings)

    def _take(self, wanted: float, source: str) -> None:
        if not math.isfinite(wanted) or abs(bounded(wanted, self.settings)) > PLAUSIBLE:
            if self._log_throttle.allow("no value", time.monotonic()):
                self.log.warning("%s sets %s, refused: no plausible value", source, wanted)
            return
        self._wanted = bounded(wanted, self.settings)
        self._setter = source
        self._changed.set()

    async def _save(self) -> None:
        """Write the newest value in a thread, then send it; the loop never waits for the disk."""
        while True:
            await self._changed.wait()
            value = self._wanted
            try:
                await asyncio.to_thread(store, self._path, value)
            except StoreError as error:
                if self._log_throttle.allow("disk", time.monotonic()):
                    self.log.error("the value %g will not survive a restart: %s", value, error)
            if self._wanted == value:
                self._changed.clear()
            self.value = value
            self._log_setting()
            self._send()
            await asyncio.sleep(_SETTLE_S)

    def _log_setting(self) -> None:
        """Log the first of many values at once, and the last one later."""
        if self._setter and self._log_throttle.allow("set", time.monotonic()):
            self.log.info("%s sets %g", self._setter, self.value)
            self._setter = ""

    @classmethod
    def taken(cls, entry: Sensor, wanted: float) -> float:
        """Return the value of a set point of this entry after `A` with the finite number `wanted`.

        Raises:
            ConfigError: the entry's settings are wrong.
        """
        settings = cls.check_settings(entry)
        assert isinstance(settings, SetpointSettings)
        return _sent_value(bounded(wanted, settings), entry)

    def _send(self) -> None:
        self.send(_sent_value(self.value, self.entry))

    @property
    def _path(self) -> Path:
        return state_dir() / "setpoints" / f"{self.codifier}.json"
