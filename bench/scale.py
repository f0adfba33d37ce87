"""Every codifier there can be, on one network: what cache, collector and page cost, and lose.

All 1,296 codifiers are configured; four are the cache, the collector, the gateway with a page that
is watched, and a console that pings them. The others send, 64 from a node, at 1, 10 and 100
readings a second each, on multicast groups of the loopback interface, into a real Redis and a real
PostgreSQL. Every program is a process of its own.

    core        share of one core, by process; PostgreSQL with its helpers
    lost        readings sent that are not in PostgreSQL afterwards
    missed      messages of the data bus that the cache did not hear
    Redis       commands a second (HSET, PUBLISH, GET …)
    rows        committed a second
    ping        round trip to cache, collector and gateway on the control bus, ms, meanwhile

    python -m bench.scale [--seconds 10] [--rates 1,10,100] [--json FILE]

`--rates 232 --seconds 60` is 300,000 readings a second for a minute.
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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import IO, Any, Final

from bench.lab.servers import Shares, both, program, short_directory
from jph import config
from jph.config import Network
from jph.node import Node
from jph.stores import DATABASE, redis_socket
from jph.wire import Control, Flag

SECONDS: Final = 10.0
RATES: Final = (1.0, 10.0, 100.0)
TOGETHER: Final = 64
"""Codifiers of one node: as many as leave in one call."""
PINGED: Final = ("R1", "Q1", "W0")
NODES: Final = (*PINGED, "CC")
PING_EVERY_S: Final = 0.02
START_LIMIT_S: Final = 60.0
SETTLE_LIMIT_S: Final = 120.0
AIM_CORE: Final = 0.5
AIM_PING_MS: Final = 50.0


@dataclass
class Row:
    """One rate, for `seconds`; shares of a core, times in ms."""

    rate: float
    codifiers: int
    sent: int
    seconds: float
    lost: int = 0
    missed: int = 0
    behind_s: float = 0.0
    redis_a_second: float = 0.0
    rows_a_second: float = 0.0
    cores: dict[str, float] = field(default_factory=dict)
    ping_p50_ms: float = 0.0
    ping_p99_ms: float = 0.0
    pings: int = 0
    unanswered: int = 0

    @property
    def ours(self) -> float:
        """What cache, collector and gateway take together."""
        return sum(self.cores[code] for code in PINGED)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(prog="bench.scale", description="Every codifier there can be.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each rate")
    parser.add_argument(
        "--rates", default=",".join(f"{r:g}" for r in RATES), help="readings/s each"
    )
    parser.add_argument("--codifiers", type=int, default=36**2, help="how many there are in all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    rates = [float(rate) for rate in options.rates.split(",")]
    with short_directory() as state, both(state) as (redis, sql), contextlib.ExitStack() as stack:
        path, port = state / "config.json", _free_port()
        path.write_text(json.dumps(configuration(options.codifiers, port)))
        network = config.parse(path.read_bytes())
        pids = {"redis": redis.pid or 0, "postgres": sql.pid or 0}
        for code in PINGED:
            command = ("control.py", "run", code)
            pids[code] = stack.enter_context(program(command, path)).pid
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        senders = stack.enter_context(program(("-m", "bench.lab.crowd", str(path)), path, **pipes))
        pids["senders"] = senders.pid
        stores = Stores(str(redis_socket(redis.sockets)), str(sql.socket.parent))
        house = House(network, pids, Crowd(senders), stores)
        rows = asyncio.run(house.run(port, rates, options.seconds))
    show(rows)
    if options.json:
        found = [{**asdict(row), "ours": row.ours} for row in rows]
        options.json.write_text(json.dumps({"name": "scale", "rows": found}, indent=2) + "\n")


def configuration(count: int, port: int) -> dict[str, Any]:
    """Return the config of `count` codifiers on buses of their own, the page on a port."""
    letters = string.digits + string.ascii_uppercase
    codes = ["".join(pair) for pair in product(letters, letters)]
    codes = [code for code in codes if code not in NODES][: max(1, count - len(NODES))]
    ports = random.sample(range(20_000, 30_000), 2)
    entries: list[dict[str, Any]] = [
        {"Codifier": "R1", "Type": "jphRedis"},
        {"Codifier": "Q1", "Type": "jphPostgreSQL"},
        {"Codifier": "W0", "Type": "Gateway", "Sensor": {"Port": port}},
        {"Codifier": "CC", "Type": "ControlProgram"},
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
            "root": {"handlers": ["console"], "level": "INFO"},
        },
        "Sensors": entries,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Crowd:
    """The process that all readings come from."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._in: IO[str] = child.stdin
        self._out: IO[str] = child.stdout
        if self._out.readline() != "ready\n":
            raise SystemExit("the senders do not start; their words are above")

    def send(self, rate: float, seconds: float) -> None:
        """Have every codifier send; `sent` waits for the end."""
        print(rate, seconds, file=self._in, flush=True)

    def sent(self) -> int:
        """Return how many readings were sent since the start."""
        return int(self._out.readline())


class Pinger(Node, type="BenchPinger"):
    """Pings one program after the other, and keeps how long each answer took, s."""

    announces = False

    def __init__(self, codifier: str, network: Network) -> None:
        super().__init__(codifier, network)
        self.times: list[float] = []
        self.answered: set[str] = set()
        self.asked: dict[float, float] = {}

    async def open(self) -> None:
        """Begin."""
        self.spawn(self._ask(), "pings")

    def on_control(self, message: Control) -> None:
        """Take an answer."""
        if message.flag == Flag.TIME and message.to == self.codifier:
            self.answered.add(message.source)
            if (asked_s := self.asked.pop(message.number, None)) is not None:
                self.times.append(time.perf_counter() - asked_s)

    def begin(self) -> None:
        """Forget what was measured so far."""
        self.times, self.asked = [], {}

    async def _ask(self) -> None:
        number = 0
        while True:
            number += 1
            self.asked[float(number)] = time.perf_counter()
            self.send_control(Flag.PING, PINGED[number % len(PINGED)], number)
            await asyncio.sleep(PING_EVERY_S)


class Page:
    """A browser that watches, as far as the gateway can tell."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.taken = 0

    async def watch(self) -> None:
        """Take events until cancelled."""
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                break
            except OSError:
                if time.monotonic() > end:
                    raise SystemExit("the gateway does not listen; its words are above") from None
                await asyncio.sleep(0.1)
        writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while data := await reader.read(2**20):
            self.taken += len(data)


class Stores:
    """What Redis and PostgreSQL say of themselves."""

    def __init__(self, redis: str, sql: str) -> None:
        import psycopg2
        from redis import Redis

        self._redis = Redis(unix_socket_path=redis, decode_responses=True)
        self._sql = psycopg2.connect(host=sql, user=DATABASE, dbname=DATABASE)
        self._sql.autocommit = True

    def commands(self) -> int:
        """Return how many commands Redis has obeyed."""
        found: Any = self._redis.info("stats")
        return int(found["total_commands_processed"])

    def missed(self) -> int:
        """Return how many messages of the data bus the cache did not hear."""
        pipe = self._redis.pipeline(transaction=False)
        for code in self._redis.scan_iter("??"):
            pipe.hget(code, "DPacketsLost")
        return sum(int(lost or 0) for lost in pipe.execute())

    def settled(self) -> int:
        """Return how many readings the collector has accounted for."""
        return self._number(f"SELECT sum(last - first) FROM source WHERE {_OTHERS}")

    def rows(self) -> int:
        """Return how many readings there are."""
        return self._number(f"SELECT count(*) FROM reading WHERE {_OTHERS}")

    def _number(self, query: str) -> int:
        with self._sql.cursor() as cursor:
            cursor.execute("SELECT to_regclass('source')")
            if cursor.fetchone() == (None,):
                return 0
            cursor.execute(query)
            (number,) = cursor.fetchone() or (0,)
            return int(number or 0)


_OTHERS: Final = "codifier NOT IN ({})".format(", ".join(f"'{code}'" for code in NODES))


class House:
    """The network while it is measured."""

    def __init__(
        self, network: Network, pids: dict[str, int], crowd: Crowd, stores: Stores
    ) -> None:
        self._pids, self._crowd, self._stores = pids, crowd, stores
        self._senders = sum(sensor.codifier not in NODES for sensor in network.sensors)
        self._pinger = Pinger("CC", network)
        self._sent = 0

    async def run(self, port: int, rates: Sequence[float], seconds: float) -> list[Row]:
        """Return a row for each rate."""
        page = Page(port)
        lives = [asyncio.create_task(self._pinger.run()), asyncio.create_task(page.watch())]
        await _until(lambda: self._pinger.answered.issuperset(PINGED), START_LIMIT_S)
        await _until(lambda: page.taken > 0, START_LIMIT_S)
        await self._measure(1.0, 1.0)  # tables, months, hashes: once
        rows = [await self._measure(rate, seconds) for rate in rates]
        self._pinger.stop()
        lives[1].cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        return rows

    async def _measure(self, rate: float, seconds: float) -> Row:
        stores, before = self._stores, self._sent
        rows, missed = await asyncio.to_thread(stores.rows), stores.missed()
        shares, commands, began_s = Shares(self._pids), stores.commands(), time.monotonic()
        self._pinger.begin()
        self._crowd.send(rate, seconds)
        self._sent = await asyncio.to_thread(self._crowd.sent)
        took_s = time.monotonic() - began_s
        cores = shares.taken()
        times, asked = sorted(self._pinger.times), len(self._pinger.asked)
        row = Row(rate, self._senders, self._sent - before, took_s, cores=cores)
        row.redis_a_second = (stores.commands() - commands) / took_s
        ended_s = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await _until(lambda: stores.settled() >= self._sent, SETTLE_LIMIT_S)
        row.behind_s = time.monotonic() - ended_s
        row.lost = row.sent - (await asyncio.to_thread(stores.rows) - rows)
        row.missed = stores.missed() - missed
        row.rows_a_second = (row.sent - row.lost) / (took_s + row.behind_s)
        row.pings, row.unanswered = len(times), max(0, asked - 1)
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


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    names = (*PINGED, "redis", "postgres", "senders")
    print(f"{rows[0].codifiers} codifiers that send")
    print(
        f"{'rate':>5} {'sent/s':>8} {'lost':>6} {'missed':>6} {'rows/s':>8} {'behind':>7} "
        f"{'Redis/s':>8} {'p50':>6} {'p99':>6} ms  core: " + " ".join(f"{n:>8}" for n in names)
    )
    for row in rows:
        print(
            f"{row.rate:5g} {row.sent / row.seconds:8.0f} {row.lost:6} {row.missed:6} "
            f"{row.rows_a_second:8.0f} {row.behind_s:5.1f} s {row.redis_a_second:8.0f} "
            f"{row.ping_p50_ms:6.2f} {row.ping_p99_ms:6.2f}           "
            + " ".join(f"{row.cores[name]:8.1%}" for name in names)
        )
    for row in rows:
        if row.rate == 10:
            good = row.ours < AIM_CORE and not row.lost and row.ping_p99_ms < AIM_PING_MS
            print(
                f"at 10 a second: cache, collector and gateway {row.ours:.2f} of a core (aim below "
                f"{AIM_CORE:g}), {row.lost} lost, p99 {row.ping_p99_ms:.1f} ms (aim below "
                f"{AIM_PING_MS:g}): {'met' if good else 'missed'}"
            )


if __name__ == "__main__":
    main()
