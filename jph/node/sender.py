"""The sending half of a node: its messages, what it keeps of them, and resending."""

import asyncio
import contextlib
import logging
import random
import struct
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from jph.config.model import JournalSettings, Network, Sensor, state_dir
from jph.errors import StoreError
from jph.node.outbox import Outbox, now_ms
from jph.retransmit.ranges import Interval
from jph.retransmit.resend_buffer import ResendBuffer
from jph.retransmit.resend_store import ResendStore
from jph.retransmit.responder import Origin, Responder, Ticket
from jph.util.logs import Throttle
from jph.wire.columns import Piece

if TYPE_CHECKING:  # a node without a resend log does not load it
    from jph.retransmit.resend_log import DatagramRun, ResendLog

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_MEGABYTE: Final = 2**20
_MOST_WAITING: Final = 200_000
"""Readings that wait while the disk of the resend log refuses; then the oldest are dropped."""
_FIRST_FLUSH_S: Final = 0.2
_SEQUENCE = struct.Struct("<I")
_EPOCHS: Final = random.SystemRandom()


class Sender:
    """Numbers, keeps and resends the readings of one node.

    Attributes:
        outbox: encodes what is sent.
        responder: resends what is requested.
    """

    def __init__(
        self, entry: Sensor, log: Log, send: Callable[[Origin, list[bytes]], None]
    ) -> None:
        self._codifier = entry.codifier
        self._log = log
        self._throttle = Throttle()
        self._settings = journal_of(entry)
        buffer = ResendBuffer(60 * entry.ring.minutes, int(entry.ring.megabytes * _MEGABYTE))
        self.outbox = Outbox(entry.codifier, _EPOCHS.randrange(1, 2**32), buffer)
        self._buffer = buffer
        self._store = ResendStore(self.outbox.epoch, buffer)
        self._journal: ResendLog | None = None
        self._flushed_s = 0.0
        self._logged = False  # this epoch is in the log
        self._thread = ThreadPoolExecutor(1, f"{entry.codifier} journal")
        self.responder = Responder(self._store, send, now_ms, self._thread, self._failed)

    def _failed(self, error: Exception) -> None:
        """Log a request that could not be answered."""
        if self._throttle.allow(("answer", type(error)), time.monotonic()):
            self._log.error("a request to resend could not be answered", exc_info=error)

    def start(self) -> None:
        """Begin to keep readings for the resend log."""
        if self._settings is not None:
            self.outbox.journaled = []

    @property
    def epoch(self) -> int:
        """The epoch of this run."""
        return self.outbox.epoch

    def ask(self, origin: Origin, ranges: Sequence[Interval], ticket: Ticket | None = None) -> None:
        """Have a request answered.

        A request that only the resend log can answer is dropped until the log is open: the receiver
        repeats it.
        """
        past = origin.epochs or origin.epoch not in (0, self.epoch)
        if past and self._settings and not self._store.log:
            return
        self.responder.ask(origin, ranges, ticket)

    async def keep_log(self) -> None:
        """Write what is sent to the resend log every few seconds; nothing without one.

        `close` writes what is left.
        """
        settings = self._settings
        if settings is None:
            return
        from jph.retransmit.resend_log import ResendLog

        directory = state_dir() / "journal" / self._codifier
        journal = ResendLog(directory, int(settings.megabytes * _MEGABYTE), 3600 * settings.hours)
        self._journal, self._flushed_s = journal, time.monotonic()
        opened = False
        while True:
            if not opened:
                opened = await self._open(journal)
            # An epoch that no receiver hears is a gap later only if the disk knows it: soon.
            every_s = settings.flush_seconds
            await asyncio.sleep(every_s if self._logged else min(every_s, _FIRST_FLUSH_S))
            if opened:
                now_s = time.monotonic()
                await self._flush(journal, now_s - self._flushed_s)
                self._flushed_s = now_s

    def close(self) -> None:
        """Write what is left to the resend log, mark the epoch as complete, stop the thread."""
        if (journal := self._journal) is not None:
            # In the log's thread, after what it may still be writing.
            passed_s = time.monotonic() - self._flushed_s
            with contextlib.suppress(StoreError):
                self._thread.submit(journal.write, *self._take(), passed_s).result()
            self._thread.submit(journal.close, self.epoch).result()
        self._thread.shutdown(wait=False)

    async def _open(self, journal: "ResendLog") -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, journal.open)
        except StoreError as error:
            self._tell("%s; trying again", error)
            return False
        self._store.log = journal
        if journal.damaged:
            self._log.warning("the resend log had %s damaged bytes: skipped", journal.damaged)
        return True

    async def _flush(self, journal: "ResendLog", passed_s: float) -> None:
        waiting = self.outbox.journaled or []
        runs, announcements = self._take()
        try:
            # Shielded: a write that still waits for the thread would be cancelled with the node.
            await asyncio.shield(
                asyncio.get_running_loop().run_in_executor(
                    self._thread, journal.write, runs, announcements, passed_s
                )
            )
        except StoreError as error:
            self._tell("%s; the readings wait in memory", error)
            assert self.outbox.journaled is not None
            self.outbox.journaled[:0] = _newest(waiting)
        else:
            self._logged = self._logged or bool(runs)

    def _take(self) -> tuple[list["DatagramRun"], dict[str, bytes]]:
        """Return what waits for the log, as runs, and the announcements of all sources."""
        from jph.retransmit.resend_log import DatagramRun

        waiting, self.outbox.journaled = self.outbox.journaled or [], []
        by_source: dict[str, list[Piece]] = {}
        for piece in waiting:
            by_source.setdefault(piece[0], []).append(piece)
        runs = []
        for codifier, pieces in by_source.items():
            joined = b"".join(
                block.joined[start : start + block.size * count]
                for _, block, start, count in pieces
            )
            (first,) = _SEQUENCE.unpack_from(joined)
            count = sum(count for *_, count in pieces)
            runs.append(DatagramRun(codifier, self.outbox.epoch, first, count, joined))
        return runs, {code: track.announcement for code, track in self._buffer.tracks.items()}

    def _tell(self, message: str, error: StoreError) -> None:
        if self._throttle.allow(message, time.monotonic()):
            self._log.error(message, error)


def _newest(waiting: list[Piece]) -> list[Piece]:
    """Return the newest pieces, as many as may wait."""
    left = _MOST_WAITING
    for index in range(len(waiting) - 1, -1, -1):
        left -= waiting[index][3]
        if left < 0:
            return waiting[index + 1 :]
    return waiting


def journal_of(entry: Sensor) -> JournalSettings | None:
    """Return the settings of a node's resend log, or None if it has none."""
    if isinstance(entry.journal, bool):
        return JournalSettings() if entry.journal else None
    return entry.journal


def pasts(network: Network) -> dict[str, float]:
    """Return for how long, s, the resend log of each codifier keeps it; those that have one."""
    found: dict[str, float] = {}
    for entry in network.nodes():
        if settings := journal_of(entry):
            codes = [entry.codifier, *(e.codifier for e in network.elements(entry.codifier))]
            found |= dict.fromkeys(codes, 3600 * settings.hours)
    return found
