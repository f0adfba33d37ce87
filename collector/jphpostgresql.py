"""The collector: every reading of every codifier, into PostgreSQL."""

import asyncio
import time
from collections.abc import Sequence
from typing import Literal

import msgspec

from collector.ingest.keeper import Keeper
from jph.config.model import Sql, state_dir
from jph.config.stores import postgres_dsn
from jph.node.node import Node, Settings
from jph.retransmit import Gap
from jph.wire.codec import Reading

Commit = Literal["on", "off", "local", "remote_write", "remote_apply"]


class SpoolSettings(Settings, frozen=True):
    """What may wait on disk, in MB of 10⁶ bytes (a number takes about 40 bytes)."""

    megabytes: float = 512.0


class PostgresSettings(Settings, frozen=True):
    """Where and how often to store.

    `SQL` is a server of this node's own, instead of the config's; `BatchInterval` the longest time
    a reading waits for others to be stored with, s; `SynchronousCommit` PostgreSQL's setting of
    that name for what is stored (without it the server's own); `BufferMiB` what readings may take
    of memory (a number about 40 bytes) while PostgreSQL is away and the spool's disk is full.
    """

    sql: Sql | None = msgspec.field(default=None, name="SQL")
    batch_interval: float = 0.2
    synchronous_commit: Commit | None = None
    buffer_mib: float = msgspec.field(default=96, name="BufferMiB")
    spool: SpoolSettings = SpoolSettings()

    def __post_init__(self) -> None:
        if not 0 <= self.batch_interval <= 3600:
            raise ValueError(f"BatchInterval: expected 0 to 3600 s, found {self.batch_interval}")
        if not 0.1 <= self.buffer_mib <= 1e6:
            raise ValueError(f"BufferMiB: expected 0.1 or more, found {self.buffer_mib}")
        if not 0.1 <= self.spool.megabytes <= 1e6:
            raise ValueError(f"Spool.Megabytes: expected 0.1 or more, found {self.spool.megabytes}")


class JphPostgreSQL(Node, type="jphPostgreSQL", settings=PostgresSettings):
    """Store every reading once; what is lost for good is stored as a gap.

    What is missing is asked for again, after a restart too. While PostgreSQL is away readings wait
    on disk. The node's own value is readings stored per minute.
    """

    halts = False
    hears_itself = True
    repairs = True
    settings: PostgresSettings

    async def open(self) -> None:
        """Begin to collect; PostgreSQL may come later."""
        self.keeper = Keeper(
            self.codifier,
            self.log,
            state_dir() / "spool" / self.codifier,
            round(self.settings.spool.megabytes * 1e6),
            round(self.settings.buffer_mib * 2**20),
        )
        self._counted_since_s: float | None = None
        self._counted = 0
        self.resume(await self.keeper.open())
        self.spawn(self.keeper.relieve(), "spool")
        self._storing = self._store()

    def on_reload(self) -> None:
        """Connect anew: the server may be another one now."""
        self._storing.cancel()
        self._storing = self._store()

    async def close(self) -> None:
        """Leave nothing in memory."""
        await self.keeper.close()

    async def on_timer(self, now_ms: int) -> None:
        """Publish how many readings a minute were stored."""
        now_s, total = time.monotonic(), self.keeper.total.new
        if self._counted_since_s is not None:
            self.send(round((total - self._counted) * 60 / (now_s - self._counted_since_s)))
        self._counted, self._counted_since_s = total, now_s

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take readings in."""
        self.keeper.add(readings)

    def on_gaps(self, gaps: list[Gap]) -> None:
        """Take in what will never come."""
        self.keeper.add_gaps(gaps)

    def _store(self) -> asyncio.Task[None]:
        self.keeper.batch_interval_s = self.settings.batch_interval
        self.keeper.synchronous_commit = self.settings.synchronous_commit or ""
        return self.spawn(self.keeper.store(self._dsn, self.resume), "postgres")

    def _dsn(self) -> str:
        return postgres_dsn(self.network, self.settings.sql)
