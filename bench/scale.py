"""Every codifier there can be on one network, and one as fast as the bus: what it costs and loses.

Crowd: all 1,296 codifiers are configured; four are cache, collector, gateway with a page
that is watched, and a console that pings them. The others send, 64 from a node, one reading of each
at a time, at 1, 10 and 100 readings a second each.

Flood: one codifier sends to the cache alone, and to the collector alone.

All on multicast groups of the loopback interface, into a real Redis and a real PostgreSQL, every
program a process of its own. Loss is what the programs count, and what is not there in the end.

    lost        readings sent that are not in PostgreSQL in the end; gap: those the books say so of
    missed      messages of the data bus that the cache did not hear
    rows        committed a second, until the last; behind: how long that was after the last sent
    Redis       commands a second
    ping        round trip to the programs on the control bus meanwhile, ms
    core        share of one core, by process; PostgreSQL with its helpers

    python -m bench.scale [--seconds 8] [--rates 1,10,100] [--flood 4] [--sustain 4] [--json FILE]

`--rates '' --flood 0 --sustain 60` is 300,000 readings a second into PostgreSQL for a minute.
"""

import argparse
import asyncio
import contextlib
import json
import random
import socket
import statistics
import string
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

from bench.lab.crowd import Orders
from bench.lab.servers import Shares, both, program, short_directory
from bench.lab.watching import (
    CACHE,
    COLLECTOR,
    GATEWAY,
    NODES,
    START_LIMIT_S,
    Page,
    Pinger,
    Stores,
)
from jph.config import model as config
from jph.config.stores import redis_socket

SECONDS: Final = 8.0
RATES: Final = "1,10,100"
FLOOD_SECONDS: Final = 4.0
CACHE_FLOODS: Final = (1e6, 2e6, 3e6, 4e6)
COLLECTOR_FLOOD: Final = 3e5
PROGRAMS: Final = (CACHE, COLLECTOR, GATEWAY)
TOGETHER: Final = 64
"""Codifiers of one node: as many as leave in one call."""
SETTLE_LIMIT_S: Final = 120.0
AIM_CORE: Final = 0.5
AIM_PING_MS: Final = 50.0


@dataclass
class Row:
    """One rate (readings a second of each codifier), for `seconds`; shares of a core, ms."""

    name: str
    rate: float
    codifiers: int
    sent: int = 0
    seconds: float = 0.0
    lost: int = 0
    given_up: int = 0
    missed: int = 0
    behind_s: float = 0.0
    redis_a_second: float = 0.0
    rows_a_second: float = 0.0
    cores: dict[str, float] = field(default_factory=dict)
    ping_p50_ms: float = 0.0
    ping_p99_ms: float = 0.0
    pings: int = 0

    @property
    def ours(self) -> float:
        """What cache, collector and gateway take together."""
        return sum(self.cores.get(code, 0.0) for code in PROGRAMS)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(prog="bench.scale", description="Many codifiers, and floods.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each rate")
    parser.add_argument("--rates", default=RATES, help="readings a second of each codifier")
    parser.add_argument("--flood", type=float, default=FLOOD_SECONDS, help="seconds, of the cache")
    parser.add_argument("--sustain", type=float, default=FLOOD_SECONDS, help="of the collector")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    if rates := [float(rate) for rate in options.rates.split(",") if rate]:
        with house(PROGRAMS, 36**2) as crowd:
            rows += crowd.measure("all", rates, options.seconds)
        show(rows)
    floods: list[Row] = []
    if options.flood:
        with house((CACHE,), 8) as one:
            floods += one.measure("run", CACHE_FLOODS, options.flood)
    if options.sustain:
        with house((COLLECTOR,), 8) as one:
            floods += one.measure("run", [COLLECTOR_FLOOD], options.sustain)
    if floods:
        show(floods)
    rows += floods
    judge(rows)
    if options.json:
        found = [{**asdict(row), "ours": row.ours} for row in rows]
        options.json.write_text(json.dumps({"name": "scale", "rows": found}, indent=2) + "\n")


class House:
    """A network of programs and senders while it is measured."""

    def __init__(
        self, path: Path, pids: dict[str, int], orders: Orders, stores: Stores, page: Page | None
    ) -> None:
        self._network = config.parse(path.read_bytes())
        self._pids, self._orders, self._stores, self._page = pids, orders, stores, page
        self._programs = [code for code in PROGRAMS if code in pids]
        self._senders = sum(sensor.codifier not in NODES for sensor in self._network.sensors)
        self._sent = 0

    def measure(self, who: str, rates: Sequence[float], seconds: float) -> list[Row]:
        """Return a row for each rate."""
        return asyncio.run(self._measure(who, rates, seconds))

    async def _measure(self, who: str, rates: Sequence[float], seconds: float) -> list[Row]:
        pinger = Pinger(self._network, self._programs)
        lives = [asyncio.create_task(pinger.run())]
        await _until(lambda: pinger.answered.issuperset(self._programs), START_LIMIT_S)
        if self._page is not None:
            lives.append(asyncio.create_task(self._page.watch()))
            await _until(lambda: self._page is None or self._page.taken > 0, START_LIMIT_S)
        await self._row(who, 1.0 if who == "all" else 1000.0, 1.0, pinger)  # tables, hashes: once
        rows = [await self._row(who, rate, seconds, pinger) for rate in rates]
        pinger.stop()
        for life in lives[1:]:
            life.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        return rows

    async def _row(self, who: str, rate: float, seconds: float, pinger: Pinger) -> Row:
        stores, before = self._stores, self._sent
        collects = COLLECTOR in self._programs
        rows, gaps = await asyncio.to_thread(stores.rows), stores.given_up()
        missed = stores.missed()
        shares, commands, began_s = Shares(self._pids), stores.commands(), time.monotonic()
        pinger.begin()
        self._sent = await asyncio.to_thread(self._orders.send, who, rate, seconds)
        row = Row(who, rate, self._senders if who == "all" else 1, self._sent - before)
        row.seconds = time.monotonic() - began_s
        row.cores = shares.taken()
        times = sorted(pinger.times)
        row.redis_a_second = (stores.commands() - commands) / row.seconds
        if collects:
            with contextlib.suppress(TimeoutError):
                await _until(lambda: stores.settled() >= self._sent, SETTLE_LIMIT_S)
            row.behind_s = max(0.0, time.monotonic() - began_s - row.seconds)
            row.lost = row.sent - (await asyncio.to_thread(stores.rows) - rows)
            row.given_up = stores.given_up() - gaps
            row.rows_a_second = (row.sent - row.lost) / (row.seconds + row.behind_s)
        await asyncio.sleep(0.5)  # the cache has written what it heard last
        row.missed = stores.missed() - missed
        row.pings = len(times)
        row.ping_p50_ms = 1000 * statistics.median(times)
        row.ping_p99_ms = 1000 * times[len(times) * 99 // 100]
        return row


async def _until(condition: Callable[[], bool], limit_s: float) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not.
    """
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def house(programs: Sequence[str], codifiers: int) -> Iterator[House]:
    """Run stores, programs and senders for the length of a block."""
    with short_directory() as state, both(state) as (redis, sql), contextlib.ExitStack() as stack:
        path, port = state / "config.json", _free_port()
        path.write_text(json.dumps(configuration(codifiers, port)))
        pids = {
            code: stack.enter_context(program(("control.py", "run", code), path)).pid
            for code in programs
        }
        pids |= {"redis": redis.pid or 0, "postgres": sql.pid or 0}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        senders = stack.enter_context(program(("-m", "bench.lab.crowd", str(path)), path, **pipes))
        pids["senders"] = senders.pid
        stores = Stores(str(redis_socket(redis.sockets)), str(sql.socket.parent))
        page = Page(port) if GATEWAY in programs else None
        yield House(path, pids, Orders(senders), stores, page)


def configuration(count: int, port: int) -> dict[str, Any]:
    """Return the config of `count` codifiers on buses of their own, the page on a port."""
    letters = string.digits + string.ascii_uppercase
    codes = ["".join(pair) for pair in product(letters, letters)]
    codes = [code for code in codes if code not in NODES][: max(1, count - len(NODES))]
    ports = random.sample(range(20_000, 30_000), 2)
    entries: list[dict[str, Any]] = [
        {"Codifier": CACHE, "Type": "jphRedis"},
        {"Codifier": COLLECTOR, "Type": "jphPostgreSQL"},
        {"Codifier": GATEWAY, "Type": "Gateway", "Sensor": {"Port": port}},
        {"Codifier": NODES[-1], "Type": "ControlProgram"},
    ]
    for number, code in enumerate(codes):
        node = codes[number - number % TOGETHER]
        kind = "Setpoint" if node == code else "Proxy"
        sensor = {} if node == code else {"Codifier": node}
        entries.append({"Codifier": code, "Type": kind, "Sensor": sensor})
    return {
        "Multicast": {
            "Control-Channel": {"Address": "239.255.91.1", "Port": ports[0]},
            "Data-Channel": {"Address": "239.255.91.2", "Port": ports[1]},
            "Interfaces": {"*": "lo"},
            "TTL": 0,
        },
        "Logging": {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"console": {"class": "logging.StreamHandler"}},
            "root": {"handlers": ["console"], "level": "WARNING"},
        },
        "Sensors": entries,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def show(rows: Sequence[Row]) -> None:
    """Print a table."""
    names = list(rows[0].cores)
    print(
        f"{'codes':>5} {'each/s':>9} {'sent/s':>9} {'lost':>6} {'gap':>6} {'missed':>7} "
        f"{'rows/s':>7} {'behind':>7} {'Redis/s':>7} {'p50':>6} {'p99':>6} ms  core: "
        + " ".join(f"{name:>8}" for name in dict.fromkeys((*PROGRAMS, *names)))
    )
    for row in rows:
        print(
            f"{row.codifiers:5} {row.rate:9,.0f} {row.sent / row.seconds:9,.0f} {row.lost:6} "
            f"{row.given_up:6} {row.missed:7} {row.rows_a_second:7,.0f} {row.behind_s:5.1f} s "
            f"{row.redis_a_second:7,.0f} {row.ping_p50_ms:6.2f} {row.ping_p99_ms:6.2f}           "
            + " ".join(
                f"{row.cores[name]:8.1%}" if name in row.cores else " " * 8
                for name in dict.fromkeys((*PROGRAMS, *names))
            )
        )


def judge(rows: Sequence[Row]) -> None:
    """Print whether the aims are met."""
    for row in rows:
        good = not row.lost and not row.missed
        if row.name == "all" and row.rate == 10:
            good = good and row.ours < AIM_CORE and row.ping_p99_ms < AIM_PING_MS
            print(
                f"at 10 a second: cache, collector and gateway {row.ours:.2f} of a core (aim below "
                f"{AIM_CORE:g}), {row.lost + row.missed} lost, p99 {row.ping_p99_ms:.1f} ms (aim "
                f"below {AIM_PING_MS:g}): {'met' if good else 'missed'}"
            )
        elif row.name == "run" and COLLECTOR in row.cores:
            good = not row.lost and row.rows_a_second >= 0.95 * COLLECTOR_FLOOD
            print(
                f"one codifier into PostgreSQL: {row.rows_a_second:,.0f} rows/s committed (aim "
                f"{COLLECTOR_FLOOD:,.0f}), {row.lost} lost: {'met' if good else 'missed'}"
            )
    heard = [row for row in rows if CACHE in row.cores and row.name == "run" and not row.missed]
    if heard:
        most = max(row.sent / row.seconds for row in heard)
        print(f"into Redis without loss: {most:,.0f} messages/s")


if __name__ == "__main__":
    main()
