"""Records both buses from a console into rotating files, in the form of the flight recorder."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import click

from jph.cli.terminal.context import App
from jph.net.bus import Address
from jph.recorder import recording_files
from jph.recorder.frames import END, RecordedDatagram, pack_datagram
from jph.wire.codec import Control, Reading, encode_control, encode_data
from nodes.controlprogram import ListeningProgram, on_bus, with_console

_FLUSH_S: Final = 1.0
_MOST_WAITING_BYTES: Final = 64 * 2**20


class Rotation(NamedTuple):
    """How many files stay, and how large each becomes."""

    files: int
    bytes: int


class Scribe(ListeningProgram):
    """A console that packs every message that it hears."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.packed: list[bytes] = []
        self.waiting = self.heard_in_all = self.dropped = 0

    def on_control(self, message: Control) -> None:
        """Pack a control message."""
        self._keep("control", encode_control(message), self.sender)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Pack readings."""
        for reading in readings:
            self._keep("data", encode_data(reading), self.sender)

    def on_announcement(self, announcement: Reading) -> None:
        """Pack the announcement of a source."""
        self._keep("data", encode_data(announcement), self.sender)

    def take(self) -> list[bytes]:
        """Return what was packed since the last time."""
        packed, self.packed, self.waiting = self.packed, [], 0
        return packed

    def _keep(self, bus: str, datagram: bytes, sender: Address) -> None:
        if self.waiting > _MOST_WAITING_BYTES:  # the disk does not keep up
            self.dropped += 1
            return
        arrival_us = time.time_ns() // 1000
        self.packed.append(pack_datagram(RecordedDatagram(bus, arrival_us, *sender, datagram)))
        self.waiting += len(self.packed[-1])
        self.heard_in_all += 1


class RotatingFiles:
    """Writes frames into files of a folder; begins another one when one is full."""

    def __init__(self, folder: Path, rotation: Rotation) -> None:
        self._folder, self._rotation = folder, rotation
        self._path: Path | None = None
        self._length = 0

    def write(self, frames: Sequence[bytes], *, end: bool = False) -> None:
        """Append frames; with `end`, or once a file is full, the mark of a recording's end.

        Raises:
            StoreError: the disk refuses.
        """
        if self._path is None:
            if not frames:
                return
            number = recording_files.next_number(self._folder)
            name = f"{number:06d}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-buses"
            self._path, self._length = self._folder / (name + recording_files.SUFFIX), 0
        full = self._length + sum(map(len, frames)) >= self._rotation.bytes
        marked = [*frames, END] if end or full else [*frames]
        self._length = recording_files.write(self._path, self._length, marked)
        if end or full:
            self._path = None
            most_bytes = self._rotation.files * self._rotation.bytes * 2
            recording_files.prune(self._folder, self._rotation.files, most_bytes)


async def record_buses(
    app: App, folder: Path, rotation: Rotation, seconds: float | None = None
) -> None:
    """Record until cancelled, or for so many seconds.

    Raises:
        StoreError: the disk refuses.
        BusError: the network is not there.
    """
    scribe = Scribe(app.console.codifier, with_console(app.network, app.console))
    files = RotatingFiles(folder, rotation)
    async with on_bus(scribe):
        with contextlib.suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(_FLUSH_S)
                    files.write(scribe.take())
    files.write(scribe.take(), end=True)
    click.echo(f"recorded: {scribe.heard_in_all} messages in {folder}", err=True)
    if scribe.dropped:
        click.echo(f"not recorded, the disk is too slow: {scribe.dropped} messages", err=True)
