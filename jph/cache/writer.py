"""Writes hashes and changes to Redis; no other module writes there.

It also detects that Redis no longer holds what was written: a flush (our marker key is gone), or
another server or an older dump behind a connection that was renewed silently (the connection no
longer has our name).
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from jph.errors import StoreError

CHANNEL: Final = "jph:changes"
"""Where each writing is published: a JSON object, codifier to the fields that changed."""
_TIMEOUT_S: Final = 5.0
# One command for all hashes. As many HSET cost a Python client ten times what they cost Redis.
_WRITE: Final = """
local refused = {}
for key, fields in pairs(cmsgpack.unpack(ARGV[1])) do
    local words = {key}
    for name, value in pairs(fields) do
        words[#words + 1] = name
        words[#words + 1] = value
    end
    local answer = redis.pcall('HSET', unpack(words))
    if type(answer) == 'table' and answer.err then
        refused[#refused + 1] = {key, answer.err}
    end
end
redis.call('PUBLISH', ARGV[2], ARGV[3])
return refused
"""

Hashes = Mapping[str, Mapping[str, str]]


class CacheWriter:
    """One connection to Redis, from its opening to its first failure."""

    _client: Any  # redis-py's own types and those published for it disagree

    def __init__(self, client: object, codifier: str) -> None:
        self._client = client
        self._marker = f"jph:cache:{codifier}"
        self._token = f"jph-{codifier}-{secrets.token_hex(8)}"

    @classmethod
    def open(cls, url: str, codifier: str) -> "CacheWriter":
        """Prepare a connection to the Redis at `url`; it is made with the first writing.

        Raises:
            StoreError: the URL is none of Redis.
        """
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        try:
            client = Redis.from_url(
                url,
                decode_responses=True,
                retry=Retry(NoBackoff(), 0),  # the caller retries, with the whole state
                # redis-py keeps it with asyncio.wait_for, which before Python 3.12 loses a
                # cancellation that comes as the write ends. Ours is in `_execute`.
                socket_timeout=None,
                socket_connect_timeout=_TIMEOUT_S,
            )
        except ValueError as error:
            raise StoreError(f"Redis.URL {url!r}: {error}") from error
        return cls(client, codifier)

    async def write(self, changes: Hashes) -> tuple[bool, list[str]]:
        """Write and publish what changed.

        Returns:
            whether Redis still holds what was written before (else write the whole), and what it
            refused.

        Raises:
            StoreError: Redis is away or refuses everything.
        """
        pipeline = self._client.pipeline(transaction=False)
        pipeline.client_getname()
        pipeline.get(self._marker)
        # Even without changes this shows a Redis that answers but refuses writes.
        pipeline.set(self._marker, self._token, xx=True)
        (name, marker, *_), refused = await self._execute(pipeline, changes)
        return name == marker == self._token, refused

    async def write_whole(self, hashes: Hashes) -> list[str]:
        """Write and publish everything; return what Redis refused.

        Raises:
            StoreError: Redis is away or refuses everything.
        """
        pipeline = self._client.pipeline(transaction=False)
        pipeline.client_setname(self._token)
        pipeline.set(self._marker, self._token)
        _, refused = await self._execute(pipeline, hashes)
        return refused

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _execute(
        self,
        pipeline: Any,  # noqa: ANN401
        hashes: Hashes,
    ) -> tuple[list[object], list[str]]:
        from redis.exceptions import RedisError

        if hashes:
            texts = msgspec.msgpack.encode(hashes), CHANNEL, msgspec.json.encode(hashes)
            pipeline.eval(_WRITE, 0, *texts)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                results = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise StoreError(f"Redis is away: {error}") from error
        for each in results:
            if isinstance(each, Exception):
                raise StoreError(f"Redis refuses: {each}") from each
        refused = results[-1] if hashes else []
        for key, why in refused:
            # A key of another program under the name of a codifier is not ours to delete.
            if not why.startswith("WRONGTYPE"):
                raise StoreError(f"Redis refuses {key}: {why}")
        return results, [f"{key}: {why}" for key, why in refused]
