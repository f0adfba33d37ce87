"""The serial line to a meter, through pyserial: any URL it takes, 8N1, low latency."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jph.errors import DeviceError

if TYPE_CHECKING:
    from serial import Serial

CHUNK = 4096

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
        self._thread: threading.Thread | None = None
        self._lost = asyncio.Event()
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether bytes can come."""
        return self._port is not None and not self._lost.is_set()

    async def open(self, baud_rate: int) -> None:
        """Open the port; 8N1 because parity is checked by the reader.

        Raises:
            DeviceError: it is missing, busy, or not a serial port.
        """
        try:
            port = await asyncio.to_thread(_open_port, self.url, baud_rate)
        except (OSError, ValueError, ImportError) as error:
            raise DeviceError(f"cannot open the meter's port {self.url}: {error}") from error
        self._port, self._reason = port, ""
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
        except (OSError, ValueError) as error:
            self._fail(str(error))

    async def close(self) -> None:
        """Close the port, whatever state it is in."""
        port, self._port = self._port, None
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._fd = None
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join)
        if port is not None:
            with contextlib.suppress(OSError):
                port.close()

    def _readable(self) -> None:
        if self._port is None:
            return
        try:
            data = self._port.read(CHUNK)
        except (OSError, TypeError) as error:  # TypeError: closed under our feet (pyserial)
            self._fail(str(error))
            return
        if data:
            self._take(bytes(data))

    def _fail(self, reason: str) -> None:
        if self._fd is not None:
            asyncio.get_running_loop().remove_reader(self._fd)
            self._fd = None
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


def _open_port(url: str, baud_rate: int) -> "Serial":
    import serial

    # Exclusive: two programs on one port steal each other's bytes.
    options: dict[str, Any] = {"baudrate": baud_rate, "timeout": 0, "exclusive": True}
    port = serial.serial_for_url(url, **options)
    # FTDI adapters hold bytes back for 16 ms unless told otherwise; other ports refuse the call.
    with contextlib.suppress(AttributeError, NotImplementedError, OSError, ValueError):
        port.set_low_latency_mode(True)
    return port


def _descriptor(port: "Serial") -> int | None:
    try:
        return int(port.fileno())
    except (AttributeError, OSError):
        return None
