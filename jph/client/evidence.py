"""Collects from the bus what explains the state of heaters."""

import asyncio
import contextlib
import time
from collections.abc import Collection, Sequence

from jph.client.client import Client
from jph.config.house.loads import Load
from jph.heating.explain.clocks import Clocks
from jph.heating.explain.facts import Evidence
from jph.node.outbox import now_ms, ping_number
from jph.wire.codec import Flag, Quality, Reading


async def gather(
    client: Client,
    evidence: Evidence,
    chosen: Sequence[Load],
    nodes: Collection[str],
    limit_s: float,
    clocks: Clocks,
) -> None:
    """Ping `nodes` and note their readings until nothing about `chosen` is missing.

    `clocks` gets the times of all messages.
    """
    complete = asyncio.Event()

    def take(readings: Sequence[Reading]) -> None:
        for reading in readings:
            clocks.read(reading.source, reading.timestamp_ms, now_ms())
            doubted = reading.quality in (Quality.STALE, Quality.IMPLAUSIBLE)
            evidence.note(reading.source, reading.value, time.monotonic(), doubted=doubted)
        if not evidence.missing(chosen):
            complete.set()

    client.listeners.append(lambda each: clocks.hear(each.source, each.timestamp_ms, now_ms()))
    async with client.replies.listening(take):
        for node in sorted(nodes):
            # A ping makes a node send the readings that it sends rarely otherwise.
            client.send(Flag.PING, node, ping_number())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await complete.wait()
