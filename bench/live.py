"""Delay of a reading: from a datagram on the data bus to the text of a page.

The demonstration's cache and gateway run as they do in a house, with a Redis of their own. This
program is a node that sends readings of one current at random moments; a hundred HTTP clients
follow the stream of changes, and a real browser shows the house.

    bus → Redis     from sending to the change that the cache publishes
    bus → client    … to the event with the new value at one of the clients
    bus → text      … to the text in the browser's document (if Chromium and Playwright are there)
    each client     memory the gateway has more with all of them than with none

One further client reads nothing that is sent to it; the others must not notice.

    python -m bench.live [--clients 100] [--readings 150] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from bench.harness import network, report
from bench.harness.processes import memory, program, served, short_directory
from bench.harness.timing import median, percentile
from jph.cache.writer import CHANNEL
from jph.cli.supervise.servers import RedisServer
from jph.config.stores import redis_socket
from jph.node import kinds
from jph.node.node import Node

SOURCE: Final = "TI"
CURRENT: Final = "I1"
OPTIONS: Final[dict[str, report.Option]] = {
    "clients": (100, "that follow the stream"),
    "readings": (150, "to send"),
}
PAUSE_S: Final = (0.05, 0.35)
SETTLE_S: Final = 2.0
"""Time for the first event of each client, which holds the whole board."""
AIM_KB: Final = 100
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
TABLE: Final = (
    ("seen", "seen", "7"),
    ("median_ms", "median ms", "11.1f"),
    ("p99_ms", "p99", "8.1f"),
)
_WATCH: Final = """
(code) => {
  const cell = document.querySelector(`[data-code="${code}"] [data-part="value"]`);
  window.seen = [];
  const now = () => performance.timeOrigin + performance.now();
  const note = () => window.seen.push([cell.textContent, now()]);
  new MutationObserver(note).observe(cell, {childList: true, characterData: true, subtree: true});
}
"""

Seen = list[tuple[int, float]]
"""Values (A) and the time each was sent or first seen; Unix time, s."""


class Meter(Node, type="Setpoint"):  # every program knows this kind
    """Replaces the meter node; sends on command."""


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Run the programs and print the delays."""
    with short_directory() as directory:
        port, redis = network.free_port(), RedisServer(directory)
        url = f"unix://{redis_socket(redis.sockets)}"
        document = network.demonstration(
            {"Gateway": {"Port": port}},
            without=("jphPostgreSQL", "postgresCalcHandler"),
            Redis={"URL": url},
        )
        config = network.write(document, directory)
        with (
            served(redis),
            program(["control.py", "run", "R1"], config),
            program(["control.py", "run", "CF"], config) as gateway,
        ):
            network.wait_for_port(port)
            return asyncio.run(follow(config, url, port, gateway.pid, options))


async def follow(
    config: Path, redis_url: str, port: int, pid: int, options: argparse.Namespace
) -> list[report.Row]:
    """Send readings; print and return the delay of each way."""
    async with meter(config) as node, contextlib.AsyncExitStack() as stack:
        alone_mb = memory(pid).private
        stack.enter_context(stalled(port))
        clients = [await stack.enter_async_context(client(port)) for _ in range(options.clients)]
        cached = await stack.enter_async_context(changes(redis_url))
        await asyncio.sleep(SETTLE_S)
        each_kb = 1024 * (memory(pid).private - alone_mb) / max(1, options.clients + 1)
        tab = await stack.enter_async_context(browser_tab(port))
        sent: Seen = []
        for number in range(options.readings):
            amperes = 3 + number % 20
            sent.append((amperes, time.time()))
            node.send(amperes, codifier=CURRENT)
            await asyncio.sleep(random.uniform(*PAUSE_S))
        await asyncio.sleep(1.0)
        texts = [] if tab is None else await tab.evaluate("window.seen")
    rows = [delays("bus → Redis", sent, [cached])]
    rows.append(delays(f"bus → {options.clients} clients", sent, clients))
    if tab is None:
        print("no browser: Chromium and the package playwright are needed")
    else:
        shown = [(int(text), at_ms / 1000) for text, at_ms in texts if text.isdecimal()]
        rows.append(delays("bus → text of the page", sent, [shown]))
    report.table(rows, TABLE)
    print(f"each client {each_kb:.0f} kB in the gateway (aim {AIM_KB})")
    return [*rows, {"name": "memory", "each_client_kb": each_kb}]


def delays(name: str, sent: Seen, seen: list[Seen]) -> report.Row:
    """Return median and 99th percentile of what arrived; merged readings do not count."""
    found = [delay for each in seen for delay in delays_ms(sent, each)]
    if len(found) < 2:
        raise SystemExit(f"{name}: nothing arrived")
    return {
        "name": name,
        "seen": len(found),
        "median_ms": median(found),
        "p99_ms": percentile(found, 99),
    }


def delays_ms(sent: Seen, seen: Seen) -> Iterator[float]:
    """Yield the delay of each value that differs from the one before."""
    before = 0
    for amperes, at_s in seen:
        if amperes != before:
            last_s = max((s for a, s in sent if a == amperes and s <= at_s), default=None)
            if last_s is not None:
                yield 1000 * (at_s - last_s)
        before = amperes


@contextlib.asynccontextmanager
async def meter(config: Path) -> AsyncIterator[Node]:
    """Run the node that sends, for the length of a block."""
    node = Meter(SOURCE, kinds.load(str(config), [SOURCE]))
    running = asyncio.create_task(node.run())
    while not node.bus.data.is_open:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    try:
        yield node
    finally:
        node.stop()
        await running


@contextlib.asynccontextmanager
async def background(work: Any) -> AsyncIterator[None]:  # noqa: ANN401 - any coroutine
    """Run a coroutine for the length of a block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def changes(url: str) -> AsyncIterator[Seen]:
    """Note the time of each value that the cache publishes."""
    seen: Seen = []
    async with Redis.from_url(url) as redis, redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)

        async def listen() -> None:
            async for message in subscription.listen():
                if message["type"] == "message":
                    fields = json.loads(message["data"]).get(CURRENT, {})
                    if "Value" in fields:
                        seen.append((int(float(fields["Value"])), time.time()))

        async with background(listen()):
            yield seen


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[Seen]:
    """Follow the stream as an HTTP client, and note the time of each value."""
    seen: Seen = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    await writer.drain()

    async def read() -> None:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                now_s = time.time()
                row = json.loads(line[6:]).get("rows", {}).get(CURRENT, {})
                if row.get("number") is not None:
                    seen.append((int(row["number"]), now_s))

    async with background(read()):
        yield seen
    writer.close()


@contextlib.contextmanager
def stalled(port: int) -> Iterator[None]:
    """Request the stream and never read it."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        yield


@contextlib.asynccontextmanager
async def browser_tab(port: int) -> AsyncIterator[Any]:
    """Show the house in a browser that notes the texts of a value; None without a browser."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            from playwright.async_api import async_playwright
        except ImportError:
            yield None
            return
        if CHROMIUM is None:
            yield None
            return
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        stack.push_async_callback(browser.close)
        tab = await browser.new_page(locale="en")
        await tab.goto(f"http://127.0.0.1:{port}/")
        await tab.wait_for_selector('#link[data-mood="good"]', state="attached")
        await tab.evaluate(_WATCH, CURRENT)
        yield tab


if __name__ == "__main__":
    report.run("live", __doc__, measure, OPTIONS)
