"""Moves readings from memory to PostgreSQL, or to the spool on disk while PostgreSQL cannot store.

Two loops. One stores live readings as soon as they are due, and spooled ones in between, in order
and as fast as PostgreSQL takes them. The other watches the first: when no write succeeds, it moves
readings from memory to the spool. It makes no difference whether PostgreSQL is away or refuses to
write (a full disk, a revoked right): only a successful write ends the trouble. A reading is
released only when PostgreSQL has it on its disk.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from collector.ingest.buffer import Batch, Buffer
from collector.ingest.ledger import Key, ReadingRun, checkpoints
from collector.ingest.spool import Spool
from collector.ingest.unflushed import UnflushedCommits
from collector.ingest.writer import Store, Stored
from jph.errors import StoreError
from jph.node.node import now_ms
from jph.retransmit import Cause, Checkpoint, Gap
from jph.util.backoff import Backoff
from jph.util.logs import NodeLog, Throttle
from jph.util.worker import Worker
from jph.wire.codec import Reading

_FIRST_RETRY_S: Final = 0.2
_LAST_RETRY_S: Final = 5.0
_LAST_FLUSH_S: Final = 2.0
_STUCK_S: Final = 2.0
"""After this time without a successful write readings go to the spool."""
_SLOW_S: Final = 5.0
"""A write that takes longer, on a busy machine or an SD card, is reported as failing."""
_LOOK_S: Final = 0.5
_SYNC_S: Final = 5.0
"""A power cut costs at most this much of the spool; each sync wears an SD card."""
_IDLE_S: Final = 1.0
"""A quiet collector checks after this time whether its commits are on the disk."""


class Keeper:
    """Keeps readings until they are stored.

    Attributes:
        buffer: readings that wait in memory.
        spool: readings that wait on disk; its methods block, see `spooled`.
        spooled: whether readings wait on disk.
        total: readings stored since the start.
    """

    def __init__(
        self,
        codifier: str,
        log: NodeLog,
        directory: Path,
        spool_bytes: int,
        buffer_bytes: int,
    ) -> None:
        self.buffer = Buffer(buffer_bytes)
        self.spool = Spool(directory, spool_bytes)
        self.spooled = False
        self.total = Stored(0, 0, 0)
        self.batch_interval_s = 0.2
        self.synchronous_commit = ""
        self._log = log
        self._buffer_bytes = buffer_bytes
        self._store = Store(codifier)
        self._unflushed = UnflushedCommits(buffer_bytes // 2)
        self._postgres = Worker(f"{codifier} postgres")
        self._disk = Worker(f"{codifier} spool")
        self._throttle = Throttle()
        self._wake = asyncio.Event()
        self._waiting_since_s = 0.0
        self._stuck_since_s: float | None = time.monotonic()
        self._stored_ms = now_ms()
        self._backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S)
        self._retried = False
        self._disk_fails = False
        self._left: dict[Key, list[ReadingRun]] = {}
        self._resumed = False
        self._ever_stored = False
        self._pending = False  # a batch is being written, or its write failed

    @property
    def not_stored_since_ms(self) -> int | None:
        """The time of the last successful write (ms since 1970) if writing fails now, else None.

        Without any successful write it is the time of the start. A slow write is no failure yet.
        """
        since_s = self._stuck_since_s
        stuck = since_s is not None and time.monotonic() - since_s > _SLOW_S
        waits = self.buffer or self.spooled or self._pending
        return self._stored_ms if stuck and waits else None

    # Input from the node

    def add(self, readings: Sequence[Reading]) -> None:
        """Take readings in."""
        self._note_arrival()
        self.buffer.add(readings)
        if self.buffer.full_batch:
            self._wake.set()
        if self.buffer.bytes > self._buffer_bytes:
            self._drop_oldest()

    def add_gaps(self, gaps: Iterable[Gap]) -> None:
        """Take in gaps that will never be filled."""
        self._note_arrival()
        self.buffer.add_gaps(gaps)

    # Tasks of the node

    async def open(self) -> Sequence[Checkpoint]:
        """Open the spool; return the checkpoints of what an earlier run left in it."""
        try:
            self._left = await self._disk.run(self.spool.open)
        except OSError as error:
            self._log_error(f"cannot read the spool: {error}")
        self._check_spool()
        if self.spooled:
            self._log.info("%s bytes of readings wait in the spool", self.spool.bytes)
        return checkpoints({}, self._left)

    async def store(
        self, dsn: Callable[[], str], resume: Callable[[Iterable[Checkpoint]], None]
    ) -> None:
        """Store for ever, through as many connections as it takes."""
        while True:
            try:
                await self._postgres.run(self._store.open, dsn(), now_ms(), self.synchronous_commit)
                if not self._resumed:
                    resume(checkpoints(await self._postgres.run(self._store.accounts), self._left))
                    self._resumed, self._left = True, {}
                self._log.debug("connected to PostgreSQL; %s readings wait", self.buffer.rows)
                while True:
                    await self._store_batch(await self._next_batch())
            except StoreError as error:
                self._log_error(f"{error}; trying again")
            finally:  # a reload ends this task too
                if self._stuck_since_s is None:
                    self._stuck_since_s = time.monotonic()
                await self._take_back()
            self._retried = True
            await asyncio.sleep(self._backoff.next_s())

    async def relieve(self) -> None:
        """Spool what cannot be stored, for ever."""
        synced_s, unsynced = time.monotonic(), False
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = time.monotonic()
            stuck = self._stuck_since_s is not None and now_s - self._stuck_since_s > _STUCK_S
            if stuck or self.buffer.bytes > self._buffer_bytes // 2:
                unsynced |= await self._spool_all()
            if unsynced and now_s - synced_s > _SYNC_S:
                synced_s, unsynced = now_s, False
                with contextlib.suppress(OSError):  # a failing disk is reported by the next write
                    await self._disk.run(self.spool.sync)

    async def close(self) -> None:
        """Store what is left in memory if PostgreSQL takes it within two seconds, else spool it."""
        try:
            async with asyncio.timeout(_LAST_FLUSH_S):
                while batch := self.buffer.take():
                    await self._store_batch(batch)
        except (StoreError, TimeoutError):
            await self._spool_all()
            with contextlib.suppress(OSError):
                await self._disk.run(self.spool.sync)
            if self.buffer:
                self._log.error("%s readings were not stored", self.buffer.rows)
        finally:
            self._postgres.stop()
            await self._disk.run(self.spool.close)
            self._disk.stop()

    # Internal

    async def _next_batch(self) -> Batch:
        """Wait for the next batch: readings that are due, else spooled ones."""
        while True:
            self._wake.clear()
            due_s = self._waiting_since_s + self.batch_interval_s - time.monotonic()
            if self.buffer and (due_s <= 0 or self.buffer.full_batch):
                self._waiting_since_s = time.monotonic()
                if batch := self.buffer.take():
                    return batch
            if self.spooled:
                batch = await self._next_spooled()
                if batch is not None:
                    return batch
                continue
            wait_s = due_s if self.buffer else _IDLE_S if self._unflushed else None
            try:
                # not wait_for, which before Python 3.12 may swallow a cancellation
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                if not self.buffer:
                    await self._release(await self._postgres.run(self._store.flushed))

    async def _next_spooled(self) -> Batch | None:
        damaged = self.spool.damaged
        batch = None
        try:
            batch = await self._disk.run(self.spool.next)
        except OSError as error:
            self._log_error(f"cannot read the spool: {error}")
            await asyncio.sleep(_LOOK_S)
        self._check_spool()
        if self.spool.damaged > damaged:
            self._log_error("a part of the spool is damaged")
        return batch

    async def _store_batch(self, batch: Batch) -> None:
        """Store a batch, or put it back.

        Raises:
            StoreError: PostgreSQL is away.
        """
        self._pending = True
        stuck_since_s = self._stuck_since_s
        self._stuck_since_s = stuck_since_s or time.monotonic()
        try:
            durable = self._unflushed.full
            written = await self._postgres.run(self._store.write, batch, now_ms(), durable=durable)
        except BaseException:
            # if it was stored all the same, twice is harmless; `store` rewinds the spool
            if batch.place is None:
                self.buffer.put_back(batch)
            raise
        self._pending = False
        stored = written.stored
        if stored.new:
            self._note_success()
        else:  # no row was written: this shows nothing
            self._stuck_since_s = stuck_since_s
        self.total = Stored(*map(sum, zip(self.total, stored, strict=True)))
        if stored.refused:
            self._log_error(f"{stored.refused} readings cannot be stored for what is in them")
        self._unflushed.add(batch, written.log)
        await self._release(written.flushed)

    def _note_success(self) -> None:
        """Note a successful write."""
        if self._retried or not self._ever_stored:
            self._log.info("storing in PostgreSQL; %s readings wait", self.buffer.rows)
        self._ever_stored, self._retried = True, False
        self._stored_ms = now_ms()
        self._backoff.reset()
        self._stuck_since_s = None

    async def _release(self, flushed: int) -> None:
        """Release what is safe on PostgreSQL's disk."""
        places = [batch.place for batch in self._unflushed.sure(flushed) if batch.place is not None]
        if places:
            with contextlib.suppress(OSError):  # it is found again at the next start
                await self._disk.run(self.spool.release, max(places))

    async def _take_back(self) -> None:
        """Take back everything that PostgreSQL may have lost with the connection."""
        for batch in reversed(self._unflushed.take_back()):
            if batch.place is None:
                self.buffer.put_back(batch)
        await self._disk.run(self.spool.rewind)
        self._check_spool()

    async def _spool_all(self) -> bool:
        """Move readings from memory to the spool; return whether there were any."""
        any_spooled = False
        while batch := self.buffer.take():
            try:
                dropped = await self._disk.run(self.spool.append, batch)
            except OSError as error:
                self.buffer.put_back(batch)
                self._disk_fails = True
                self._log_error(f"cannot spool: {error}; readings wait in memory")
                break
            except BaseException:
                self.buffer.put_back(batch)
                raise
            any_spooled, self._disk_fails = True, False
            if dropped:
                self.buffer.add_gaps(dropped)
                self._log_loss(sum(gap.count for gap in dropped), "the spool is full")
                if not self.buffer.rows:
                    break  # the gaps go with the next readings
        self._check_spool()
        return any_spooled

    def _drop_oldest(self) -> None:
        """Drop the oldest readings beyond the bound in memory."""
        cause = Cause.DISK_FULL if self._disk_fails else Cause.SPOOL_FULL
        if lost := self.buffer.drop_oldest(cause):
            self._log_loss(lost, "no room in memory, and none in the spool")

    def _note_arrival(self) -> None:
        if not self.buffer:
            self._waiting_since_s = time.monotonic()
            self._wake.set()

    def _check_spool(self) -> None:
        self.spooled = bool(self.spool)
        if self.spooled:
            self._wake.set()

    def _log_loss(self, count: int, why: str) -> None:
        if self._throttle.allow(why, time.monotonic()):
            self._log.error("%s: dropped the %s oldest readings that waited", why, count)

    def _log_error(self, message: str) -> None:
        """Log an error, at most once a minute."""
        if self._throttle.allow(message, time.monotonic()):
            self._log.error("%s", message)
