"""A number that people set and programs listen to: a wished temperature, a limit, a switch.

The value is durable: `$JPH_STATE/setpoints/XX.json`, written before it is sent.
"""

import json
import math
import time
from pathlib import Path
from typing import Final

from jph.config.model import Sensor, state_dir
from jph.errors import StoreError
from jph.node.node import Node, Settings
from jph.util import durable
from jph.util.logs import Throttle
from jph.wire.codec import Control, Flag

_TELL_EVERY_S: Final = 10.0
"""A slider that is dragged, or a stranger's flood, is so many lines in the log and no more."""


class SetpointSettings(Settings, frozen=True):
    """`Default` until somebody sets it; kept from `Min` to `Max`. Units are the entry's symbol."""

    default: float | str = 0.0  # the original writes numbers as text
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(float(self.default)):
            raise ValueError(f"Default: expected a finite number, found {self.default!r}")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"Min {self.min} is above Max {self.max}")


def bounded(value: float, settings: SetpointSettings) -> float:
    """Return `value`, or the bound it goes beyond."""
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


def _said(value: float, entry: Sensor) -> float:
    return round(value) if entry.data_type == "integer" else value


class Setpoint(Node, type=("Setpoint", "controlSensor"), settings=SetpointSettings):
    """Publish a number; `A` sets it, `E` steps it, both at once on the data bus.

    Nothing it listens to can fall silent: without consoles it goes on saying what it was told last.
    """

    settings: SetpointSettings
    value = 0.0
    _untold = ""

    async def open(self) -> None:
        """Take up the value where the last run left it."""
        self._telling = Throttle(_TELL_EVERY_S)
        stored = restore(self._path)
        self.value = bounded(
            float(self.settings.default) if stored is None else stored, self.settings
        )

    async def on_timer(self, now_ms: int) -> None:
        """Say the value again, so that newcomers learn it."""
        self._say()
        self._tell()

    def on_control(self, message: Control) -> None:
        """Obey `A` and `E`; other flags are the base class's."""
        if message.to != self.codifier or self.entry.control != "enabled":
            return
        if message.flag == Flag.SET:
            self._take(message.number, message.source)
        elif message.flag == Flag.STEP:
            self._take(self.value + message.number, message.source)

    def on_reload(self) -> None:
        """Keep the value inside the new bounds."""
        self.value = bounded(self.value, self.settings)

    def _take(self, wanted: float, source: str) -> None:
        if not math.isfinite(wanted):
            if self._telling.allow("no value", time.monotonic()):
                self.log.warning("%s asks for %s, which is no value", source, wanted)
            return
        self.value = bounded(wanted, self.settings)
        try:
            store(self._path, self.value)
        except StoreError as error:
            if self._telling.allow("disk", time.monotonic()):
                self.log.error("the value will not survive a restart: %s", error)
        self._untold = source
        self._tell()
        self._say()

    def _tell(self) -> None:
        """Log who set what: the first of many commands at once, where they end soon after."""
        if self._untold and self._telling.allow("set", time.monotonic()):
            self.log.info("%s sets %g", self._untold, self.value)
            self._untold = ""

    @classmethod
    def taken(cls, entry: Sensor, wanted: float) -> float:
        """Return what a setpoint of this entry says after `A` with the finite number `wanted`.

        Raises:
            ConfigError: the entry's settings are wrong.
        """
        settings = cls.check_settings(entry)
        assert isinstance(settings, SetpointSettings)
        return _said(bounded(wanted, settings), entry)

    def _say(self) -> None:
        self.send(_said(self.value, self.entry))

    @property
    def _path(self) -> Path:
        return state_dir() / "setpoints" / f"{self.codifier}.json"
