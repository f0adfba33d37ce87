"""The collector: every reading of every codifier, into PostgreSQL."""

import asyncio
import contextlib
import time
from typing import Final

import msgspec

from collector.rows import Batch, Buffer
from collector.store import Store, Stored
from collector.worker import Worker
from jph.config import Sql
from jph.errors import StoreError
from jph.logs import Throttle
from jph.node import Node, Settings, now_ms
from jph.stores import postgres_dsn
from jph.wire import Reading

_FIRST_RETRY_S: Final = 0.2
_LAST_RETRY_S: Final = 10.0
_LAST_FLUSH_S: Final = 2.0


class PostgresSettings(Settings, frozen=True):
    """Where and how often to store.

    `SQL` is a server of this node's own, instead of the config's; `BatchInterval` the longest time
    a reading waits for others to be stored with, s; `BufferMiB` what readings may take of memory
    while PostgreSQL is away (a number takes 74 bytes).
    """

    sql: Sql | None = msgspec.field(default=None, name="SQL")
    batch_interval: float = 0.2
    buffer_mib: int = msgspec.field(default=96, name="BufferMiB")

    def __post_init__(self) -> None:
        if not 0 <= self.batch_interval <= 3600:
            raise ValueError(f"BatchInterval: expected 0 to 3600 s, found {self.batch_interval}")
        if self.buffer_mib < 1:
            raise ValueError(f"BufferMiB: expected 1 or more, found {self.buffer_mib}")


class JphPostgreSQL(Node, type="jphPostgreSQL", settings=PostgresSettings):
    """Store every reading once.

    While PostgreSQL is away readings wait in memory, the oldest are dropped and counted when it is
    full. The node's own value is readings stored per minute.
    """

    halts = False
    settings: PostgresSettings

    async def open(self) -> None:
        """Begin to collect; PostgreSQL may come later."""
        self.buffer = Buffer(self.settings.buffer_mib * 2**20)
        self.total = Stored(0, 0, 0)
        self._store = Store(self.codifier)
        self._worker = Worker(f"{self.codifier} postgres")
        self._throttle = Throttle()
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._counted_since_s: float | None = None
        self._counted = 0
        self._dropped = 0
        self._keeping = self.spawn(self._keep(), "postgres")

    def on_reload(self) -> None:
        """Connect anew: the server may be another one now."""
        self._keeping.cancel()
        self._keeping = self.spawn(self._keep(), "postgres")

    async def close(self) -> None:
        """Store what is left, if PostgreSQL takes it within two seconds."""
        try:
            async with asyncio.timeout(_LAST_FLUSH_S):
                while batch := self.buffer.take():
                    await self._store_batch(batch)
        except (StoreError, TimeoutError) as error:
            reason = str(error) or "PostgreSQL does not answer"
            self.log.error("%s readings were not stored: %s", self.buffer.rows, reason)
        finally:
            self._worker.stop()

    async def on_timer(self, now_ms: int) -> None:
        """Publish how many readings a minute were stored."""
        now_s, total = time.monotonic(), self.total.new
        if self._counted_since_s is not None:
            self.send(round((total - self._counted) * 60 / (now_s - self._counted_since_s)))
        self._counted, self._counted_since_s = total, now_s

    def on_data(self, readings: list[Reading]) -> None:
        """Take readings in."""
        refused = self.buffer.refused
        self.buffer.add(readings)
        if self.buffer.rows:
            self._arrived.set()
        if self.buffer.full_batch:
            self._full.set()
        if self.buffer.refused > refused:
            self._tell(f"refused {readings[0].source}'s time, after the year 9999")
        if self.buffer.dropped > self._dropped and self._tell("the buffer is full"):
            lost = self.buffer.dropped - self._dropped
            self.log.error("dropped %s readings, the oldest that were not stored yet", lost)
            self._dropped = self.buffer.dropped

    async def _keep(self) -> None:
        """Store for ever, through as many connections as it takes."""
        delay_s = _FIRST_RETRY_S
        while True:
            try:
                dsn = postgres_dsn(self.network, self.settings.sql)
                await self._worker.run(self._store.open, dsn, now_ms())
                self.log.info("connected to PostgreSQL; %s readings wait", self.buffer.rows)
                delay_s = _FIRST_RETRY_S
                while True:
                    await self._store_batch(await self._next_batch())
            except StoreError as error:
                self._tell(f"{error}; trying again")
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LAST_RETRY_S)

    async def _next_batch(self) -> Batch:
        """Wait for readings, then a little longer for others to store them with."""
        while True:
            await self._arrived.wait()
            if not self.buffer.full_batch:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), self.settings.batch_interval)
            self._full.clear()
            if batch := self.buffer.take():
                return batch
            self._arrived.clear()

    async def _store_batch(self, batch: Batch) -> None:
        """Store a batch, or put it back.

        Raises:
            StoreError: PostgreSQL is away.
        """
        try:
            stored = await self._worker.run(self._store.write, batch, now_ms())
        except BaseException:
            self.buffer.put_back(batch)  # if it was stored nevertheless, twice is harmless
            raise
        self.total = Stored(*map(sum, zip(self.total, stored, strict=True)))
        if stored.refused:
            self._tell(f"PostgreSQL refuses {stored.refused} readings for what is in them")

    def _tell(self, message: str) -> bool:
        """Log an error, once a minute; return whether it was."""
        allowed = self._throttle.allow(message, time.monotonic())
        if allowed:
            self.log.error("%s", message)
        return allowed
