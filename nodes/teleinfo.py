"""Reads the electricity meter and publishes one element per label: docs/nodes/teleinfo.md."""

import asyncio
import time
from typing import Final

from jph.config.house.meter import TeleinfoSettings
from jph.config.model import expand
from jph.devices.tic.fields import CANONICAL, CURRENTS, INJECTED_CURRENTS, is_field
from jph.devices.tic.labels import Mode
from jph.devices.tic.line import Cause, causes
from jph.devices.tic.link import MeterLine, SerialLink
from jph.devices.tic.meter import Fact, Meter
from jph.devices.tic.reader import FrameReader, ReaderEvent
from jph.node.node import Node
from jph.wire.codec import Quality, Value

EVERY_FRAME: Final = frozenset(name for label in CURRENTS for name in (label, CANONICAL[label]))
"""Fields sent with every frame: load shedding depends on their freshness."""

FED_IN: Final = frozenset(
    {*INJECTED_CURRENTS.values(), "INDEX_INJECTED", "INJECTED_POWER", "EAIT", "SINSTI"}
)
"""Fields that a house with a source of its own has in its config."""


class Teleinfo(Node, type="Teleinfo", settings=TeleinfoSettings):
    """Publish the meter's groups as they arrive; its own value is the reception quality, %.

    While the meter is silent the node sends only a quality of 0; it never makes readings up.
    """

    settings: TeleinfoSettings
    _task: asyncio.Task[None] | None = None
    _counted: tuple[int, int] | None = None

    async def open(self) -> None:
        """Start to read; wait for a missing device."""
        self._begin()

    def on_reload(self) -> None:
        """Start again with the new settings."""
        self._begin()

    async def on_timer(self, now_ms: int) -> None:
        """Publish the reception quality since the last time."""
        before, self._counted = self._counted, (self.reader.groups, self.reader.bad)
        if before is None:  # no time to receive anything yet
            return
        heard, refused = (new - old for new, old in zip(self._counted, before, strict=True))
        quality = round(100 * heard / max(1, heard + refused), 1)
        self.send(quality)
        self._publish([Fact("QUALITY", quality), *self._statistics()])

    def _begin(self) -> None:
        if self._task is not None:
            self._task.cancel()
        mode = None if self.settings.mode == "auto" else Mode(self.settings.mode)
        produces = any(each.field in FED_IN for each in self.settings.proxy)
        year = time.gmtime().tm_year
        self.meter = Meter(self.settings.warning_expiry, year, produces=produces)
        self._counted = None
        self._sent: dict[str, tuple[Fact, float]] = {}
        self._codifiers = self._map_fields()
        device, silence_s = _address(self.settings.device), self.settings.silence
        self.line = MeterLine(device, mode, silence_s, self._heard, self._tick, self.log)
        self._task = self.spawn(self.line.serve(), "meter")

    def _map_fields(self) -> dict[str, list[str]]:
        codifiers: dict[str, list[str]] = {}
        for element in self.settings.proxy:
            codifiers.setdefault(element.field, []).append(element.codifier)
            if element.codifier not in self.elements:
                self.log.warning("%s is no element of this node", element.codifier)
            if not is_field(element.field):
                self.log.warning(
                    "%s: %s is an unknown label; sent as text if the meter sends it",
                    element.codifier,
                    element.field,
                )
        return codifiers

    # The line

    @property
    def reader(self) -> FrameReader:
        """The reader of the line; it counts refused lines."""
        return self.line.reader

    @property
    def link(self) -> SerialLink:
        """The port itself."""
        return self.line.link

    def _heard(self, events: list[ReaderEvent]) -> None:
        """Publish the events of the line. Every current takes this path, so it is short."""
        self._publish(self.meter.update(events, time.monotonic()))

    def _tick(self, silent: bool) -> None:
        """Expire warnings that were not renewed, whatever the state of the line."""
        grade = Quality.STALE if silent else Quality.GOOD
        self._publish(self.meter.expire(time.monotonic()), grade)

    # The bus

    def _publish(self, facts: list[Fact], quality: Quality = Quality.GOOD) -> None:
        """Send what changed, is due again, or must be fresh: in one batch a quality."""
        if not self.active or not self.bus.data.is_open:
            self._sent.clear()
            return
        now_s = time.monotonic()
        batches: dict[Quality, list[tuple[str, Value | bool]]] = {}
        for fact in facts:
            for codifier in self._codifiers.get(fact.field, ()):
                if self._is_due(codifier, fact, now_s):
                    self._sent[codifier] = (fact, now_s)
                    grade = quality if fact.plausible else Quality.IMPLAUSIBLE
                    batches.setdefault(grade, []).append((codifier, fact.value))
        for grade, batch in batches.items():
            self.send_many(batch, quality=grade)

    def _is_due(self, codifier: str, fact: Fact, now_s: float) -> bool:
        if fact.field in EVERY_FRAME or codifier not in self._sent:
            return True
        sent, at_s = self._sent[codifier]
        return fact != sent or now_s - at_s >= self.entry.sensor_interval

    def _statistics(self) -> list[Fact]:
        reader = self.reader
        return [
            Fact("MODE", reader.mode.value if reader.mode else ""),
            Fact("FRAMES", reader.frames),
            Fact("GROUPS", reader.groups),
            Fact("ERRORS", reader.bad),
            Fact("CAUSES", causes(reader.errors)),
            *(Fact(f"ERRORS_{cause.upper()}", reader.errors[cause]) for cause in Cause),
        ]


def _address(device: str) -> str:
    return device if "://" in device else expand(device)
