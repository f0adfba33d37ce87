"""A GPIO chip on a Unix socket: inputs that a program drives, outputs that it sees.

The protocol is that of `jph/devices/kernel/gpio.py`.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path

from jph.util.unixpath import socket_path


class GpioChip:
    """Serves lines in the event loop; `changed` is called with number and level of an output."""

    def __init__(self, path: Path, changed: Callable[[int, int], None] | None = None) -> None:
        self.path = path
        self.levels: dict[int, int] = {}
        self._changed = changed
        self._inputs: dict[int, set[asyncio.StreamWriter]] = {}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        with socket_path(str(self.path)) as reachable:
            self._server = await asyncio.start_unix_server(self._serve, reachable)

    async def close(self) -> None:
        """Stop; programs see that their lines are gone."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        self.path.unlink(missing_ok=True)

    def drive(self, line: int, level: int) -> None:
        """Set the level of an input."""
        self.levels[line] = level
        for writer in self._inputs.get(line, ()):
            writer.write(b"1" if level else b"0")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        watched: set[asyncio.StreamWriter] | None = None
        try:
            first = json.loads(await reader.readline())
            line = int(first["line"])
            if not first["output"]:
                watched = self._inputs.setdefault(line, set())
                watched.add(writer)
                writer.write(b"1" if self.levels.get(line) else b"0")
            while chunk := await reader.read(1000):
                for each in chunk:
                    self.levels[line] = int(each == ord("1"))
                    if self._changed is not None:
                        self._changed(line, self.levels[line])
        except (OSError, ValueError, KeyError):
            return
        finally:
            if watched is not None:
                watched.discard(writer)
            self._writers.discard(writer)
            with contextlib.suppress(OSError):
                writer.close()
