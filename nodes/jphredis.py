"""The cache: the newest state of every codifier, in Redis.

The node merges both buses in memory and writes every few milliseconds, so that Redis has as much
to do for a busy house as for a quiet one. The longer a write takes, the longer the next one waits:
most of the time is left for the buses.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Annotated, Final

from jph.cache.state import CacheState
from jph.cache.writer import CacheWriter
from jph.config.settings import described
from jph.config.stores import redis_url
from jph.errors import StoreError
from jph.node.node import Node, Settings
from jph.util.backoff import Backoff
from jph.util.logs import Throttle
from jph.wire.codec import Control, Quality, Reading

_CHECK_INTERVAL_S: Final = 1.0
"""How often a quiet cache checks that Redis still holds what was written."""
_REST: Final = 3.0
"""The next write waits for at least this many times the duration of the last one."""
_FIRST_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 5.0


class RedisSettings(Settings, frozen=True):
    """`FlushInterval` is the shortest time between two writings, s."""

    flush_interval: Annotated[
        float, described("Shortest time between two writes to Redis", "s")
    ] = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.flush_interval <= 60:
            raise ValueError(f"FlushInterval: expected 0 to 60 s, found {self.flush_interval}")


class JphRedis(Node, type="jphRedis", settings=RedisSettings):
    """Keep one hash per codifier in Redis, and publish what changes.

    While Redis does not store, the newest state stays in memory; when Redis is back, or has lost
    what it held, everything is written again. The node's own value is messages heard per minute;
    its quality is STALE while Redis does not store.
    """

    halts = False
    hears_itself = True
    settings: RedisSettings

    async def open(self) -> None:
        """Begin to listen; Redis may start later."""
        self.state = CacheState()
        self._throttle = Throttle()
        self._changed = asyncio.Event()
        self._heard = 0
        self._rate: int | None = None
        self._stores = False
        self._failing_since_s: float | None = None
        self._counted_since_s: float | None = None
        self._keeping = self.spawn(self._keep(), "redis")

    def on_reload(self) -> None:
        """Connect again: the config may name another server."""
        self._keeping.cancel()
        self._keeping = self.spawn(self._keep(), "redis")

    async def on_timer(self, now_ms: int) -> None:
        """Publish how many messages a minute were heard."""
        now_s = time.monotonic()
        if self._counted_since_s is not None:
            self._rate = round(self._heard * 60 / (now_s - self._counted_since_s))
            self._publish()
        self._heard, self._counted_since_s = 0, now_s

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Merge readings of the data bus."""
        self._heard += len(readings)
        self.state.hear_data(readings)
        self._changed.set()

    def on_announcement(self, announcement: Reading) -> None:
        """Merge the announcement of a source."""
        self.on_data([announcement])

    def on_control(self, message: Control) -> None:
        """Merge a message of the control bus."""
        self._heard += 1
        self.state.hear_control(message)
        self._changed.set()

    def _publish(self) -> None:
        """Send the node's value; its quality shows whether Redis stores."""
        self.note_storing(self._stores)
        quality = Quality.GOOD if self._stores else Quality.STALE
        self.send(self._rate or 0, quality=quality)

    def _stored(self) -> None:
        """Note a successful write."""
        if self._failing_since_s is not None:
            seconds = time.monotonic() - self._failing_since_s
            self.log.info("Redis stores again, after %.0f s", seconds)
        self._failing_since_s = None
        if not self._stores:
            self._stores = True
            self._publish()

    def _not_stored(self, error: StoreError) -> None:
        """Note a write that failed; the bus learns it at the first one."""
        now_s = time.monotonic()
        if self._throttle.allow(str(error), now_s):
            self.log.error("%s; the newest values stay in memory and are written later", error)
        if self._failing_since_s is None:
            self._failing_since_s = now_s
            self._stores = False
            self._publish()

    async def _keep(self) -> None:
        """Write to Redis; open a new connection after each failure."""
        backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S, good_s=_LAST_RETRY_S)
        while True:
            began_s = time.monotonic()
            try:
                await self._write()
            except StoreError as error:
                self._not_stored(error)
            await asyncio.sleep(backoff.next_s(time.monotonic() - began_s))

    async def _write(self) -> None:
        """Write through one connection: the whole state, then what changes."""
        writer = CacheWriter.open(redis_url(self.network), self.codifier)
        try:
            held = False
            while True:
                began_s = time.monotonic()
                self._changed.clear()
                changes = self.state.changes(self.data_sequences.lost, self.control_sequences.lost)
                if held:
                    held, refused = await writer.write(changes)
                else:
                    refused = await writer.write_whole(self.state.whole())
                    self.log.info("Redis holds the present state of every codifier")
                    held = True
                if held:
                    self._stored()
                for word in refused:
                    if self._throttle.allow(word, time.monotonic()):
                        self.log.error("Redis refuses %s", word)
                if held:
                    await self._next_change(_REST * (time.monotonic() - began_s))
        finally:
            await writer.close()

    async def _next_change(self, rest_s: float) -> None:
        """Wait for something to write, for a limited time."""
        await asyncio.sleep(max(self.settings.flush_interval, rest_s))
        # Not wait_for, which may lose a cancellation before Python 3.12.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_INTERVAL_S):
                await self._changed.wait()
