"""How long a reading takes to the eye: from a datagram on the data bus to the text of a page.

The demo's cache and gateway run as they do in a house, with a Redis of their own. This program is
a node that sends readings of one current at random moments; a hundred HTTP clients follow the
stream of changes, and a real browser shows the house.

    bus → Redis     from sending to the notice of the change that the cache publishes
    bus → client    … to the event with the new value at one of the clients
    bus → text      … to the text in the browser's document (where Chromium and Playwright are)
    each client     memory the gateway has more with all of them than with none

One further client takes nothing that is sent to it; the others must not notice.

    python -m bench.live [--clients 100] [--readings 150] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import socket
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from bench.lab.servers import program, served, short_directory
from bench.report import Row, keep
from jph.cache.writer import CHANNEL
from jph.cli.supervise.servers import RedisServer
from jph.config.stores import redis_socket
from jph.node import kinds
from jph.node.node import Node

DEMO: Final = Path(__file__).resolve().parent.parent / "static" / "config.json"
SOURCE: Final = "TI"
CURRENT: Final = "I1"
CLIENTS: Final = 100
READINGS: Final = 150
PAUSE_S: Final = (0.05, 0.35)
LIMIT_S: Final = 30.0
AIM_MS: Final = 100
AIM_KB: Final = 100
CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")

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
"""Values (A) and when each was sent or first seen; Unix time, s."""


class Meter(Node, type="Setpoint"):  # a kind that every program knows
    """Stands for the meter node: sends what it is told."""


def main() -> None:
    """Measure, print, and keep the figures where asked."""
    parser = argparse.ArgumentParser(description="From a datagram to the text of a page.")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="that follow the stream")
    parser.add_argument("--readings", type=int, default=READINGS, help="to send")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with short_directory() as directory:
        port = free_port(socket.SOCK_STREAM)
        config = directory / "config.json"
        redis = RedisServer(directory)
        url = f"unix://{redis_socket(redis.sockets)}"
        config.write_text(json.dumps(configuration(port, url)))
        with (
            served(redis),
            program(["control.py", "run", "R1"], config),
            program(["control.py", "run", "CF"], config) as gateway,
        ):
            work = measure(config, url, port, gateway.pid, options)
            keep(options.json, "live", asyncio.run(work))


async def measure(
    config: Path, redis_url: str, port: int, pid: int, options: argparse.Namespace
) -> list[Row]:
    """Send readings and return how long each way took."""
    await answering(port)
    async with meter(config) as node, contextlib.AsyncExitStack() as stack:
        alone_kb = private_kb(pid)
        stack.enter_context(stalled(port))
        clients = [await stack.enter_async_context(client(port)) for _ in range(options.clients)]
        cached = await stack.enter_async_context(notices(redis_url))
        await asyncio.sleep(2.0)  # the first events, the whole board each
        each_kb = (private_kb(pid) - alone_kb) / max(1, options.clients + 1)
        shown = await stack.enter_async_context(page(port))
        sent: Seen = []
        for number in range(options.readings):
            amperes = 3 + number % 20
            sent.append((amperes, time.time()))
            node.send(amperes, codifier=CURRENT)
            await asyncio.sleep(random.uniform(*PAUSE_S))
        await asyncio.sleep(1.0)
        texts = await shown()
    rows = [timed("bus → Redis", sent, [cached])]
    rows.append(timed(f"bus → {options.clients} clients", sent, clients))
    if texts is None:
        print("no browser here: Chromium and the package playwright are needed")
    else:
        rows.append(timed("bus → text of the page", sent, [texts]))
    print(f"each client {each_kb:.0f} kB in the gateway (aim {AIM_KB})")
    return [*rows, {"name": "memory", "each_client_kb": each_kb}]


def timed(name: str, sent: Seen, seen: list[Seen]) -> Row:
    """Print and return the delays of what arrived; readings that were merged never did."""
    delays = [delay for each in seen for delay in delays_ms(sent, each)]
    if len(delays) < 2:
        raise SystemExit(f"{name}: nothing arrived")
    median, high = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
    print(f"{name:28} {len(delays):6} seen  median {median:6.1f} ms  p99 {high:6.1f} ms")
    return {"name": name, "seen": len(delays), "median_ms": median, "p99_ms": high}


def delays_ms(sent: Seen, seen: Seen) -> Iterator[float]:
    """Yield how long each value took that is another than the one before."""
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
    network = kinds.load(str(config), [SOURCE])
    node = Meter(SOURCE, network)
    life = asyncio.create_task(node.run())
    while not node.bus.data.is_open:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    try:
        yield node
    finally:
        node.stop()
        await life


@contextlib.asynccontextmanager
async def notices(url: str) -> AsyncIterator[Seen]:
    """Note when the cache tells of each value."""
    seen: Seen = []
    async with Redis.from_url(url) as redis, redis.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)

        async def listen() -> None:
            async for message in subscription.listen():
                if message["type"] == "message":
                    fields = json.loads(message["data"]).get(CURRENT, {})
                    if "Value" in fields:
                        seen.append((int(float(fields["Value"])), time.time()))

        task = asyncio.create_task(listen())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncIterator[Seen]:
    """Follow the stream as any HTTP client, and note when each value came."""
    seen: Seen = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n")
    await writer.drain()

    async def follow() -> None:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                now = time.time()
                row = json.loads(line[6:]).get("rows", {}).get(CURRENT, {})
                if row.get("number") is not None:
                    seen.append((int(row["number"]), now))

    task = asyncio.create_task(follow())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()


@contextlib.contextmanager
def stalled(port: int) -> Iterator[None]:
    """Follow the stream without ever reading it."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        yield


@contextlib.asynccontextmanager
async def page(port: int) -> AsyncIterator[Any]:
    """Show the house in a browser; gives what returns the texts seen, None without a browser."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            from playwright.async_api import async_playwright
        except ImportError:
            yield nothing
            return
        if CHROMIUM is None:
            yield nothing
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

        async def texts() -> Seen:
            shown = await tab.evaluate("window.seen")
            return [(int(text), at_ms / 1000) for text, at_ms in shown if text.isdecimal()]

        yield texts


async def nothing() -> None:
    """Stand for a browser that is not there."""


async def answering(port: int) -> None:
    """Wait until the gateway serves."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.1)


def configuration(port: int, redis_url: str) -> dict[str, Any]:
    """Return the demo's configuration on buses of its own, without a history."""
    config: dict[str, Any] = json.loads(DEMO.read_text())
    for channel in ("Control-Channel", "Data-Channel"):
        config["Multicast"][channel]["Port"] = free_port(socket.SOCK_DGRAM)
    config["Redis"] = {"URL": redis_url}
    for sensor in config["Sensors"]:
        if sensor["Type"] == "Gateway":
            sensor["Sensor"]["Port"] = port
    gone = ("jphPostgreSQL", "postgresCalcHandler")
    config["Sensors"] = [s for s in config["Sensors"] if s["Type"] not in gone]
    return config


def free_port(kind: int) -> int:
    """Return a port that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def private_kb(pid: int) -> float:
    """Return the memory that a process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


if __name__ == "__main__":
    main()
