"""What the electricity meter says, one element a label: docs/nodes/teleinfo.md."""

import asyncio
import time
from typing import Final, Literal

import msgspec

from devices.tic.fields import CANONICAL, CURRENTS, is_field
from devices.tic.labels import BAUD_RATES, Mode
from devices.tic.line import Cause
from devices.tic.link import SerialLink
from devices.tic.meter import Fact, Meter
from devices.tic.reader import Event, FrameReader
from devices.tic.watch import LineWatch, Verdict
from jph.config import expand
from jph.errors import DeviceError
from jph.node import Node, Settings
from jph.wire import Quality, Value

TICK_S: Final = 0.5
QUIET_S: Final = 2.0
"""Frames follow each other within 34 ms: after this long a line under way has ended."""
FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 5.0

EVERY_FRAME: Final = frozenset(name for label in CURRENTS for name in (label, CANONICAL[label]))
"""Fields sent each time they are heard: whoever sheds load lives on their freshness."""


class ElementSettings(Settings, frozen=True):
    """One element: the codifier it is sent under, and a label or canonical field."""

    codifier: str
    field: str


class TeleinfoSettings(Settings, frozen=True):
    """Where the meter is and which of its words go where. Times in seconds.

    ``device`` is a path (best one under /dev/serial/by-id) or any URL of pyserial.
    ``warning_expiry``: a warning (ADPS, ADIR1-3) not renewed for so long goes back to 0.
    ``silence``: a meter that was heard and then not for so long has its port opened anew.
    """

    device: str
    mode: Literal["auto", "historique", "standard"] = "auto"
    proxy: list[ElementSettings] = msgspec.field(default_factory=list)
    warning_expiry: float = 15.0
    silence: float = 10.0

    def __post_init__(self) -> None:
        if min(self.warning_expiry, self.silence) <= 0:
            raise ValueError("WarningExpiry and Silence must be above 0 s")


class Teleinfo(Node, type="Teleinfo", settings=TeleinfoSettings):
    """Publish the meter's groups as they arrive; its own value is the reception quality, %.

    While the meter is silent nothing is sent but a quality of 0: readings are never made up.
    """

    settings: TeleinfoSettings
    _task: asyncio.Task[None] | None = None
    _told: tuple[int, int] | None = None

    async def open(self) -> None:
        """Start to read; a missing device is waited for."""
        self._begin()

    def on_reload(self) -> None:
        """Start again with the new settings."""
        self._begin()

    async def on_timer(self, now_ms: int) -> None:
        """Say how well the meter was understood since the last time."""
        before, self._told = self._told, (self.reader.groups, self.reader.bad)
        if before is None:  # nothing can have been heard yet
            return
        heard, refused = (new - old for new, old in zip(self._told, before, strict=True))
        quality = round(100 * heard / max(1, heard + refused), 1)
        self.send(quality)
        self._publish([Fact("QUALITY", quality), *self._statistics()])

    def _begin(self) -> None:
        if self._task is not None:
            self._task.cancel()
        mode = None if self.settings.mode == "auto" else Mode(self.settings.mode)
        self.reader = FrameReader(mode)
        self.meter = Meter(self.settings.warning_expiry)
        self._baud_rate = BAUD_RATES[mode or Mode.HISTORIQUE]
        self._told = None
        self._sent: dict[str, tuple[Fact, float]] = {}
        self._complaints: set[str] = set()
        self._codifiers = self._map_fields()
        self.link = SerialLink(_address(self.settings.device), self._take)
        self._task = self.spawn(self._serve(self.link), "meter")

    def _map_fields(self) -> dict[str, list[str]]:
        codifiers: dict[str, list[str]] = {}
        for element in self.settings.proxy:
            codifiers.setdefault(element.field, []).append(element.codifier)
            if element.codifier not in self.elements:
                self.log.warning("%s is no element of this node", element.codifier)
            if not is_field(element.field):
                self.log.warning(
                    "%s: %s is no label we know; sent as text if the meter says it",
                    element.codifier,
                    element.field,
                )
        return codifiers

    # The line

    async def _serve(self, link: SerialLink) -> None:
        """Keep the port open, for ever."""
        delay = FIRST_RETRY_S
        while True:
            groups = self.reader.groups
            try:
                await link.open(self._baud_rate)
                self._complain("lost", await self._watch(link))
            except DeviceError as error:
                self._complain("open", str(error))
            finally:
                await link.close()
            self._handle(self.reader.flush())
            self._publish(self.meter.expire(time.monotonic()), Quality.STALE)
            if self.reader.groups > groups:
                delay = FIRST_RETRY_S
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_RETRY_S)

    async def _watch(self, link: SerialLink) -> str:
        """Return why the port must be opened anew."""
        reader = self.reader
        watch = LineWatch(self.settings.silence, time.monotonic(), reader.bytes, reader.groups)
        while (reason := await link.lost(TICK_S)) is None:
            now_s = time.monotonic()
            verdict = watch.step(now_s, reader.bytes, reader.groups)
            if watch.pauses(now_s, QUIET_S):
                self._handle(reader.flush())
            stale = Quality.STALE if watch.is_silent(now_s) else Quality.GOOD
            self._publish(self.meter.expire(now_s), stale)
            if verdict is Verdict.HUNT:
                self._hunt(link)
            elif verdict is not Verdict.WAIT:
                return f"opening the meter's port anew: {verdict.value}"
        return f"the meter's port is lost: {reason}"

    def _hunt(self, link: SerialLink) -> None:
        """Try the other speed, unless the settings name the mode."""
        self._complain("speed", f"{Verdict.HUNT.value}, {self._baud_rate} baud")
        if self.settings.mode == "auto":
            self._baud_rate = next(rate for rate in BAUD_RATES.values() if rate != self._baud_rate)
            link.set_baud_rate(self._baud_rate)

    def _take(self, data: bytes) -> None:
        """Read what the port gave: this is the way of every current, keep it short."""
        self._handle(self.reader.feed(data))

    def _handle(self, events: list[Event]) -> None:
        if not events:
            return
        self._publish(self.meter.update(events, time.monotonic()))
        if self._complaints:
            self._complaints.clear()
            self.log.info("the meter is heard at %d baud", self._baud_rate)

    def _complain(self, kind: str, text: str) -> None:
        """Log a trouble once, until the meter is heard again."""
        if kind not in self._complaints:
            self._complaints.add(kind)
            self.log.warning("%s", text)

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
            *(Fact(f"ERRORS_{cause.upper()}", reader.errors[cause]) for cause in Cause),
        ]


def _address(device: str) -> str:
    return device if "://" in device else expand(device)
