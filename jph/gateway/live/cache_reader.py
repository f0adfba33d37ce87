"""Reads codifiers from Redis and keeps reading when Redis comes back after an outage.

The cache publishes what it has written. A full read once a second finds what was not published,
or written by another cache. Both use one script that reads hashes whole, so that a late
notification never replaces a newer value by an older one.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from jph.util.backoff import Backoff

CHANNEL: Final = "jph:changes"
"""Where the cache publishes each writing: a JSON object, codifier to the fields that changed."""

LOOK_EVERY_S: Final = 1.0
MERGE_S: Final = 0.02
"""Between two looks; a change after a longer rest is looked at at once."""
_REST: Final = 3.0
"""For how many times as long as a look took there is none after it."""
_LIMIT_S: Final = 3.0
_FIRST_DELAY_S: Final = 0.2
_LONGEST_DELAY_S: Final = 3.0

# All hashes as one text: a Python client takes fifteen times as long to read as many answers.
_READ: Final = """
local found = {}
for _, key in ipairs(ARGV) do
    local words = redis.pcall('HGETALL', key)
    if not words.err and #words > 0 then  -- a key of another program has another type
        local fields = {}
        for i = 1, #words, 2 do fields[words[i]] = words[i + 1] end
        found[key] = fields
    end
end
return cjson.encode(found)
"""
_decoder: Final = msgspec.json.Decoder(dict[str, dict[str, str]])

_Client = Any  # redis-py's own types and those published for it disagree
Hashes = Mapping[str, Mapping[str, str]]


class Reader:
    """Follows the hashes of `codifiers` and hands them to `deliver(hashes, old)`.

    `old` is true for the first look after a (re)connection. `here(bool)` tells whether Redis
    answers. Nothing is raised: a Redis that is away is waited for.
    """

    def __init__(
        self,
        url: str,
        codifiers: Iterable[str],
        deliver: Callable[[Hashes, bool], None],
        here: Callable[[bool], None],
        log: "logging.Logger | logging.LoggerAdapter[Any]",
    ) -> None:
        self._url = url
        self._codifiers = list(codifiers)
        self._deliver = deliver
        self._here = here
        self._log = log
        self._rests_until_s = 0.0

    async def run(self) -> None:
        """Read until cancelled."""
        from redis.exceptions import RedisError

        backoff, told = Backoff(_FIRST_DELAY_S, _LONGEST_DELAY_S), False
        while True:
            try:
                async with self._connection() as redis:
                    await self._look(redis, self._codifiers, old=True)
                    self._here(True)
                    if told:
                        self._log.info("Redis is back")
                    backoff.reset()
                    told = False
                    await self._follow(redis)
            except (RedisError, OSError) as error:
                self._here(False)
                if not told:
                    self._log.warning("Redis does not answer, trying again: %s", error)
                told = True
            await asyncio.sleep(backoff.next_s())

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Client]:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # Text in Redis may come from any sender: bytes that are not UTF-8 must not end the reader.
        # No socket_timeout: redis-py keeps it with asyncio.wait_for, which loses a cancellation
        # that comes as the write ends (bpo-42130, mended in Python 3.12). Ours is in `_look`.
        redis: _Client = Redis.from_url(
            self._url,
            decode_responses=True,
            encoding_errors="replace",
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=_LIMIT_S,
        )
        try:
            yield redis
        finally:
            with contextlib.suppress(Exception):
                await redis.aclose()

    async def _follow(self, redis: _Client) -> None:
        """Read what changes, and everything once a second, until Redis fails."""
        loop = asyncio.get_running_loop()
        async with redis.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CHANNEL)
            next_look = loop.time() + LOOK_EVERY_S
            while True:
                changed = await self._changes(channel, next_look - loop.time())
                if loop.time() >= next_look:
                    changed = set(self._codifiers)
                    next_look = loop.time() + LOOK_EVERY_S
                if changed:
                    await self._look(redis, changed, old=False)

    async def _changes(self, channel: _Client, wait_s: float) -> set[str]:
        """Wait for changes, and for others as long as the last look was only just now."""
        clock, named = asyncio.get_running_loop().time, set[str]()
        message = await channel.get_message(timeout=max(0.001, wait_s))
        while message is not None:
            named.update(named_in(str(message["data"])))
            if (left_s := self._rests_until_s - clock()) <= 0:
                break
            message = await channel.get_message(timeout=max(0.001, left_s))
        return named.intersection(self._codifiers)

    async def _look(self, redis: _Client, codifiers: Iterable[str], *, old: bool) -> None:
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(_LIMIT_S):
            answer = await redis.eval(_READ, 0, *codifiers)
        self._deliver(_decoder.decode(answer), old)
        ended_s = asyncio.get_running_loop().time()
        self._rests_until_s = ended_s + max(MERGE_S, _REST * (ended_s - began_s))


def named_in(message: str) -> Iterable[str]:
    """Return the codifiers that a message of the channel is about; of no object, none."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return ()
    return content.keys() if isinstance(content, dict) else ()
