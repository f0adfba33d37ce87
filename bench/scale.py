"""Every codifier of one network, and one as fast as the bus: cost and loss.

All codifiers: the 1,296 possible ones are configured; four are cache, collector, gateway with a
page that is followed, and a console that pings them. The others send, 64 from a node, one reading
of each at a time, at 1, 10 and 100 readings a second each.

Flood: one codifier sends to the cache alone, and to the collector alone.

All on multicast groups of the loopback interface, into a real Redis and a real PostgreSQL, every
program a process of its own. Loss is what the programs count, and what is missing in the end.

    lost        readings sent that are not in PostgreSQL in the end; gap: those accounted as lost
    missed      messages of the data bus that the cache did not receive
    rows        committed a second; behind: from the last reading sent to the last row committed
    Redis       commands a second
    ping        round trip to the programs on the control bus meanwhile, ms
    core        share of one core, by process; PostgreSQL with its children

    python -m bench.scale [--seconds 8] [--rates 1,10,100] [--flood 4] [--sustain 4] [--json FILE]

`--rates '' --flood 0 --sustain 60` sends 300,000 readings a second into PostgreSQL for a minute.
"""

import argparse
import asyncio
import contextlib
import string
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final

from bench.harness import network, report
from bench.harness.network import Json
from bench.harness.observers import (
    CACHE,
    COLLECTOR,
    GATEWAY,
    NODES,
    START_LIMIT_S,
    EventStream,
    Pinger,
    Stores,
)
from bench.harness.processes import CpuShares, both, program, short_directory
from bench.harness.senders import SendCommands
from bench.harness.timing import median, percentile
from jph.config import model
from jph.config.stores import redis_socket

OPTIONS: Final[dict[str, report.Option]] = {
    "seconds": (8.0, "of each rate"),
    "rates": ("1,10,100", "readings a second of each codifier"),
    "flood": (4.0, "seconds, of the cache"),
    "sustain": (4.0, "seconds, of the collector"),
}
CACHE_FLOODS: Final = (1e6, 2e6, 3e6, 4e6)
COLLECTOR_FLOOD: Final = 3e5
PROGRAMS: Final = (CACHE, COLLECTOR, GATEWAY)
TOGETHER: Final = 64
"""Codifiers of one node, which it sends in one call."""
SETTLE_LIMIT_S: Final = 120.0
AIM_CORE: Final = 0.5
AIM_PING_MS: Final = 50.0
TABLE: Final = (
    ("codifiers", "codes", "6"),
    ("rate", "each/s", "10,.0f"),
    ("sent_a_second", "sent/s", "10,.0f"),
    ("lost", "lost", "7"),
    ("given_up", "gap", "7"),
    ("missed", "missed", "8"),
    ("rows_a_second", "rows/s", "8,.0f"),
    ("behind_s", "behind", "7.1f"),
    ("redis_a_second", "Redis/s", "8,.0f"),
    ("ping_p50_ms", "p50 ms", "8.2f"),
    ("ping_p99_ms", "p99", "7.2f"),
)


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Measure the rates and the floods; print a table for each."""
    rows: list[report.Row] = []
    if rates := [float(rate) for rate in options.rates.split(",") if rate]:
        with network_of(PROGRAMS, 36**2) as every:
            rows += every.measure("all", rates, options.seconds)
        show(rows)
    floods: list[report.Row] = []
    if options.flood:
        with network_of((CACHE,), 8) as one:
            floods += one.measure("run", CACHE_FLOODS, options.flood)
    if options.sustain:
        with network_of((COLLECTOR,), 8) as one:
            floods += one.measure("run", [COLLECTOR_FLOOD], options.sustain)
    show(floods)
    rows += floods
    judge(rows)
    return rows


class MeasuredNetwork:
    """Programs and senders of one network while they run."""

    def __init__(
        self,
        path: Path,
        pids: dict[str, int],
        commands: SendCommands,
        stores: Stores,
        stream: EventStream | None,
    ) -> None:
        self._network = model.parse(path.read_bytes())
        self._pids, self._commands, self._stores, self._stream = pids, commands, stores, stream
        self._programs = [code for code in PROGRAMS if code in pids]
        self._senders = sum(sensor.codifier not in NODES for sensor in self._network.sensors)
        self._sent = 0

    def measure(self, mode: str, rates: Sequence[float], seconds: float) -> list[report.Row]:
        """Return a row for each rate."""
        return asyncio.run(self._measure(mode, rates, seconds))

    async def _measure(self, mode: str, rates: Sequence[float], seconds: float) -> list[report.Row]:
        pinger = Pinger(self._network, self._programs)
        tasks = [asyncio.create_task(pinger.run())]
        await _until(lambda: pinger.answered.issuperset(self._programs), START_LIMIT_S)
        if (stream := self._stream) is not None:
            tasks.append(asyncio.create_task(stream.watch()))
            await _until(lambda: stream.bytes > 0, START_LIMIT_S)
        await self._row(mode, 1.0 if mode == "all" else 1000.0, 1.0, pinger)  # creates the tables
        rows = [await self._row(mode, rate, seconds, pinger) for rate in rates]
        pinger.stop()
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return rows

    async def _row(self, mode: str, rate: float, seconds: float, pinger: Pinger) -> report.Row:
        stores, sent_before = self._stores, self._sent
        stored, lost = await asyncio.to_thread(stores.rows), stores.lost()
        missed = stores.missed()
        shares, commands, started_s = CpuShares(self._pids), stores.commands(), time.monotonic()
        pinger.restart()
        self._sent = await asyncio.to_thread(self._commands.send, mode, rate, seconds)
        sent, passed_s = self._sent - sent_before, time.monotonic() - started_s
        row: report.Row = {
            "name": mode,
            "rate": rate,
            "codifiers": self._senders if mode == "all" else 1,
            "sent": sent,
            "seconds": passed_s,
            **dict.fromkeys(("lost", "given_up", "missed"), 0),
            **dict.fromkeys(("behind_s", "rows_a_second"), 0.0),
            "redis_a_second": (stores.commands() - commands) / passed_s,
            "cores": shares.used(),
            "ping_p50_ms": 1000 * median(pinger.times),
            "ping_p99_ms": 1000 * percentile(pinger.times, 99),
            "pings": len(pinger.times),
        }
        row["ours"] = sum(row["cores"].get(code, 0.0) for code in PROGRAMS)
        if COLLECTOR in self._programs:
            with contextlib.suppress(TimeoutError):
                await _until(lambda: stores.settled() >= self._sent, SETTLE_LIMIT_S)
            row["behind_s"] = max(0.0, time.monotonic() - started_s - passed_s)
            row["lost"] = sent - (await asyncio.to_thread(stores.rows) - stored)
            row["given_up"] = stores.lost() - lost
            row["rows_a_second"] = (sent - row["lost"]) / (passed_s + row["behind_s"])
        await asyncio.sleep(0.5)  # the cache writes what it received last
        row["missed"] = stores.missed() - missed
        return row


async def _until(condition: Callable[[], bool], limit_s: float) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not hold in time.
    """
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@contextlib.contextmanager
def network_of(programs: Sequence[str], codifiers: int) -> Iterator[MeasuredNetwork]:
    """Run stores, programs and senders for the length of a block."""
    with short_directory() as state, both(state) as (redis, sql), contextlib.ExitStack() as stack:
        port = network.free_port()
        path = network.write(configuration(codifiers, port), state)
        pids = {
            code: stack.enter_context(program(("control.py", "run", code), path)).pid
            for code in programs
        }
        pids |= {"redis": redis.pid or 0, "postgres": sql.pid or 0}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = ("-m", "bench.harness.senders", str(path))
        senders = stack.enter_context(program(command, path, **pipes))
        pids["senders"] = senders.pid
        stores = Stores(str(redis_socket(redis.sockets)), str(sql.socket.parent))
        stream = EventStream(port) if GATEWAY in programs else None
        yield MeasuredNetwork(path, pids, SendCommands(senders), stores, stream)


def configuration(count: int, port: int) -> Json:
    """Return the config of `count` codifiers, the page on a port."""
    letters = string.digits + string.ascii_uppercase
    codes = ["".join(pair) for pair in product(letters, letters)]
    codes = [code for code in codes if code not in NODES][: max(1, count - len(NODES))]
    sensors: list[Json] = [
        {"Codifier": CACHE, "Type": "jphRedis"},
        {"Codifier": COLLECTOR, "Type": "jphPostgreSQL"},
        {"Codifier": GATEWAY, "Type": "Gateway", "Sensor": {"Port": port}},
        {"Codifier": NODES[-1], "Type": "ControlProgram"},
    ]
    for number, code in enumerate(codes):
        node = codes[number - number % TOGETHER]
        if node == code:
            sensors.append({"Codifier": code, "Type": "Setpoint"})
        else:
            sensors += network.proxies({code: node})
    return network.config(sensors)


def show(rows: Sequence[report.Row]) -> None:
    """Print a table."""
    if rows:
        names = list(dict.fromkeys(name for row in rows for name in row["cores"]))
        cores = [(name, name, "9.1%") for name in names]
        shown = [
            {**row, **row["cores"], "sent_a_second": row["sent"] / row["seconds"]} for row in rows
        ]
        report.table(shown, (*TABLE, *cores), 4)


def judge(rows: Sequence[report.Row]) -> None:
    """Print which aims are met."""
    for row in rows:
        nothing_lost = not row["lost"] and not row["missed"]
        if row["name"] == "all" and row["rate"] == 10:
            reached = row["ours"] < AIM_CORE and row["ping_p99_ms"] < AIM_PING_MS
            print(
                f"at 10 a second: cache, collector and gateway {row['ours']:.2f} of a core (aim "
                f"below {AIM_CORE:g}), {row['lost'] + row['missed']} lost, p99 "
                f"{row['ping_p99_ms']:.1f} ms (aim below {AIM_PING_MS:g}): "
                f"{report.met(nothing_lost and reached)}"
            )
        elif row["name"] == "run" and COLLECTOR in row["cores"]:
            reached = not row["lost"] and row["rows_a_second"] >= 0.95 * COLLECTOR_FLOOD
            print(
                f"one codifier into PostgreSQL: {row['rows_a_second']:,.0f} rows/s committed (aim "
                f"{COLLECTOR_FLOOD:,.0f}), {row['lost']} lost: {report.met(reached)}"
            )
    whole = [r for r in rows if CACHE in r["cores"] and r["name"] == "run" and not r["missed"]]
    if whole:
        most = max(row["sent"] / row["seconds"] for row in whole)
        print(f"into Redis without loss: {most:,.0f} messages/s")


if __name__ == "__main__":
    report.run("scale", __doc__, measure, OPTIONS)
