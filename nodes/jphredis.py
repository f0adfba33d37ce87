"""The cache: the newest state of every codifier, in Redis.

What is heard on both buses is merged in memory and written every few milliseconds, so that Redis
has as much to do for a busy house as for a quiet one. The more codifiers change, the longer a
writing takes and the longer the next one waits: most of the time is left for the buses.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Final

from jph.cache.state import CacheState
from jph.cache.writer import CacheWriter
from jph.config.stores import redis_url
from jph.errors import StoreError
from jph.node.node import Node, Settings
from jph.util.backoff import Backoff
from jph.util.logs import Throttle
from jph.wire.codec import Control, Reading

_CHECK_INTERVAL_S: Final = 1.0
"""How often a quiet cache asks whether Redis still holds what it was given."""
_REST: Final = 3.0
"""For how many times as long as a writing took the next one waits at least."""
_FIRST_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 5.0


class RedisSettings(Settings, frozen=True):
    """`FlushInterval` is the shortest time between two writings, s."""

    flush_interval: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.flush_interval <= 60:
            raise ValueError(f"FlushInterval: expected 0 to 60 s, found {self.flush_interval}")


class JphRedis(Node, type="jphRedis", settings=RedisSettings):
    """Keep one hash per codifier in Redis, and publish what changes.

    While Redis is away the newest state is kept in memory; when it is back, or has lost what it
    held, everything is written again. The node's own value is messages heard per minute.
    """

    halts = False
    hears_itself = True
    settings: RedisSettings

    async def open(self) -> None:
        """Begin to listen; Redis may come later."""
        self.state = CacheState()
        self._throttle = Throttle()
        self._changed = asyncio.Event()
        self._heard = 0
        self._counted_since_s: float | None = None
        self._keeping = self.spawn(self._keep(), "redis")

    def on_reload(self) -> None:
        """Connect anew: the server may be another one now."""
        self._keeping.cancel()
        self._keeping = self.spawn(self._keep(), "redis")

    async def on_timer(self, now_ms: int) -> None:
        """Publish how many messages a minute were heard."""
        now_s = time.monotonic()
        if self._counted_since_s is not None:
            self.send(round(self._heard * 60 / (now_s - self._counted_since_s)))
        self._heard, self._counted_since_s = 0, now_s

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Merge what the data bus says."""
        self._heard += len(readings)
        self.state.hear_data(readings)
        self._changed.set()

    def on_announcement(self, announcement: Reading) -> None:
        """Merge the announcement of a source."""
        self.on_data([announcement])

    def on_control(self, message: Control) -> None:
        """Merge what the control bus says."""
        self._heard += 1
        self.state.hear_control(message)
        self._changed.set()

    async def _keep(self) -> None:
        """Write to Redis for ever, through as many connections as it takes."""
        backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S, good_s=_LAST_RETRY_S)
        while True:
            began_s = time.monotonic()
            try:
                await self._write()
            except StoreError as error:
                if self._throttle.allow(str(error), time.monotonic()):
                    self.log.error("%s; trying again", error)
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
                    self.log.info("Redis holds the whole present state")
                    held = True
                for word in refused:
                    if self._throttle.allow(word, time.monotonic()):
                        self.log.error("Redis refuses %s", word)
                if held:
                    await self._next_change(_REST * (time.monotonic() - began_s))
        finally:
            await writer.close()

    async def _next_change(self, rest_s: float) -> None:
        """Wait for something to write, but not for ever."""
        await asyncio.sleep(max(self.settings.flush_interval, rest_s))
        # not wait_for, which before Python 3.12 may swallow that the node is told to end
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_INTERVAL_S):
                await self._changed.wait()
