"""A pseudo-terminal that replaces the two wires of a meter."""

import asyncio
import fcntl
import os
import struct
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from jph.errors import DeviceError

UNREAD_LIMIT: Final = 512
"""About four seconds of characters; older unread characters are dropped."""


class MeterPort:
    """A serial port that programs open under `path`, a symbolic link of this object.

    It needs no reader: unread characters are dropped, and a late reader does not get the characters
    sent before it came.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            self._master, self._slave = os.openpty()
            self._target = Path(os.ttyname(self._slave))
            # The slave end stays open: without it the master would fail whenever a reader leaves.
            tty.setraw(self._slave)
            os.set_blocking(self._master, False)
            self._link()
        except OSError as error:
            raise DeviceError(f"no meter port at {path}: {error}") from error

    def write(self, characters: bytes) -> None:
        """Put characters on the line."""
        unread = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]
        if unread > UNREAD_LIMIT:
            termios.tcflush(self._slave, termios.TCIFLUSH)
        with suppress(BlockingIOError):
            os.write(self._master, characters)

    def listen(self, take: Callable[[bytes], None]) -> None:
        """Have the running loop call `take` with what programs write."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._master, lambda: take(os.read(self._master, 4096)))

    def close(self) -> None:
        """Close both ends and remove the link, unless it belongs to another port by now."""
        if self._loop is not None:
            self._loop.remove_reader(self._master)
        with suppress(OSError):
            if self.path.readlink() == self._target:
                self.path.unlink()
        for descriptor in (self._master, self._slave):
            os.close(descriptor)

    def _link(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(self._target)
        fresh.replace(self.path)
