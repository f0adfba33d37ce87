"""The serial line to a meter, through pyserial: any URL it takes, 8N1, low latency, kept open."""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jph.devices.tic.labels import BAUD_RATES, Mode
from jph.devices.tic.reader import MODE_FRAMES, FrameReader, ReaderEvent, Trace
from jph.devices.tic.watch import FAITH_S, HUNT_S, LineWatch, Verdict
from jph.errors import DeviceError
from jph.util.backoff import Backoff

if TYPE_CHECKING:
    from serial import Serial

Log = logging.Logger | logging.LoggerAdapter[Any]

CHUNK = 4096

TICK_S = 0.5

QUIET_S = 2.0
"""Frames follow each other within 34 ms: after this long a line under way has ended."""

GATHERED_BITS = 192
"""Bits that pass between two reads while bytes flow: a port may deliver them one by one.

At 1,200 baud a frame waits 0.16 s at the most, a tenth of its own length.
"""
SHORTEST_GATHER_S = 0.02

HEARD_GROUPS = 3
"""Good groups after a fault before the meter counts as heard: noise may look like one."""

FIRST_RETRY_S = 0.2
LAST_RETRY_S = 5.0

THREAD_POLL_S = 0.5
"""How long a reading thread may take to notice that the link is closed."""


class SerialLink:
    """Bytes from a port into a callback, called in the event loop, until the port is lost.

    Ports with a file descriptor are watched by the loop itself; others (``rfc2217://``,
    ``loop://``) get a reading thread.
    """

    def __init__(self, url: str, take: Callable[[bytes], None]) -> None:
        self.url = url
        self._take = take
        self._port: Serial | None = None
        self._fd: int | None = None
        self._gather_s = SHORTEST_GATHER_S
        self._next_read: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._lost = asyncio.Event()
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether bytes can come."""
        return self._port is not None and not self._lost.is_set()

    async def open(self, baud_rate: int, parity: str = "N") -> None:
        """Open the port; 8N1 for a meter because its parity is checked by the reader.

        Raises:
            DeviceError: it is missing, busy, or not a serial port.
        """
        try:
            port = await asyncio.to_thread(_open_port, self.url, baud_rate, parity)
        except (OSError, ValueError, ImportError) as error:
            raise DeviceError(f"cannot open the meter's port {self.url}: {_why(error)}") from error
        self._port, self._reason = port, ""
        self._gather_s = max(SHORTEST_GATHER_S, GATHERED_BITS / baud_rate)
        self._lost.clear()
        self._fd = _descriptor(port)
        loop = asyncio.get_running_loop()
        if self._fd is not None:
            loop.add_reader(self._fd, self._readable)
            return
        port.timeout = THREAD_POLL_S
        self._thread = threading.Thread(
            target=self._pump, args=(port, loop), name=f"meter {self.url}", daemon=True
        )
        self._thread.start()

    async def lost(self, limit_s: float) -> str | None:
        """Return why the port is lost, or None when it still works after ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                await self._lost.wait()
        except TimeoutError:
            return None
        return self._reason

    def set_baud_rate(self, baud_rate: int) -> None:
        """Change the speed of the open port."""
        if self._port is None:
            return
        try:
            self._port.baudrate = baud_rate
            self._gather_s = max(SHORTEST_GATHER_S, GATHERED_BITS / baud_rate)
        except (OSError, ValueError) as error:
            self._fail(str(error))

    def write(self, data: bytes) -> None:
        """Send bytes; a port that is lost or does not take them is lost."""
        if self._port is None:
            return
        try:
            self._port.write(data)
        except OSError as error:
            self._fail(str(error))

    async def close(self) -> None:
        """Close the port, whatever state it is in."""
        port, self._port = self._port, None
        self._stop_reading()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join)
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def _readable(self) -> None:
        """Read the first bytes after a pause of the line; those that follow come by timer."""
        if self._fd is None:
            return
        asyncio.get_running_loop().remove_reader(self._fd)
        self._read(readable=True)

    def _read(self, *, readable: bool = False) -> None:
        if self._fd is None:
            return
        loop = asyncio.get_running_loop()
        try:
            # Not pyserial's read, which asks first whether there is anything.
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            data, readable = b"", False
        except OSError as error:
            self._fail(str(error))
            return
        if not data and readable:
            self._fail("the line has ended")
            return
        if not data:  # a serial port without bytes reads as empty
            self._next_read = None
            loop.add_reader(self._fd, self._readable)
            return
        self._next_read = loop.call_later(self._gather_s, self._read)
        self._take(data)

    def _stop_reading(self) -> None:
        if self._next_read is not None:
            self._next_read.cancel()
            self._next_read = None
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._fd = None

    def _fail(self, reason: str) -> None:
        self._stop_reading()
        self._reason = reason
        self._lost.set()

    def _pump(self, port: "Serial", loop: asyncio.AbstractEventLoop) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: so are we
            try:
                while self._port is port:
                    if data := port.read(max(1, port.in_waiting)):
                        loop.call_soon_threadsafe(self._take, bytes(data))
            except (OSError, TypeError) as error:
                loop.call_soon_threadsafe(self._thread_failed, port, str(error))

    def _thread_failed(self, port: "Serial", reason: str) -> None:
        if self._port is port:
            self._fail(reason)


class MeterLine:
    """Keeps a meter's line open: finds its speed, opens it again when it is lost or silent.

    ``take`` gets the reader's events; ``tick`` gets every half second whether the meter is silent.
    Each fault is logged once, until the meter is heard again.
    """

    def __init__(
        self,
        url: str,
        mode: Mode | None,
        silence_s: float,
        take: Callable[[list[ReaderEvent]], None],
        tick: Callable[[bool], None],
        log: Log,
        trace: Trace | None = None,
    ) -> None:
        self.reader = FrameReader(mode, trace)
        self.link = SerialLink(url, self._take)
        self.baud_rate = BAUD_RATES[mode or Mode.HISTORIQUE]
        self.opened = 0
        self._hunts = mode is None
        self._silence_s = silence_s
        self._hand_on = take
        self._tick = tick
        self._log = log
        self._complaints: set[str] = set()
        self._groups_at_complaint = 0
        self._known_rate: int | None = None
        self._frames_before = 0  # read when this speed was set

    async def serve(self, *, give_up: bool = False) -> None:
        """Keep the port open.

        Raises:
            DeviceError: ``give_up``, and the port cannot be opened the first time.
        """
        backoff = Backoff(FIRST_RETRY_S, LAST_RETRY_S)
        while True:
            groups = self.reader.groups
            try:
                await self.link.open(self.baud_rate)
                self.opened += 1
                self._complain("lost", await self._watch())
            except DeviceError as error:
                if give_up and not self.opened:
                    raise
                self._complain("open", str(error))
            finally:
                await self.link.close()
            self._handle(self.reader.flush())
            self._tick(True)
            if self.reader.groups > groups:
                backoff.reset()
            await asyncio.sleep(backoff.next_s())

    async def _watch(self) -> str:
        """Return the reason why the port must be opened again."""
        reader = self.reader
        watch = LineWatch(self._silence_s, time.monotonic(), reader.bytes, reader.groups)
        self._frames_before = reader.frames
        while (reason := await self.link.lost(TICK_S)) is None:
            now_s = time.monotonic()
            if reader.frames - self._frames_before >= MODE_FRAMES:
                self._known_rate = self.baud_rate
            watch.patience_s = FAITH_S if self.baud_rate == self._known_rate else HUNT_S
            verdict = watch.step(now_s, reader.bytes, reader.groups)
            if watch.pauses(now_s, QUIET_S):
                self._handle(reader.flush())
            self._tick(watch.is_silent(now_s))
            if verdict is Verdict.HUNT:
                self._hunt()
            elif verdict is not Verdict.WAIT:
                return f"opening the meter's port again: {verdict.value}"
        return f"the meter's port is lost: {reason}"

    def _hunt(self) -> None:
        """Try the other speed, unless the mode is given."""
        self._complain("speed", f"{Verdict.HUNT.value}, {self.baud_rate} baud")
        if self._hunts:
            self.baud_rate = next(rate for rate in BAUD_RATES.values() if rate != self.baud_rate)
            self._frames_before = self.reader.frames
            self.link.set_baud_rate(self.baud_rate)

    def _take(self, data: bytes) -> None:
        """Read the port's bytes. Every current takes this path, so it is short."""
        self._handle(self.reader.feed(data))

    def _handle(self, events: list[ReaderEvent]) -> None:
        if not events:
            return
        self._hand_on(events)
        if self._complaints and self.reader.groups - self._groups_at_complaint >= HEARD_GROUPS:
            self._complaints.clear()
            self._log.info("the meter is heard at %d baud", self.baud_rate)

    def _complain(self, kind: str, text: str) -> None:
        """Log a fault once, until the meter is heard again."""
        if not self._complaints:
            self._groups_at_complaint = self.reader.groups
        if kind not in self._complaints:
            self._complaints.add(kind)
            self._log.warning("%s", text)


def _open_port(url: str, baud_rate: int, parity: str) -> "Serial":
    import serial

    # Exclusive: two programs on one port steal each other's bytes.
    options: dict[str, Any] = {"baudrate": baud_rate, "timeout": 0, "exclusive": True}
    options["parity"] = parity
    port = serial.serial_for_url(url, **options)
    # FTDI adapters delay bytes by 16 ms without this call; other ports refuse it.
    with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)
    return port


def _why(error: Exception) -> str:
    """Return the reason why a port cannot be opened, with a hint where there is one."""
    if "exclusively lock" in str(error):
        return "another program reads it (a Teleinfo node does)"
    return str(error)


def _descriptor(port: "Serial") -> int | None:
    try:
        return int(port.fileno())
    except (AttributeError, OSError):
        return None
