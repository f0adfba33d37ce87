"""The sending half of a node: what it says, what it keeps of it, and saying it again."""

import asyncio
import contextlib
import logging
import random
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from jph.config.model import JournalSettings, Network, Sensor, state_dir
from jph.errors import StoreError
from jph.node.outbox import Outbox, now_ms
from jph.retransmit.messages import Lives, Repair
from jph.retransmit.resend_buffer import Ring
from jph.retransmit.resend_history import History
from jph.retransmit.resend_log import DatagramRun, ResendLog
from jph.retransmit.responder import Answering, Asker, Where
from jph.util.logs import Throttle
from jph.wire.columns import Piece

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_MEGABYTE: Final = 2**20
_MOST_WAITING: Final = 200_000
"""Readings that wait for a journal whose disk takes nothing; then the oldest are let go."""
_SEQUENCE = struct.Struct("<I")
_EPOCHS: Final = random.SystemRandom()


class Sender:
    """Numbers, keeps and answers for one node.

    Attributes:
        outbox: encodes what is sent.
        answering: sends again what is asked for.
    """

    def __init__(self, entry: Sensor, log: Log, send: Callable[[Asker, list[bytes]], None]) -> None:
        self._codifier = entry.codifier
        self._log = log
        self._throttle = Throttle()
        self._settings = journal_of(entry)
        ring = Ring(60 * entry.ring.minutes, int(entry.ring.megabytes * _MEGABYTE))
        self.outbox = Outbox(entry.codifier, _EPOCHS.randrange(1, 2**32), ring)
        self._ring = ring
        self._history = History(self.outbox.epoch, ring)
        self._thread = ThreadPoolExecutor(1, f"{entry.codifier} journal")
        self.answering = Answering(self._history, send, now_ms, self._thread)

    def start(self) -> None:
        """Begin to keep what the journal is to be given."""
        if self._settings is not None:
            self.outbox.journaled = []

    @property
    def epoch(self) -> int:
        """The epoch of this start."""
        return self.outbox.epoch

    def ask(self, where: Where, letter: Repair | Lives) -> None:
        """Have a request answered that came from `where`.

        What only the journal can answer waits until it is read: the asker will ask again.
        """
        past = isinstance(letter, Lives) or letter.wanted_epoch not in (0, self.epoch)
        if past and self._settings and not self._history.journal:
            return
        if isinstance(letter, Lives):
            asker = Asker(where, letter.source, letter.to, 0, plain=False, lives=True)
            self.answering.ask(asker, [(letter.first, 0)])
            return
        asker = Asker(where, letter.source, letter.to, letter.wanted_epoch, letter.plain)
        self.answering.ask(asker, letter.ranges)

    async def keep_journal(self) -> None:
        """Write what is sent to the journal every few seconds, for ever; nothing without one.

        When this is cancelled, what is left is written.
        """
        settings = self._settings
        if settings is None:
            return
        directory = state_dir() / "journal" / self._codifier
        journal = ResendLog(directory, int(settings.megabytes * _MEGABYTE), 3600 * settings.hours)
        loop = asyncio.get_running_loop()
        opened, last_s = False, loop.time()
        try:
            while True:
                if not opened:
                    opened = await self._open(journal)
                await asyncio.sleep(settings.flush_seconds)
                if opened:
                    await self._flush(journal, loop.time() - last_s)
                    last_s = loop.time()
        finally:
            # In the journal's thread, behind what it may still be writing.
            passed_s = loop.time() - last_s
            with contextlib.suppress(StoreError):
                self._thread.submit(journal.write, *self._take(), passed_s).result()
            self._thread.submit(journal.close).result()

    def close(self) -> None:
        """Give the thread back."""
        self._thread.shutdown(wait=False)

    async def _open(self, journal: ResendLog) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, journal.open)
        except StoreError as error:
            self._tell("%s; trying again", error)
            return False
        self._history.journal = journal
        if journal.damaged:
            self._log.warning("the journal had %s damaged bytes: skipped", journal.damaged)
        return True

    async def _flush(self, journal: ResendLog, passed_s: float) -> None:
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

    def _take(self) -> tuple[list[DatagramRun], dict[str, bytes]]:
        """Take what waits for the journal, as runs, and the announcements of all sources."""
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
        return runs, {code: track.announcement for code, track in self._ring.tracks.items()}

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
    """Return how a node keeps its journal, or None if it has none."""
    if isinstance(entry.journal, bool):
        return JournalSettings() if entry.journal else None
    return entry.journal


def pasts(network: Network) -> dict[str, float]:
    """Return for how long, s, the journal behind each codifier keeps it; those that have one."""
    found: dict[str, float] = {}
    for entry in network.nodes():
        if settings := journal_of(entry):
            codes = [entry.codifier, *(e.codifier for e in network.elements(entry.codifier))]
            found |= dict.fromkeys(codes, 3600 * settings.hours)
    return found
