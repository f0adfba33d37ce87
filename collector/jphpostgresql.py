"""The kind `jphPostgreSQL`: stores every reading of every codifier in PostgreSQL."""

import asyncio
import time
from collections.abc import Sequence
from operator import itemgetter
from typing import Annotated, Final, Literal

import msgspec

from collector.ingest.keeper import Keeper
from collector.ingest.runs import span_ms
from jph.config.model import Sql, state_dir
from jph.config.settings import described
from jph.config.stores import postgres_dsn
from jph.node.node import Node, Settings, now_ms
from jph.retransmit import Gap
from jph.util.logs import Throttle
from jph.wire.codec import Quality, Reading
from jph.wire.columns import Readings

_WATCH_S: Final = 1.0
_LATE_MS: Final = 86_400_000
_EARLY_MS: Final = 60_000
"""A live reading is at most a day old and a minute ahead."""
_source_of: Final = itemgetter(Reading._fields.index("source"))
Commit = Literal["on", "off", "local", "remote_write", "remote_apply"]


class SpoolSettings(Settings, frozen=True):
    """What may wait on disk, in MB of 10⁶ bytes (a number takes about 40 bytes)."""

    megabytes: Annotated[float, described("Size of what may wait on disk", "MB")] = 512.0


class PostgresSettings(Settings, frozen=True):
    """Where and how often to store.

    `SQL` is a server of this node's own, instead of the config's; `BatchInterval` the longest time
    a reading waits for others to be stored with, s; `SynchronousCommit` PostgreSQL's setting of
    that name for what is stored (without it the server's own); `BufferMiB` what readings may take
    of memory (a number about 40 bytes) while PostgreSQL is away and the spool's disk is full.
    """

    sql: Annotated[Sql | None, described("Server of this node, instead of the config's")] = (
        msgspec.field(default=None, name="SQL")
    )
    batch_interval: Annotated[
        float, described("Longest time that a reading waits to be stored with others", "s")
    ] = 0.2
    synchronous_commit: Annotated[
        Commit | None, described("PostgreSQL's setting of that name; without it the server's")
    ] = None
    buffer_mib: Annotated[
        float, described("Memory for readings while PostgreSQL and the spool refuse", "MiB")
    ] = msgspec.field(default=96, name="BufferMiB")
    spool: Annotated[SpoolSettings, described("What waits on disk while PostgreSQL refuses")] = (
        SpoolSettings()
    )

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
    at_start = ("spool", "buffer_mib")
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
        self._know()
        self.unknown = 0
        self._throttle = Throttle()
        self._counted_since_s: float | None = None
        self._counted = 0
        self.resume(await self.keeper.open())
        self.spawn(self.keeper.relieve(), "spool")
        self.spawn(self._watch_storing(), "storing")
        self._storing = self._store()

    def on_reload(self) -> None:
        """Connect again: the server may be another one now."""
        self._know()
        self._storing.cancel()
        self._storing = self._store()

    def _know(self) -> None:
        sensors = self.network.sensors
        self._known = frozenset(sensor.codifier for sensor in sensors)
        self._own_time = frozenset(sensor.codifier for sensor in sensors if sensor.own_time)

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
        self.note_storing(since_ms is None)
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
        """Take readings of the codifiers of the config in."""
        self.keeper.add(self._of_now(self._of_known(readings)))

    def on_announcement(self, announcement: Reading) -> None:
        """Store the announcement: it takes a sequence."""
        if announcement.source in self._known:
            self.keeper.add([announcement])

    def on_gaps(self, gaps: list[Gap]) -> None:
        """Take gaps in that will never be filled."""
        self.keeper.add_gaps([gap for gap in gaps if gap.source in self._known])

    def _of_known(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Return the readings whose codifier is in the config; the others are not stored."""
        kept: Sequence[Reading]
        if isinstance(readings, Readings):
            kept = readings if readings.source in self._known else ()
        elif self._known.issuperset(map(_source_of, readings)):
            return readings
        else:
            kept = [reading for reading in readings if reading.source in self._known]
        self.unknown += len(readings) - len(kept)
        if len(kept) < len(readings) and self._throttle.allow("unknown", time.monotonic()):
            code = next(each.source for each in readings if each.source not in self._known)
            self.log.warning(
                "%s is not in the config: %s readings of such codifiers were not stored",
                code,
                self.unknown,
            )
        return kept

    def _of_now(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Mark live readings whose time is far from now as implausible.

        They count neither in statistics nor in energy. Requested readings may be old, and so may
        those of codifiers with `OwnTime`.
        """
        if not readings or self.requested:
            return readings
        first_ms, last_ms = span_ms(readings)
        earliest_ms, latest_ms = now_ms() - _LATE_MS, now_ms() + _EARLY_MS
        if earliest_ms <= first_ms and last_ms <= latest_ms:
            return readings
        marked = [
            each
            if earliest_ms <= each.timestamp_ms <= latest_ms or each.source in self._own_time
            else each._replace(quality=Quality.IMPLAUSIBLE)
            for each in readings
        ]
        wrong = next((m for m, r in zip(marked, readings, strict=True) if m is not r), None)
        if wrong and self._throttle.allow(f"time of {wrong.source}", time.monotonic()):
            self.log.warning(
                "%s sends times that are %s s from now: stored as implausible",
                wrong.source,
                (wrong.timestamp_ms - now_ms()) // 1000,
            )
        return marked

    def _store(self) -> asyncio.Task[None]:
        self.keeper.batch_interval_s = self.settings.batch_interval
        self.keeper.synchronous_commit = self.settings.synchronous_commit or ""
        return self.spawn(self.keeper.store(self._dsn, self.resume), "postgres")

    def _dsn(self) -> str:
        return postgres_dsn(self.network, self.settings.sql)
