"""jph through its public interface: two nodes, each with its hooks."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from string import ascii_uppercase, digits
from typing import Any

import msgspec

from bench.harness import network
from bench.peers import CHUNK, FIRST_S, IDLE_S, Heard, Link, Peer, paced
from jph.config.model import Network
from jph.node.node import Node
from jph.wire.codec import Json, Reading, Value
from jph.wire.columns import Readings

_SOURCES = tuple(f"{row}{column}" for row in "BCDGHIJKLM" for column in digits + ascii_uppercase)


class Near(Node, type="BenchNear"):
    """Publishes."""


class Asker(Near, type="BenchAsker"):
    """Asks, and asks again when it has the answer."""

    times: list[float]

    def begin(self, trips: int) -> asyncio.Future[None]:
        """Ask for the first time."""
        self.times, self.trips = [], trips
        self.done = asyncio.get_running_loop().create_future()
        self.began_s = time.perf_counter()
        self.send(0.5)
        return self.done

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Ask again."""
        if readings[-1].source != "F0":
            return
        self.times.append(time.perf_counter() - self.began_s)
        if len(self.times) < self.trips:
            self.began_s = time.perf_counter()
            self.send(0.5)
        elif not self.done.done():
            self.done.set_result(None)


class Far(Node, type="BenchFar"):
    """Takes each reading as it is handed up; answers."""

    heard = 0
    answers = False
    last_s = 0.0

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Look at each reading."""
        if self.answers:
            if readings[-1].source == "NE":
                self.send(readings[-1].value)
                self.heard += 1
            return
        self.look(readings)
        self.heard += len(readings)
        self.last_s = time.monotonic()

    def look(self, readings: Sequence[Reading]) -> None:
        """Take identity, sequence, time and value of each."""
        for reading in readings:
            _, _, _, _, _, _, _, _, _ = reading


class FarByColumns(Far, type="BenchColumns"):
    """Takes the columns, where there are any."""

    def look(self, readings: Sequence[Reading]) -> None:
        """Take sequence, time and value of each; the identity is the same for all."""
        if isinstance(readings, Readings):
            columns = readings.sequences, readings.timestamps_ms(), readings.values()
            for _, _, _ in zip(*columns, strict=True):
                pass
        else:
            super().look(readings)


class FarRepairing(Far, type="BenchRepairing"):
    """Requests what it lost."""

    repairs = True


class Jph(Peer):
    """Readings of one element, by `send_many`; a loop over `on_data`'s readings."""

    title = "jph"
    fans = True
    far: type[Far] = Far
    settle_s = 0.0

    def __init__(self, link: Link, near: bool) -> None:
        super().__init__(link, near)
        self._runner = asyncio.Runner()
        self._kind: type[Node] | None = None
        self.node: Any = None
        self._task: asyncio.Task[None] | None = None
        self._become(Near if near else self.far)

    def _become(self, kind: type[Node] | None) -> None:
        """Run a node of this kind, or none."""
        if kind is not self._kind:
            self._runner.run(self._change(kind))

    async def _change(self, kind: type[Node] | None) -> None:
        if self._task is not None:
            self.node.stop()
            await self._task
        self._kind = kind
        if kind is not None:
            codifier = "NE" if self.near else f"F{self.link['index']}"
            self.node = kind(codifier, self.network())
            self._task = asyncio.create_task(self.node.run())
            while not self.node.bus.data.is_open:  # noqa: ASYNC110 - as any program would
                await asyncio.sleep(0.01)

    async def _settle(self) -> None:
        """Answer the questions of the other node: a flood leaves the loop no turn."""
        if self.settle_s:
            self.node.alive()
            await asyncio.sleep(self.settle_s)

    def network(self) -> Network:
        """Return the config of both nodes."""
        return _network(self.link)

    def batches(self) -> list[list[tuple[str, Value]]]:
        """Return the batches that are sent in a loop."""
        return [[("NE", float(number)) for number in range(CHUNK)]]

    def flood(self, count: int, rate: float) -> None:
        """Publish as many a call as an application would have."""
        self._become(Near)
        self._runner.run(self._flood(count, rate))

    async def _flood(self, count: int, rate: float) -> None:
        await self._settle()
        batches, send = cycle(self.batches()), self.node.send_many
        paced(count, rate, CHUNK, lambda _, some: send(islice(next(batches), some)))

    def count(self) -> Heard:
        """Count until no reading arrives any more."""
        return self._runner.run(self._count())

    async def _count(self) -> Heard:
        assert isinstance(self.node, Far)
        self.node.heard = 0
        limit_s = time.monotonic() + FIRST_S
        while time.monotonic() < limit_s:
            before = self.node.heard
            await asyncio.sleep(IDLE_S)
            if before and self.node.heard == before:
                break
        return Heard(self.node.heard, self.node.last_s)

    def echo(self) -> None:
        """Answer until no reading arrives any more."""
        assert isinstance(self.node, Far)
        self.node.answers = True
        self._runner.run(self._count())
        self.node.answers = False

    def ping(self, trips: int) -> list[float]:
        """Measure round trips with a node that receives data."""
        self._become(Asker)
        return self._runner.run(self._ping(trips))

    async def _ping(self, trips: int) -> list[float]:
        assert isinstance(self.node, Asker)
        await self._settle()
        await asyncio.wait_for(self.node.begin(trips), 2 * FIRST_S)
        return self.node.times

    def close(self) -> None:
        """End the node."""
        self._become(None)
        self._runner.close()


class JphColumns(Jph):
    """The same, where the subscriber reads columns."""

    title = "jph, read by columns"
    fans = False
    far = FarByColumns


class JphSealed(JphColumns):
    """The same in a sealed house that demands frames; the subscriber reads columns."""

    title = "jph, sealed, read by columns"
    settle_s = 0.5
    _state: tempfile.TemporaryDirectory[str] | None = None

    def network(self) -> Network:
        """Return the config of a sealed house; both processes derive the same keys."""
        # Imported here: the other rows have no cipher in their memory.
        from bench.harness.sealed import sealed

        if self._state is None:
            self._state = tempfile.TemporaryDirectory(prefix="jph-seal-")
        return sealed(super().network(), Path(self._state.name))


class JphRepairing(Jph):
    """The same, with a subscriber that requests missing readings, as the collector does."""

    title = "jph, asking for what is lost"
    fans = False
    far = FarRepairing


class JphMixed(Jph):
    """Any of 360 sources, any flag; one in ten is text or JSON."""

    title = "jph, mixed"
    fans = False

    def batches(self) -> list[list[tuple[str, Value]]]:
        """Return readings that differ in all."""
        draw = Random(7)
        values: list[Value] = [0.5, 3, -4, 2**40, Json('{"value": 1}'), "text", "a longer text"]
        weights = [30, 30, 15, 15, 4, 3, 3]
        return [
            [(draw.choice(_SOURCES), value) for value in draw.choices(values, weights, k=CHUNK)]
            for _ in range(20)
        ]


def _network(link: Link) -> Network:
    sensors: list[dict[str, Any]] = [
        {"Codifier": "NE", "Type": "BenchNear"},
        *({"Codifier": f"F{number}", "Type": "BenchFar"} for number in range(8)),
    ]
    config = network.config(sensors)
    for name, port in (("Control-Channel", "near"), ("Data-Channel", "port")):
        config["Multicast"][name] = {"Address": link["group"], "Port": link[port]}
    return msgspec.convert(config, Network)
