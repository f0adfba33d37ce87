"""A text display that shows readings: an HD44780 behind a PCF8574 on an I2C bus."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Annotated, Final

from jph.config.model import expand
from jph.config.settings import described
from jph.devices.i2c.bus import I2CBus, open_bus, write_bytes
from jph.devices.i2c.bus_thread import BusThread
from jph.devices.i2c.lcd import SLOW_S, show, start
from jph.errors import DeviceError
from jph.node.node import Node, Settings
from jph.util.logs import Throttle
from jph.wire.codec import Quality, Reading

_PLACE: Final = re.compile(r"\{([A-Za-z0-9]{2})(?::([0-6]))?\}")
_UNKNOWN: Final = "?"


class DisplaySettings(Settings, frozen=True):
    """The display, and the text of its rows."""

    lines: Annotated[
        tuple[str, ...], described("Rows; {A1} is a reading, {A1:1} one with a digit: {A1:1} °C")
    ]
    bus: Annotated[int | str, described("Bus: 1, a path, or unix:PATH of a simulated one")] = 1
    address: Annotated[int, described("Address: 39 is 0x27", ge=3, le=0x77)] = 0x27
    columns: Annotated[int, described("Characters of a row", ge=8, le=40)] = 16

    def __post_init__(self) -> None:
        if not 1 <= len(self.lines) <= 4:
            raise ValueError(f"Lines: expected 1 to 4 rows, found {len(self.lines)}")


def filled(text: str, values: dict[str, tuple[float | str, bool]]) -> str:
    """Return a row with readings; one that is missing or not good is followed by `?`."""

    def put(match: re.Match[str]) -> str:
        found = values.get(match.group(1))
        if found is None:
            return _UNKNOWN
        value, good = found
        if isinstance(value, float):
            value = f"{value:.{match.group(2) or 1}f}"
        return f"{value}" + ("" if good else _UNKNOWN)

    return _PLACE.sub(put, text)


class Display(Node, type="Display", settings=DisplaySettings):
    """Show readings; a row is written when it changes, at most each `SensorInterval`.

    The display is started again each time that a transfer fails.
    """

    settings: DisplaySettings

    async def open(self) -> None:
        """Prepare the thread; the first timer starts the display."""
        self._thread = BusThread(f"{self.codifier} display")
        self._values: dict[str, tuple[float | str, bool]] = {}
        self._at_s: dict[str, float] = {}
        self._bus: I2CBus | None = None
        self._shown: dict[int, str] = {}
        self._log_throttle = Throttle()
        self._limits = {s.codifier: s.timeout_warning for s in self.network.sensors}

    async def close(self) -> None:
        """Leave the last text."""
        self._drop_bus()
        self._thread.stop()

    def on_reload(self) -> None:
        """Write all rows again."""
        self._shown.clear()
        self._limits = {s.codifier: s.timeout_warning for s in self.network.sensors}

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Keep the newest readings."""
        for each in readings:
            value = each.value if each.flag == "s" else each.number
            if value is not None and each.source in self._limits:
                self._values[each.source] = (value, each.quality == Quality.GOOD)
                self._at_s[each.source] = time.monotonic()

    async def on_timer(self, now_ms: int) -> None:
        """Write the rows that changed."""
        self._age()
        try:
            bus = await self._started()
            for row, text in enumerate(self.settings.lines):
                line = filled(text, self._values)
                if self._shown.get(row) != line:
                    await self._write(bus, show(row, line, self.settings.columns))
                    self._shown[row] = line
        except (DeviceError, OSError) as error:
            self._drop_bus()
            if self._log_throttle.allow("display", time.monotonic()):
                self.log.warning("the display does not answer: %s", error)

    def _age(self) -> None:
        now_s = time.monotonic()
        for code, (value, _) in self._values.items():
            limit_s = self._limits.get(code, 0)
            if 0 < limit_s < now_s - self._at_s[code]:
                self._values[code] = (value, False)

    async def _started(self) -> I2CBus:
        if self._bus is None:
            name = self.settings.bus
            path = expand(name) if isinstance(name, str) else name
            self._bus = await self._thread.transfer(open_bus, path)
            for block in start():
                await self._write(self._bus, block)
                await asyncio.sleep(SLOW_S)
            self._shown.clear()
        return self._bus

    def _drop_bus(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            self._thread.post(bus.close)

    async def _write(self, bus: I2CBus, data: bytes) -> None:
        for at in range(0, len(data), 32):
            await self._thread.transfer(write_bytes, bus, self.settings.address, data[at : at + 32])
