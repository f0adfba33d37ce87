"""The kind `jphPostgreSQL`: stores every reading of every codifier in PostgreSQL."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from collector.ingest.keeper import Keeper
from jph.config.model import Sql, state_dir
from jph.config.stores import postgres_dsn
from jph.node.node import Node, Settings
from jph.retransmit import Gap
from jph.wire.codec import Quality, Reading

_WATCH_S: Final = 1.0
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

    Missing readings are requested again, after a restart too. While PostgreSQL does not store,
    readings wait on disk. The node's own value is readings stored per minute. While nothing can be
    stored it is 0 with quality stale, and its time is that of the last successful write.
    """

    halts = False
    hears_itself = True
    repairs = True
    settings: PostgresSettings

    async def open(self) -> None:
        """Start to collect; PostgreSQL may come later."""
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
        self.spawn(self._watch_storing(), "storing")
        self._storing = self._store()

    def on_reload(self) -> None:
        """Connect again: the server may be another one now."""
        self._storing.cancel()
        self._storing = self._store()

    async def close(self) -> None:
        """Store or spool what is in memory."""
        await self.keeper.close()

    async def on_timer(self, now_ms: int) -> None:
        """Publish the readings stored per minute, or since when nothing can be stored."""
        now_s, total = time.monotonic(), self.keeper.total.new
        if not self._publish_trouble() and self._counted_since_s is not None:
            self.send(round((total - self._counted) * 60 / (now_s - self._counted_since_s)))
        self._counted, self._counted_since_s = total, now_s

    def _publish_trouble(self) -> bool:
        """Publish since when nothing can be stored; return whether that is so."""
        since_ms = self.keeper.not_stored_since_ms
        if since_ms is not None:
            self.send(0, timestamp_ms=since_ms, quality=Quality.STALE)
        return since_ms is not None

    async def _watch_storing(self) -> None:
        """Publish at once when storing fails, and when it works again."""
        failing = False
        while True:
            await asyncio.sleep(_WATCH_S)
            if failing != (self.keeper.not_stored_since_ms is not None):
                failing = not failing
                if not self._publish_trouble():
                    self.send(0)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take readings in."""
        self.keeper.add(readings)

    def on_announcement(self, announcement: Reading) -> None:
        """Store the announcement: it takes a sequence."""
        self.keeper.add([announcement])

    def on_gaps(self, gaps: list[Gap]) -> None:
        """Take gaps in that will never be filled."""
        self.keeper.add_gaps(gaps)

    def _store(self) -> asyncio.Task[None]:
        self.keeper.batch_interval_s = self.settings.batch_interval
        self.keeper.synchronous_commit = self.settings.synchronous_commit or ""
        return self.spawn(self.keeper.store(self._dsn, self.resume), "postgres")

    def _dsn(self) -> str:
        return postgres_dsn(self.network, self.settings.sql)
