"""Readings from one process to another, beside other systems: how many, how quickly, to how many.

Each system through its own Python interface, on the loopback interface, with the same reading: 36
bytes with identity, sequence, time and an 8-byte value, taken apart by the subscriber.

    python -m bench.bus [--json FILE] [--rounds 3] [NAME…]

- messages/s: the highest rate at which less than 0.1 % are lost, publisher and subscriber on a core
  each; flat out: what arrives when nobody waits, and what is lost then.
- round trip: publisher to subscriber and back, through the callbacks of both; on a core each, and
  where the scheduler puts them.
- 1 → 8: what eight subscribers together take apart, less than 0.1 % lost.

All systems take turns; figures are medians of the rounds. `docs/bench/bus.md` tells more.
"""

import argparse
import contextlib
import functools
import json
import math
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import report
from bench.peers import servers

ROOT: Final = Path(__file__).resolve().parent.parent
SECONDS: Final = 0.35
TRIPS: Final = 1_000
FAN: Final = 8
MOST_LOST: Final = 0.001
TRIES: Final = 4
SLOWER: Final = 0.88
ANSWER_S: Final = 20.0
CORES: Final = sorted(os.sched_getaffinity(0))
BARE, LIMIT, JPH, COLUMNS, MIXED = "bare", "limit", "jph", "columns", "mixed"
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
    "repairing": System("ours", "JphRepairing", 3_000_000),
    LCM: System("others", "Lcm", 200_000),
    ZENOH: System("others", "Zenoh", 500_000),
    "cyclone": System("others", "Cyclone", 100_000),
    "nats": System("others", "Nats", 200_000, "nats-server"),
    "mqtt": System("others", "Mqtt", 60_000, "mosquitto"),
    "redis": System("others", "Redis", 60_000, "redis-server"),
}

Times = list[float]


class Side:
    """A process that is one side of a system.

    Attributes:
        title: what the system is called; fans: whether it is measured with many subscribers.
    """

    def __init__(self, system: System, near: bool, link: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "bench.peers.worker", system.module, system.name]
        command += ["near" if near else "far", json.dumps(link)]
        environment = {name: text for name, text in os.environ.items() if name != "JPH_INTERFACE"}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.title, self.fans = self.answer()
        except Gone:
            self.close()
            raise

    def begin(self, verb: str, *arguments: float, cores: Sequence[int] = CORES) -> None:
        """Have something done, and return when it has begun."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps((list(cores), verb, arguments)) + "\n")
        self._process.stdin.flush()
        self.answer()

    def answer(self) -> Any:  # noqa: ANN401
        """Wait for the outcome.

        Raises:
            Gone: the process has ended.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise Gone
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Gone(Exception):
    """A process has ended, or does not answer."""


class Flow(NamedTuple):
    """What arrived in a run: messages a second, the part that was lost, processor time for each."""

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
        except Gone:
            self.close()
            raise
        self._stack.callback(side.close)
        return side

    def flow(self, rate: float) -> Flow:
        """Publish for a while, `rate` a second or flat out; return what was taken apart."""
        many = len(self._far)
        count = int((rate or self._system.guess / many) * SECONDS)
        cores = (CORES[:1], CORES[-1:]) if many == 1 else (CORES, CORES)
        for far in self._far:
            far.begin("count", cores=cores[1])
        began_s = time.monotonic()
        self.near.begin("flood", count, rate, cores=cores[0])
        _, near_s = self.near.answer()
        heard = [far.answer() for far in self._far]
        taken = sum(each for (each, _), _ in heard) or math.nan
        took_s = max(last_s for (_, last_s), _ in heard) - began_s
        far_s = sum(used_s for _, used_s in heard)
        lost = max(0.0, 1 - taken / count / many)
        return Flow(taken / took_s, lost, near_s / count, far_s / taken)

    def best(self) -> tuple[Flow, Flow]:
        """Return what flat out brings, and the highest rate that loses next to nothing."""
        flat = found = self.flow(0.0)
        rate = flat.rate / len(self._far)
        for _ in range(TRIES):
            if found.lost < MOST_LOST:
                return flat, found
            rate *= SLOWER
            found = self.flow(rate)
        return flat, found if found.lost < MOST_LOST else Flow(math.nan, found.lost)

    def trips(self, apart: bool) -> Times:
        """Return the seconds of round trips, on a core each or wherever."""
        self._far[0].begin("echo", cores=CORES[-1:] if apart else CORES)
        self.near.begin("ping", TRIPS, cores=CORES[:1] if apart else CORES)
        times: Times = self.near.answer()[0]
        self._far[0].answer()
        return times

    def close(self) -> None:
        """End all."""
        self._stack.close()


class Found:
    """What was found of one system, round by round."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.flat: list[Flow] = []
        self.best: list[Flow] = []
        self.trips: dict[bool, list[Times]] = {True: [], False: []}
        self.fan: list[Flow] = []

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


def main() -> None:
    """Measure, print the table, and say how it compares with what is aimed at."""
    parser = argparse.ArgumentParser(prog="python -m bench.bus", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(SYSTEMS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    names = arguments.names or list(SYSTEMS)
    if unknown := set(names) - SYSTEMS.keys():
        parser.error(f"no such system: {', '.join(sorted(unknown))}")
    found = measure(names, arguments.rounds)
    rows = {name: each.row() for name, each in found.items()}
    show(rows)
    report.keep(arguments.json, "bus", list(rows.values()))


def measure(names: Sequence[str], rounds: int) -> dict[str, Found]:
    """Let all systems take turns."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="jph-bus-"))
        links: dict[str, dict[str, Any]] = {}
        pairs: dict[str, Pair] = {}
        for name in names:
            link = links[name] = new_link()
            try:
                if server := SYSTEMS[name].server:
                    stack.enter_context(servers.running(server, link["tcp"], Path(directory)))
                pairs[name] = Pair(SYSTEMS[name], link)
                stack.callback(pairs[name].close)
            except (Gone, OSError) as error:
                print(f"{name}: skipped, {error or 'it is not installed'}")
        found = {name: Found(pair.title) for name, pair in pairs.items()}
        for _ in range(rounds):
            for name, pair in list(pairs.items()):
                try:
                    one_round(pair, found[name])
                except Gone:
                    print(f"{name}: left out, it does not answer")
                    del pairs[name], found[name]
        fans = [name for name, pair in pairs.items() if pair.fans]
        for pair in pairs.values():
            pair.close()
        for _ in range(rounds):
            for name in fans:
                fan = Pair(SYSTEMS[name], new_link(), FAN)
                try:
                    found[name].fan.append(fan.best()[1])
                finally:
                    fan.close()
    return found


def one_round(pair: Pair, found: Found) -> None:
    """Measure one system once."""
    flat, best = pair.best()
    found.flat.append(flat)
    found.best.append(best)
    for apart, times in found.trips.items():
        times.append(pair.trips(apart))


def new_link() -> dict[str, Any]:
    """Return a group and ports that nobody else uses."""
    ports = {name: free_port() for name in ("port", "near", "far", "tcp")}
    return {"group": "239.255.77.9", "index": 0, **ports}


def show(rows: dict[str, report.Row]) -> None:
    """Print the table, and how ours compares."""
    print(
        f"{'':30}{'messages/s':>12}{'× bare':>8}{'flat out':>12}{'lost':>7}{'cpu ns':>13}"
        f"{'p50 µs':>8}{'p99':>7}{'free p50':>10}{'p99':>7}{'1 → 8 /s':>12}"
    )
    unit = figure(rows, BARE, "messages_per_s")
    for name, row in rows.items():
        rate = figure(rows, name, "messages_per_s")
        print(
            f"{row['name']:30}{rate:12,.0f}{rate / unit:8.1f}"
            f"{row['flat_out_per_s']:12,.0f}{row['flat_out_lost']:7.1%}"
            f"{row['publisher_cpu_ns']:7.0f}{row['subscriber_cpu_ns']:6.0f}"
            f"{row['p50_us']:8.0f}{row['p99_us']:7.0f}"
            f"{row['p50_free_us']:10.0f}{row['p99_free_us']:7.0f}"
            f"{figure(rows, name, 'fan_out_per_s'):12,.0f}"
        )
    for words, found, aim in comparisons(rows):
        print(f"{words}: {found:.2f} (aim {aim})")


def comparisons(rows: dict[str, report.Row]) -> Iterator[tuple[str, float, str]]:
    """Yield what is aimed at: in words, the ratio found, and the one wanted."""
    rate = functools.partial(figure, rows, column="messages_per_s")
    ours = max(rate(JPH), rate(COLUMNS))
    peers = [each for name in rows if name in PEERS and (each := rate(name)) == each]
    fans = figure(rows, JPH, "fan_out_per_s") / figure(rows, ZENOH, "fan_out_per_s")
    yield "messages/s to bare", ours / rate(BARE), "≥ 18"
    yield "messages/s to the fastest peer", ours / max(peers, default=math.nan), "≥ 4"
    yield "messages/s to what sockets can do", ours / rate(LIMIT), "≥ 0.6"
    yield "mixed messages/s to bare", rate(MIXED) / rate(BARE), "≥ 4"
    yield "1 → 8 to zenoh", fans, "≥ 4"
    for words, end in (("a core each", ""), ("wherever", "_free")):
        trip = functools.partial(figure, rows, column=f"p50{end}_us")
        high = figure(rows, JPH, f"p99{end}_us")
        yield f"round trip p50 to bare, {words}", trip(JPH) / trip(BARE), "≤ 1.8"
        yield f"round trip p99 to LCM's p50, {words}", high / trip(LCM), "< 1"


def figure(rows: dict[str, report.Row], name: str, column: str) -> float:
    """Return a figure; nan where there is none."""
    return float(rows.get(name, {}).get(column, math.nan))


def median(values: Iterable[float]) -> float:
    """Return the median; nan if any is missing."""
    found = list(values)
    return math.nan if any(map(math.isnan, found)) else statistics.median(found)


def percentile(times: Sequence[float], percent: int) -> float:
    """Return the smallest of the times that at least `percent` of them do not exceed."""
    ordered = sorted(times)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
