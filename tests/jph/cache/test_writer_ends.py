"""The cache's writer ends when it is cancelled, at any point of a write."""

import asyncio
import contextlib
from typing import NoReturn

from jph.cache.writer import CacheWriter
from tests.support import LIMIT_S

TIMES = 60


async def test_no_cancellation_is_lost_in_a_write(redis_url: str) -> None:
    """One may come as the write ends; redis-py's own time limit then swallows it."""
    written = asyncio.Event()

    async def write_for_ever() -> NoReturn:
        writer = CacheWriter.open(redis_url, "R1")
        try:
            while True:
                await writer.write({"I1": {"Value": "1"}})
                written.set()
        finally:
            await writer.close()

    for turn in range(TIMES):
        written.clear()
        writing = asyncio.create_task(write_for_ever())
        await written.wait()
        for _ in range(turn % 12):
            await asyncio.sleep(0)
        writing.cancel()
        done, _ = await asyncio.wait({writing}, timeout=LIMIT_S)
        assert done, "it goes on writing"
        with contextlib.suppress(asyncio.CancelledError):
            await writing
