"""Cost of losing nothing: on a lossy network, for one gap, and for each message sent.

Sources and a receiver that requests what is missing run as nodes in this process, on multicast
sockets of the loopback interface. Fault injection (seeded) drops readings, requests and answers.

    delivered/sent, doubled   5 sources × 200 readings/s, at 10 % and 30 % loss in both directions
    overhead                  bytes of requests and answers, for each byte of a reading lost on the
                              bus; UDP payload, and with the 28 bytes of IP and UDP headers
    time to fill              from the reading that shows a gap to the last missing one, in units of
                              the round trip of a bare UDP datagram, measured in between
    resend buffer             messages encoded a second of CPU time: with the resend buffer, and
                              without, and with the resend log (before it is written)

    python -m bench.repair [--seconds 10] [--json FILE]
"""

import argparse
import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from bench.harness import network, report
from bench.harness.timing import median, percentile
from jph.config.model import Network
from jph.node.node import Node
from jph.node.outbox import Outbox
from jph.node.requesting_receiver import RequestingReceiver
from jph.retransmit import Gap
from jph.retransmit.messages import Envelope, Faults
from jph.retransmit.resend_buffer import ResendBuffer
from jph.wire.codec import Dialect, Quality, Reading

SOURCES: Final = ("S1", "S2", "S3", "S4", "S5")
RATE: Final = 200
SECONDS: Final = 10.0
GAPS: Final = {1: 200, 1_000: 40}
"""Messages in a gap, and the number of such gaps."""
LIMIT_S: Final = 30.0
HEADERS: Final = 28
AIM: Final = 1.5


class Source(Node, type="BenchSource"):
    """Sends on command."""


class Keeper(Node, type="BenchKeeper"):
    """Counts every reading it receives."""

    repairs = True

    def __init__(self, codifier: str, network: Network) -> None:
        super().__init__(codifier, network)
        self.kept: Counter[tuple[str, int, int]] = Counter()
        self.lost = 0
        self.arrived = asyncio.Event()
        self.awaited = 0

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Count readings."""
        self.kept.update((r.source, r.epoch, r.sequence) for r in readings)
        if len(self.kept) >= self.awaited:
            self.arrived.set()

    def on_gaps(self, gaps: list[Gap]) -> None:
        """Count what is lost."""
        self.lost += sum(gap.count for gap in gaps)

    @property
    def receiver(self) -> RequestingReceiver:
        """The receiver of the node."""
        assert isinstance(self._receiver, RequestingReceiver)
        return self._receiver

    async def until(self, count: int) -> None:
        """Wait until `count` readings have arrived."""
        self.awaited = count
        self.arrived.clear()
        if len(self.kept) < count:
            await asyncio.wait_for(self.arrived.wait(), LIMIT_S)


def sources_and_keeper() -> Network:
    """Return a network of the sources and the receiver on buses of its own."""
    sensors: list[network.Json] = [
        {"Codifier": code, "Type": "BenchSource", "SensorInterval": 3600} for code in SOURCES
    ]
    return msgspec.convert(
        network.config([*sensors, {"Codifier": "KE", "Type": "BenchKeeper"}]), Network
    )


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[tuple[list[Source], Keeper]]:
    """Run the sources and the receiver for the length of a block."""
    net = sources_and_keeper()
    nodes: list[Any] = [*(Source(code, net) for code in SOURCES), Keeper("KE", net)]
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    while not all(node.bus.data.is_open for node in nodes):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    try:
        yield nodes[:-1], nodes[-1]
    finally:
        for node in nodes:
            node.stop()
        await asyncio.gather(*tasks)


async def lossy(loss: float, seconds: float) -> report.Row:
    """Send for a while through a lossy network; print and return deliveries and overhead."""
    async with running() as (sources, keeper):
        keeper.receiver.inject(
            Faults(Envelope(1, 0, "CC", "KE"), 0, 3600.0, loss=loss, seed=int(loss * 100))
        )
        began_s, sent = time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            while sent < passed_s * RATE:
                for source in sources:
                    source.send(float(sent))
                sent += 1
            await asyncio.sleep(0.001)
        ended_s = time.monotonic()
        total = len(sources) * (sent + 1)
        await keeper.until(total)
        after_s = time.monotonic() - ended_s
        receiver, answers = keeper.receiver, [source._sender.responder for source in sources]
        size = 36.0
        missed = receiver.requester.repaired  # each was lost on the bus and requested
        counts = (receiver.asked, sum(a.answered for a in answers))
        sizes = (receiver.asked_bytes, sum(a.answered_bytes for a in answers))
        bare = sum(sizes) / (missed * size)
        datagrams = counts[0] + sum(a.datagrams for a in answers)
        whole = (sum(sizes) + HEADERS * datagrams) / (missed * (size + HEADERS))
        doubled = sum(count - 1 for count in keeper.kept.values())
        print(
            f"{loss:5.0%}  {len(keeper.kept):>7}/{total:<7} {doubled:>7} {missed:>7} "
            f"{counts[0]:>8} {counts[1]:>8} {bare:>9.2f} {whole:>9.2f} {after_s:>8.1f} s"
        )
        delivered = {"sent": total, "delivered": len(keeper.kept), "doubled": doubled}
        return {"name": f"{loss:.0%} lost", **delivered, "overhead": bare, "on_wire": whole}


async def bare_round_trip(echo: socket.socket, line: socket.socket) -> float:
    """Return the time of a datagram there and back through this loop, s."""
    loop = asyncio.get_running_loop()
    began_s = time.perf_counter()
    await loop.sock_sendto(line, b"x" * 36, echo.getsockname())
    data, sender = await loop.sock_recvfrom(echo, 64)
    await loop.sock_sendto(echo, data, sender)
    await loop.sock_recvfrom(line, 64)
    return time.perf_counter() - began_s


async def fill(gap: int, trials: int) -> report.Row:
    """Drop a run of messages often; print and return the time until the gap was filled."""
    times, trips = [], []
    with contextlib.ExitStack() as stack:
        echo, line = (stack.enter_context(_udp()) for _ in range(2))
        async with running() as (sources, keeper):
            for source in sources:
                source.send(0.0)
            await keeper.until(2 * len(sources))
            for trial in range(trials):
                source = sources[trial % len(sources)]
                trips.append(await bare_round_trip(echo, line))
                drop(source, gap)
                began_s = time.perf_counter()
                source.send(1.0)
                await keeper.until(len(keeper.kept) + gap + 1)
                times.append(time.perf_counter() - began_s)
                # The token bucket of requests fills again: rare gaps are measured.
                await asyncio.sleep(0.15)
    trip_s = median(trips)
    median_s, p99_s = median(times), percentile(times, 99)
    print(
        f"{gap:>6} {trials:>7} {1e6 * trip_s:>9.0f} µs {1e3 * median_s:>8.1f} ms "
        f"{1e3 * p99_s:>8.1f} ms {median_s / trip_s:>9.0f} {p99_s / trip_s:>9.0f}"
    )
    times_ms = {"median_ms": 1e3 * median_s, "p99_ms": 1e3 * p99_s}
    return {"name": f"a gap of {gap} heals", **times_ms, "round_trip_us": 1e6 * trip_s}


def drop(source: Source, count: int) -> None:
    """Number and buffer readings that never reach the bus."""
    for start in range(0, count, 100):
        batch = [(source.codifier, float(n)) for n in range(min(100, count - start))]
        source._sender.outbox.blocks(batch, 5, Quality.GOOD, Dialect.JPH)


def _udp() -> socket.socket:
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    line.setblocking(False)
    line.bind(("127.0.0.1", 0))
    return line


def buffer_cost(batch: int, rounds: int = 15) -> report.Row:
    """Measure the messages encoded a second of CPU time, with and without the resend buffer."""
    readings = [("S1", float(number)) for number in range(batch)]
    rates: dict[str, list[float]] = {"without": [], "ring": [], "ring, journal": []}
    for _ in range(rounds):
        for name, found in rates.items():
            outbox = Outbox("S1", 7, None if name == "without" else ResendBuffer(900, 4 * 2**20))
            outbox.journaled = [] if name == "ring, journal" else None
            calls = 30_000 // batch
            began_s = time.process_time()
            for _ in range(calls):
                outbox.blocks(readings, 5, Quality.GOOD, Dialect.JPH)
            found.append(calls * batch / (time.process_time() - began_s))
    best = {name: max(found) for name, found in rates.items()}
    cells = "  ".join(
        f"{name} {rate:>9,.0f}/s ({rate / best['without'] - 1:+.1%})" for name, rate in best.items()
    )
    print(f"{batch:>5} a call:  {cells}")
    return {"name": f"encoded and kept, {batch} a call", **best}


async def everything(seconds: float) -> list[report.Row]:
    """Measure all three costs."""
    head = "loss delivered/sent  doubled  missed requests  answers"
    print(f"{head}  overhead  on wire  filled after")
    rows = [await lossy(loss, seconds) for loss in (0.1, 0.3)]
    print(f"overhead at 10 % loss is to stay below {AIM}\n")
    print("   gap  trials   round trip      median          p99   median       p99  (round trips)")
    rows += [await fill(gap, trials) for gap, trials in GAPS.items()]
    print("\nmessages encoded and buffered, a second")
    return rows + [buffer_cost(batch) for batch in (1, 10, 100)]


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Measure, without the log lines of lost messages."""
    logging.disable(logging.WARNING)
    return asyncio.run(everything(options.seconds))


if __name__ == "__main__":
    report.run("repair", __doc__, measure, {"seconds": (SECONDS, "of loss, each")})
