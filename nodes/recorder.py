"""The flight recorder: writes the last minutes of both buses to the disk when something happens."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final, TypeVar

from jph.config.model import state_dir
from jph.errors import ConfigError, StoreError
from jph.heating.facts import Evidence, quantity
from jph.node.node import Node, Settings, now_ms
from jph.recorder import recording_files
from jph.recorder.frames import END, RecordedDatagram, RecordedEvent, pack_datagram, pack_event
from jph.recorder.overruns import Overrun, Overruns, to_line
from jph.recorder.recent_frames import RecentFrames
from jph.recorder.triggers import EventDetector, Trigger
from jph.util.backoff import Backoff
from jph.util.logs import Throttle
from jph.wire.codec import Control, Quality, Reading, encode_control, encode_data

T = TypeVar("T")

PLAUSIBLE_A: Final = 1000.0
"""Largest current of a phase: ten times the largest contract of such a meter."""
TRUSTED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})
_MOST_LINES: Final = 1000
"""Overruns that wait for a disk that refuses."""
_MOST_TAPES: Final = 4
"""Recordings that do."""
_LONGEST_DELAY_S: Final = 60.0
_LARGEST_PART: Final = 4
"""One recording takes at most this part of the disk space of all."""


class RecorderSettings(Settings, frozen=True):
    """Limits: minutes and megabytes in memory; files, megabytes and overruns on disk.

    `after` is seconds recorded after an event, `seconds_left` to a trip are an alarm.
    """

    minutes: float = 10.0
    megabytes: float = 8.0
    after: float = 15.0
    files: int = 20
    disk_megabytes: float = 200.0
    seconds_left: float = 30.0
    overruns: int = 5000

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 1440 or not 0.1 <= self.megabytes <= 1024:
            raise ValueError("expected Minutes above 0 to 1440, Megabytes 0.1 to 1024")
        if not 0 <= self.after <= 600 or self.seconds_left < 0:
            raise ValueError("expected After 0 to 600 seconds, SecondsLeft 0 or more")
        if self.files < 1 or self.overruns < 1:
            raise ValueError("expected Files and Overruns of 1 or more")
        if not self.megabytes <= self.disk_megabytes <= 1_000_000:
            raise ValueError("expected DiskMegabytes of Megabytes or more, up to 1000000")

    @property
    def disk_bytes(self) -> int:
        """The most that all recordings may take on the disk."""
        return int(self.disk_megabytes * 2**20)


@dataclass
class _Recording:
    """A recording being written: what of the ring it has, how long it is, until when it goes on."""

    path: Path
    first_s: float
    until_s: float
    position: int = 0
    length: int = 0
    ended: bool = False


class Recorder(Node, type="Recorder", settings=RecorderSettings):
    """Keep both buses' last minutes in memory and write them down at each shed, alarm or loss.

    Sends, under its own codifier, the events since its start.  The first bytes go to the disk at
    the event itself: after a trip there may be no power left for more.
    """

    settings: RecorderSettings
    halts = False
    hears_itself = True
    tick_s: ClassVar[float] = 1.0
    """How often it looks for losses, and what a recording has grown by is written."""

    async def open(self) -> None:
        """Begin to listen; what is on disk already stays."""
        self._directory = state_dir() / "record"
        self._disk_throttle = Throttle()
        self._executor = ThreadPoolExecutor(1, f"{self.codifier} disk")
        self._events = 0
        self._tapes: list[_Recording] = []
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._asked = asyncio.Event()
        self._overruns = Overruns()
        self._number = recording_files.next_number(self._directory)
        self._ring_size = (0.0, 0)
        self._make_ring()
        self._set_up()
        self.spawn(self._look(), "lookout")
        self.spawn(self._write(), "disk")

    async def close(self) -> None:
        """Write what a recording still lacks."""
        self._note(self._overruns.stop(time.monotonic(), now_ms()))
        for tape in self._tapes:
            tape.until_s = 0.0
        with contextlib.suppress(StoreError):
            await self._write_all()
        self._executor.shutdown(wait=False)

    def on_reload(self) -> None:
        """Watch what the new config names; contradictory wiring is refused."""
        try:
            self._set_up()
        except ConfigError as error:
            self.log.error("%s; the old wiring is kept", error)
        self._make_ring()

    async def on_timer(self, now_ms: int) -> None:
        """Send how many events there were."""
        self.send(self._events)

    def on_control(self, message: Control) -> None:
        """Keep a control message."""
        now_s = time.monotonic()
        self._keep("control", encode_control(message), now_s)
        self._lookout.hear_control(message, now_s)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Keep readings, and see whether they are an event."""
        now_s = time.monotonic()
        for reading in readings:
            self._keep("data", encode_data(reading), now_s)
        for reading in readings:
            self._understand(reading, now_s)

    def on_announcement(self, announcement: Reading) -> None:
        """Keep an announcement."""
        self._keep("data", encode_data(announcement), time.monotonic())

    def _make_ring(self) -> None:
        wanted = (self.settings.minutes * 60, int(self.settings.megabytes * 2**20))
        if wanted != self._ring_size:
            self._ring_size = wanted
            self._ring = RecentFrames(*wanted)
            for tape in self._tapes:
                tape.position = 0

    def _set_up(self) -> None:
        evidence = Evidence(self.network)
        self._evidence = evidence
        self._lookout = EventDetector(
            self.network, evidence, self.codifier, self.settings.seconds_left
        )
        self._currents = {p.current: p.number for p in evidence.phases.values()}
        self._masks = {p.mask: p.number for p in evidence.phases.values()}

    def _keep(self, bus: str, datagram: bytes, now_s: float) -> None:
        address, port = self.sender
        heard = RecordedDatagram(bus, time.time_ns() // 1000, address, port, datagram)
        self._ring.append(pack_datagram(heard), now_s)

    def _understand(self, reading: Reading, now_s: float) -> None:
        doubted = reading.quality not in TRUSTED
        self._evidence.note(reading.source, reading.value, now_s, doubted=doubted)
        if reading.source in self._masks:
            self._overruns.shed(*self._lookout.gained(reading.source, reading))
        if trigger := self._lookout.hear_data(reading, now_s):
            self._happened(trigger, now_s)
        phase, current = self._currents.get(reading.source), quantity(reading.number)
        if phase is None or current is None or reading.quality not in TRUSTED:
            return
        if not 0 <= current <= PLAUSIBLE_A:
            return
        limit = self._evidence.phase(phase, now_s).limit_a
        ended = self._overruns.current(phase, current, limit, now_s, reading.timestamp_ms)
        self._note([ended] if ended else [])

    def _happened(self, trigger: Trigger, now_s: float) -> None:
        """Mark the event, and begin a recording or let the last one go on."""
        self.log.info("%s: %s", trigger.kind, trigger.text)
        event = RecordedEvent(trigger.kind, time.time_ns() // 1000, trigger.text)
        self._ring.append(pack_event(event), now_s)
        self._events += 1
        until_s = now_s + self.settings.after
        last = self._tapes[-1] if self._tapes else None
        full_bytes = self.settings.disk_bytes // _LARGEST_PART
        if (
            last is not None
            and now_s - last.first_s <= self.settings.minutes * 60
            and last.length <= full_bytes
        ):
            last.until_s, last.ended = until_s, False
        else:
            name = f"{self._number:06d}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{trigger.kind}"
            self._number += 1
            self._tapes.append(
                _Recording(self._directory / (name + recording_files.SUFFIX), now_s, until_s)
            )
            del self._tapes[:-_MOST_TAPES]
        self._asked.set()

    def _note(self, overruns: list[Overrun]) -> None:
        self._lines += [to_line(overrun) for overrun in overruns]
        if overruns:
            self._asked.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self.tick_s)
            now_s = time.monotonic()
            self._ring.forget(now_s)
            for trigger in self._lookout.look(now_s):
                self._happened(trigger, now_s)
            self._note(self._overruns.silent(now_s))

    async def _write(self) -> None:
        """Write at once when something happened, then what follows until it is over."""
        backoff = Backoff(2 * self.tick_s, _LONGEST_DELAY_S)
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._write_all()
                delay_s = self.tick_s
                backoff.reset()
            except StoreError as error:
                delay_s = backoff.next_s()
                if self._disk_throttle.allow("disk", time.monotonic()):
                    self.log.error("%s; it is tried again", error)
            if self._lines or not all(tape.ended for tape in self._tapes):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await self._asked.wait()
                self._asked.set()

    async def _write_all(self) -> None:
        for tape in [tape for tape in self._tapes if not tape.ended]:
            await self._write_tape(tape)
        self._tapes = [t for t in self._tapes if not t.ended or t is self._tapes[-1]]
        if not self._lines:
            return
        path, lines = self._directory / recording_files.OVERRUNS, list(self._lines)
        self._lines.clear()
        try:
            await self._in_thread(
                lambda: recording_files.add_lines(path, lines, self.settings.overruns)
            )
        except StoreError:
            self._lines.extendleft(reversed(lines))
            raise

    async def _write_tape(self, tape: _Recording) -> None:
        ring, until_s = self._ring, tape.until_s
        # A flood must not make one recording push out all others.
        full = tape.length > self.settings.disk_bytes // _LARGEST_PART
        over = full or time.monotonic() >= until_s
        path, length, position = tape.path, tape.length, ring.end
        parts = [*ring.since(tape.position), *((END,) if over else ())]
        tape.length = await self._in_thread(lambda: recording_files.write(path, length, parts))
        if self._ring is ring:
            tape.position = position
        # Another event may have come meanwhile, and prolonged it.
        tape.ended = full or (over and tape.until_s == until_s)
        if length == 0:
            self.log.info("recorded in %s", path)
        if length == 0 or tape.ended:
            files, most = self.settings.files, self.settings.disk_bytes
            await self._in_thread(lambda: recording_files.prune(self._directory, files, most))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` in the one thread that writes: writes follow each other, the loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
