"""Readings from one process to another, beside other systems: rate, round trip, fan-out.

Each system through its own Python interface, on the loopback interface, with the same reading: 36
bytes with identity, sequence, time and an 8-byte value, decoded by the subscriber.

    python -m bench.bus [--json FILE] [--rounds 3] [NAME…]

- messages/s: the highest rate at which less than 0.1 % are lost, publisher and subscriber on a core
  each; flat out: the rate that arrives without pacing, and the share that is lost then.
- round trip: publisher to subscriber and back, through the callbacks of both; on a core each, and
  where the scheduler places them.
- 1 → 8: what eight subscribers decode together, less than 0.1 % lost.

All systems take turns; figures are medians of the rounds. See `docs/bench/bus.md`.
"""

import argparse
import contextlib
import functools
import json
import math
import os
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.harness import report
from bench.harness.network import free_port
from bench.harness.processes import program
from bench.harness.timing import median, percentile
from bench.peers import servers

ROUNDS: Final = 3
SECONDS: Final = 0.35
TRIPS: Final = 1_000
FAN: Final = 8
LOSS_LIMIT: Final = 0.001
TRIES: Final = 4
SLOWER: Final = 0.88
ANSWER_LIMIT_S: Final = 20.0
CORES: Final = sorted(os.sched_getaffinity(0))
BARE, LIMIT, JPH, COLUMNS, MIXED = "bare", "limit", "jph", "columns", "mixed"
SEALED: Final = "sealed"
LCM, ZENOH = "lcm", "zenoh"
PEERS: Final = (LCM, ZENOH, "cyclone", "nats", "mqtt", "redis")


class System(NamedTuple):
    """An adapter, about how many messages a second it carries, and the server that it needs."""

    module: str
    name: str
    guess: int
    server: str = ""


SYSTEMS: Final = {
    BARE: System("bare", "Bare", 200_000),
    LIMIT: System("bare", "Batched", 5_000_000),
    JPH: System("ours", "Jph", 3_500_000),
    COLUMNS: System("ours", "JphColumns", 4_000_000),
    MIXED: System("ours", "JphMixed", 800_000),
    SEALED: System("ours", "JphSealed", 2_000_000),
    "repairing": System("ours", "JphRepairing", 3_000_000),
    LCM: System("others", "Lcm", 200_000),
    ZENOH: System("others", "Zenoh", 500_000),
    "cyclone": System("others", "Cyclone", 100_000),
    "nats": System("others", "Nats", 200_000, "nats-server"),
    "mqtt": System("others", "Mqtt", 60_000, "mosquitto"),
    "redis": System("others", "Redis", 60_000, "redis-server"),
}
TABLE: Final = (
    ("messages_per_s", "messages/s", "12,.0f"),
    ("to_bare", "× bare", "8.1f"),
    ("flat_out_per_s", "flat out", "12,.0f"),
    ("flat_out_lost", "lost", "7.1%"),
    ("publisher_cpu_ns", "cpu ns", "7.0f"),
    ("subscriber_cpu_ns", "", "6.0f"),
    ("p50_us", "p50 µs", "8.0f"),
    ("p99_us", "p99", "7.0f"),
    ("p50_free_us", "free p50", "10.0f"),
    ("p99_free_us", "p99", "7.0f"),
    ("fan_out_per_s", "1 → 8 /s", "12,.0f"),
)


class NoAnswer(Exception):
    """A process has ended or does not answer."""


class Side:
    """A process that is one side of a system.

    Attributes:
        title: name of the system; fans: whether it is measured with many subscribers.
    """

    def __init__(self, system: System, near: bool, link: dict[str, Any]) -> None:
        self._stack = contextlib.ExitStack()
        side = ["near" if near else "far", json.dumps(link)]
        command = ["-m", "bench.peers.worker", system.module, system.name, *side]
        running = program(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child = self._stack.enter_context(running)
        assert child.stdin is not None
        assert child.stdout is not None
        self._in, self._out = child.stdin, child.stdout
        try:
            self.title, self.fans = self.answer()
        except NoAnswer:
            self.close()
            raise

    def start(self, verb: str, *arguments: float, cores: Sequence[int] = CORES) -> None:
        """Start a task, and return when it has started."""
        self._in.write(json.dumps((list(cores), verb, arguments)) + "\n")
        self._in.flush()
        self.answer()

    def answer(self) -> Any:  # noqa: ANN401
        """Wait for the outcome.

        Raises:
            NoAnswer: the process has ended.
        """
        ready, _, _ = select.select([self._out], [], [], ANSWER_LIMIT_S)
        line = self._out.readline() if ready else ""
        if not line:
            raise NoAnswer
        return json.loads(line)

    def close(self) -> None:
        """Stop the process."""
        self._stack.close()


class Flow(NamedTuple):
    """Result of a run: messages a second, share lost, CPU seconds a message on both sides."""

    rate: float
    lost: float
    near_s: float = math.nan
    far_s: float = math.nan


class Pair:
    """A publisher and its subscribers."""

    def __init__(self, system: System, link: dict[str, Any], subscribers: int = 1) -> None:
        self._system = system
        self._stack = contextlib.ExitStack()
        self.near = self._side(True, link)
        self._far = [self._side(False, link | {"index": index}) for index in range(subscribers)]
        self.title, self.fans = self.near.title, self.near.fans

    def _side(self, near: bool, link: dict[str, Any]) -> Side:
        try:
            side = Side(self._system, near, link)
        except NoAnswer:
            self.close()
            raise
        self._stack.callback(side.close)
        return side

    def flow(self, rate: float) -> Flow:
        """Publish for a while, `rate` a second or without pacing (0); return what was decoded."""
        many = len(self._far)
        count = int((rate or self._system.guess / many) * SECONDS)
        cores = (CORES[:1], CORES[-1:]) if many == 1 else (CORES, CORES)
        for far in self._far:
            far.start("count", cores=cores[1])
        started_s = time.monotonic()
        self.near.start("flood", count, rate, cores=cores[0])
        _, near_s = self.near.answer()
        heard = [far.answer() for far in self._far]
        taken = sum(each for (each, _), _ in heard) or math.nan
        took_s = max(last_s for (_, last_s), _ in heard) - started_s
        far_s = sum(used_s for _, used_s in heard)
        lost = max(0.0, 1 - taken / count / many)
        return Flow(taken / took_s, lost, near_s / count, far_s / taken)

    def best(self) -> tuple[Flow, Flow]:
        """Return the unpaced run, and the run with the highest rate that loses almost nothing."""
        flat = found = self.flow(0.0)
        rate = flat.rate / len(self._far)
        for _ in range(TRIES):
            if found.lost < LOSS_LIMIT:
                return flat, found
            rate *= SLOWER
            found = self.flow(rate)
        return flat, found if found.lost < LOSS_LIMIT else Flow(math.nan, found.lost)

    def trips(self, apart: bool) -> list[float]:
        """Return the seconds of round trips, on a core each or on any core."""
        self._far[0].start("echo", cores=CORES[-1:] if apart else CORES)
        self.near.start("ping", TRIPS, cores=CORES[:1] if apart else CORES)
        times: list[float] = self.near.answer()[0]
        self._far[0].answer()
        return times

    def close(self) -> None:
        """Stop all processes."""
        self._stack.close()


class SystemResults:
    """The results of one system, round by round."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.flat: list[Flow] = []
        self.best: list[Flow] = []
        self.trips: dict[bool, list[list[float]]] = {True: [], False: []}
        self.fan: list[Flow] = []

    def add(self, pair: Pair) -> None:
        """Measure one round."""
        flat, best = pair.best()
        self.flat.append(flat)
        self.best.append(best)
        for apart, times in self.trips.items():
            times.append(pair.trips(apart))

    def row(self) -> report.Row:
        """Return the medians."""
        row: report.Row = {"name": self.title}
        row["messages_per_s"] = median(flow.rate for flow in self.best)
        row["flat_out_per_s"] = median(flow.rate for flow in self.flat)
        row["flat_out_lost"] = median(flow.lost for flow in self.flat)
        row["publisher_cpu_ns"] = 1e9 * median(flow.near_s for flow in self.flat)
        row["subscriber_cpu_ns"] = 1e9 * median(flow.far_s for flow in self.flat)
        for apart, end in ((True, ""), (False, "_free")):
            for percent in (50, 99):
                name = f"p{percent}{end}_us"
                row[name] = 1e6 * median(percentile(each, percent) for each in self.trips[apart])
        if self.fan:
            row["fan_out_per_s"] = median(flow.rate for flow in self.fan)
        return {name: value for name, value in row.items() if value == value}


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Let all systems take turns; print the table and the comparison."""
    with contextlib.ExitStack() as stack:
        pairs = dict(_pairs(options.names or list(SYSTEMS), stack))
        found = {name: SystemResults(pair.title) for name, pair in pairs.items()}
        for _ in range(options.rounds):
            for name, pair in list(pairs.items()):
                try:
                    found[name].add(pair)
                except NoAnswer:
                    print(f"{name}: left out, it does not answer")
                    del pairs[name], found[name]
        fans = [name for name, pair in pairs.items() if pair.fans]
        for pair in pairs.values():
            pair.close()
        for _ in range(options.rounds):
            for name in fans:
                with contextlib.closing(Pair(SYSTEMS[name], new_link(), FAN)) as fan:
                    found[name].fan.append(fan.best()[1])
    rows = {name: each.row() for name, each in found.items()}
    unit = figure(rows, BARE, "messages_per_s")
    shown = [
        {**row, "to_bare": row.get("messages_per_s", math.nan) / unit} for row in rows.values()
    ]
    report.table(shown, TABLE)
    for words, ratio, aim in comparisons(rows):
        print(f"{words}: {ratio:.2f} (aim {aim})")
    return list(rows.values())


def _pairs(names: Sequence[str], stack: contextlib.ExitStack) -> Iterator[tuple[str, Pair]]:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jph-bus-")))
    for name in names:
        system, link = SYSTEMS[name], new_link()
        try:
            if system.server:
                stack.enter_context(servers.running(system.server, link["tcp"], directory))
            pair = Pair(system, link)
        except (NoAnswer, OSError) as error:
            print(f"{name}: skipped, {error or 'it is not installed'}")
        else:
            stack.callback(pair.close)
            yield name, pair


def new_link() -> dict[str, Any]:
    """Return a group and free ports."""
    ports = {name: free_port(socket.SOCK_DGRAM) for name in ("port", "near", "far", "tcp")}
    return {"group": "239.255.77.9", "index": 0, **ports}


def comparisons(rows: dict[str, report.Row]) -> Iterator[tuple[str, float, str]]:
    """Yield each aim: its words, the ratio found, and the ratio wanted."""
    rate = functools.partial(figure, rows, column="messages_per_s")
    ours = max(rate(JPH), rate(COLUMNS))
    peers = [each for name in rows if name in PEERS and (each := rate(name)) == each]
    fans = figure(rows, JPH, "fan_out_per_s") / figure(rows, ZENOH, "fan_out_per_s")
    yield "messages/s to bare", ours / rate(BARE), "≥ 18"
    yield "messages/s to the fastest peer", ours / max(peers, default=math.nan), "≥ 4"
    yield "messages/s to what sockets can do", ours / rate(LIMIT), "≥ 0.6"
    yield "mixed messages/s to bare", rate(MIXED) / rate(BARE), "≥ 4"
    yield "1 → 8 to zenoh", fans, "≥ 4"
    yield "sealed messages/s to zenoh", rate(SEALED) / rate(ZENOH), "≥ 2"
    trips = figure(rows, SEALED, "p50_us") / figure(rows, COLUMNS, "p50_us")
    yield "sealed round trip p50 to the open one, a core each", trips, "≤ 1.5"
    for words, end in (("a core each", ""), ("any core", "_free")):
        trip = functools.partial(figure, rows, column=f"p50{end}_us")
        high = figure(rows, JPH, f"p99{end}_us")
        yield f"round trip p50 to bare, {words}", trip(JPH) / trip(BARE), "≤ 1.8"
        yield f"round trip p99 to LCM's p50, {words}", high / trip(LCM), "< 1"


def figure(rows: dict[str, report.Row], name: str, column: str) -> float:
    """Return a figure; NaN where there is none."""
    return float(rows.get(name, {}).get(column, math.nan))


if __name__ == "__main__":
    names = (list(SYSTEMS), f"systems, of: {', '.join(SYSTEMS)}")
    report.run("bus", __doc__, measure, {"names": names, "rounds": (ROUNDS, "of all systems")})
