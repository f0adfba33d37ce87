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
from typing import Annotated, ClassVar, Final, TypeVar

from jph.config.model import state_dir
from jph.config.settings import described
from jph.errors import ConfigError, StoreError
from jph.heating.explain.facts import Evidence, quantity
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
"""Overruns kept for a disk that refuses."""
_MOST_TAPES: Final = 4
"""Recordings kept for a disk that refuses."""
_LONGEST_DELAY_S: Final = 60.0
_LARGEST_PART: Final = 4
"""One recording takes at most this part of the disk space of all."""


class RecorderSettings(Settings, frozen=True):
    """Limits: minutes and megabytes in memory; files, megabytes and overruns on disk.

    `after` is seconds recorded after an event, `seconds_left` to a trip are an alarm.
    """

    minutes: Annotated[float, described("Time of both buses that is kept in memory", "min")] = 10.0
    megabytes: Annotated[float, described("Size of what is kept in memory", "MiB")] = 8.0
    after: Annotated[float, described("Time that a recording goes on after an event", "s")] = 15.0
    files: Annotated[int, described("Number of recordings on disk")] = 20
    disk_megabytes: Annotated[float, described("Size of all recordings on disk", "MB")] = 200.0
    seconds_left: Annotated[float, described("Time to a trip that is an alarm", "s")] = 30.0
    overruns: Annotated[int, described("Number of overruns on disk")] = 5000

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
    """A recording being written: its end in the recent frames, its length, and its end time."""

    path: Path
    first_s: float
    until_s: float
    position: int = 0
    length: int = 0
    ended: bool = False


class Recorder(Node, type="Recorder", settings=RecorderSettings):
    """Keep both buses' last minutes in memory and write them down at each shed, alarm or loss.

    Sends, under its own codifier, the number of events since its start. The first bytes go to the
    disk at the event itself: after a trip there may be no power for more.
    """

    settings: RecorderSettings
    halts = False
    hears_itself = True
    tick_s: ClassVar[float] = 1.0
    """Interval of the check for losses, and of writes of a growing recording."""

    async def open(self) -> None:
        """Begin to listen; recordings on disk stay."""
        self._directory = state_dir() / "record"
        self._disk_throttle = Throttle()
        self._executor = ThreadPoolExecutor(1, f"{self.codifier} disk")
        self._events = 0
        self._recordings: list[_Recording] = []
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._asked = asyncio.Event()
        self._overruns = Overruns()
        self._number = recording_files.next_number(self._directory)
        self._recent_size = (0.0, 0)
        self._make_recent()
        self._set_up()
        self.spawn(self._look(), "lookout")
        self.spawn(self._write(), "disk")

    async def close(self) -> None:
        """Write the rest of the recordings."""
        self._note(self._overruns.stop(time.monotonic(), now_ms()))
        for recording in self._recordings:
            recording.until_s = 0.0
        with contextlib.suppress(StoreError):
            await self._write_all()
        self._executor.shutdown(wait=False)

    def on_reload(self) -> None:
        """Watch what the new config names; refuse contradictory wiring."""
        try:
            self._set_up()
        except ConfigError as error:
            self.log.error("%s; the old wiring is kept", error)
        self._make_recent()

    async def on_timer(self, now_ms: int) -> None:
        """Send the number of events since the start."""
        self.send(self._events)

    def on_control(self, message: Control) -> None:
        """Keep a control message."""
        now_s = time.monotonic()
        self._keep("control", encode_control(message), now_s)
        self._detector.hear_control(message, now_s)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Keep readings, and check whether they are an event."""
        now_s = time.monotonic()
        for reading in readings:
            self._keep("data", encode_data(reading), now_s)
        for reading in readings:
            self._evaluate(reading, now_s)

    def on_announcement(self, announcement: Reading) -> None:
        """Keep an announcement."""
        self._keep("data", encode_data(announcement), time.monotonic())

    def _make_recent(self) -> None:
        wanted = (self.settings.minutes * 60, int(self.settings.megabytes * 2**20))
        if wanted != self._recent_size:
            self._recent_size = wanted
            self._recent = RecentFrames(*wanted)
            for recording in self._recordings:
                recording.position = 0

    def _set_up(self) -> None:
        evidence = Evidence(self.network)
        self._evidence = evidence
        self._detector = EventDetector(
            self.network, evidence, self.codifier, self.settings.seconds_left
        )
        self._currents = {p.current: p.number for p in evidence.phases.values()}
        self._masks = {p.mask: p.number for p in evidence.phases.values()}

    def _keep(self, bus: str, datagram: bytes, now_s: float) -> None:
        address, port = self.sender
        heard = RecordedDatagram(bus, time.time_ns() // 1000, address, port, datagram)
        self._recent.append(pack_datagram(heard), now_s)

    def _evaluate(self, reading: Reading, now_s: float) -> None:
        doubted = reading.quality not in TRUSTED
        self._evidence.note(reading.source, reading.value, now_s, doubted=doubted)
        if reading.source in self._masks:
            self._overruns.shed(*self._detector.gained(reading.source, reading))
        if trigger := self._detector.hear_data(reading, now_s):
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
        """Mark the event, and begin a recording or extend the last one."""
        self.log.info("%s: %s", trigger.kind, trigger.text)
        event = RecordedEvent(trigger.kind, time.time_ns() // 1000, trigger.text)
        self._recent.append(pack_event(event), now_s)
        self._events += 1
        until_s = now_s + self.settings.after
        last = self._recordings[-1] if self._recordings else None
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
            self._recordings.append(
                _Recording(self._directory / (name + recording_files.SUFFIX), now_s, until_s)
            )
            del self._recordings[:-_MOST_TAPES]
        self._asked.set()

    def _note(self, overruns: list[Overrun]) -> None:
        self._lines += [to_line(overrun) for overrun in overruns]
        if overruns:
            self._asked.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self.tick_s)
            now_s = time.monotonic()
            self._recent.forget(now_s)
            for trigger in self._detector.look(now_s):
                self._happened(trigger, now_s)
            self._note(self._overruns.silent(now_s))

    async def _write(self) -> None:
        """Write at once at an event, then what follows until the recording ends."""
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
                    self.log.error("%s; trying again", error)
            if self._lines or not all(recording.ended for recording in self._recordings):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await self._asked.wait()
                self._asked.set()

    async def _write_all(self) -> None:
        for recording in [recording for recording in self._recordings if not recording.ended]:
            await self._write_recording(recording)
        self._recordings = [t for t in self._recordings if not t.ended or t is self._recordings[-1]]
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

    async def _write_recording(self, recording: _Recording) -> None:
        recent, until_s = self._recent, recording.until_s
        # A flood must not make one recording push out all others.
        full = recording.length > self.settings.disk_bytes // _LARGEST_PART
        over = full or time.monotonic() >= until_s
        path, length, position = recording.path, recording.length, recent.end
        parts = [*recent.since(recording.position), *((END,) if over else ())]
        recording.length = await self._in_thread(lambda: recording_files.write(path, length, parts))
        if self._recent is recent:
            recording.position = position
        # Another event may have extended it meanwhile.
        recording.ended = full or (over and recording.until_s == until_s)
        if length == 0:
            self.log.info("recorded in %s", path)
        if length == 0 or recording.ended:
            files, most = self.settings.files, self.settings.disk_bytes
            await self._in_thread(lambda: recording_files.prune(self._directory, files, most))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` in the one thread that writes, so that writes keep their order."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
