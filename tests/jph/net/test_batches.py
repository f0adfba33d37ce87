"""Batches from node to node, with the calls that carry many datagrams and without."""

import asyncio
import bisect
import contextlib
import json
import logging
import random
import socket
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jph.config.model import Network
from jph.net import batches, channel
from jph.net.batches import Batches
from jph.node.node import Node
from jph.wire.codec import Control, Json, Reading, Value
from jph.wire.columns import Readings
from tests.support import REPOSITORY, running, until

NetworkMaker = Callable[..., Network]
FLOOD_S = 300.0


@pytest.fixture(params=["batched", "one call each"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "one call each":
        monkeypatch.setattr(batches, "LINUX", False)
    return str(request.param)


class Ear(Node, type="Ear"):
    """Keeps what it hears, and how it came."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.batches: list[Sequence[Reading]] = []

    def on_announcement(self, announcement: Reading) -> None:
        self.on_data([announcement])

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.batches.append(readings)

    @property
    def readings(self) -> list[Reading]:
        return [r for readings in self.batches for r in readings if r.flag != "n"]


class Keeper(Ear, type="Keeper"):
    """Must not lose anything."""

    repairs = True


class Mouth(Node, type="Mouth"):
    """Sends what the test asks for."""


KINDS: dict[str, type[Node]] = {"EA": Ear, "KE": Keeper, "MO": Mouth}


def house(network: NetworkMaker, *codes: str) -> list[Any]:
    net = network(*({"Codifier": code, "Type": KINDS[code].types[0]} for code in codes))
    return [KINDS[code](code, net) for code in codes]


@pytest.mark.parametrize("code", ["EA", "KE"])
async def test_a_large_batch_arrives_whole_and_in_order(
    network: NetworkMaker, path: str, code: str
) -> None:
    ear, mouth = house(network, code, "MO")
    values = [float(number) for number in range(5_000)]
    async with running(ear, mouth):
        for start in range(0, len(values), 1_000):
            mouth.send_many([("MO", value) for value in values[start : start + 1_000]])
        await until(lambda: len(ear.readings) == len(values))
    assert [reading.value for reading in ear.readings] == values
    assert (ear.data_sequences.lost("MO"), ear.refused) == (0, {})
    assert ear.data_sequences.sources["MO"].received == len(values) + 1
    if path == "batched":
        assert any(isinstance(batch, Readings) for batch in ear.batches)
        assert len(ear.batches) < 500


@pytest.mark.parametrize("code", ["EA", "KE"])
async def test_any_mixture_arrives_in_the_order_of_each_source(
    network: NetworkMaker, path: str, code: str
) -> None:
    ear, mouth = house(network, code, "MO")
    draw = random.Random(3)
    some: list[Value] = [0.5, 3, -4, 2**40, "text", "a longer text", Json('{"value": 1}')]
    sent = [(f"M{draw.randrange(8)}", draw.choice(some)) for _ in range(2_000)]
    async with running(ear, mouth):
        for start in range(0, len(sent), 400):
            mouth.send_many(sent[start : start + 400])
        await until(lambda: len(ear.readings) == len(sent))
    for source in {source for source, _ in sent}:
        said = [str(value) for code, value in sent if code == source]
        assert [str(r.value) for r in ear.readings if r.source == source] == said
        assert ear.data_sequences.lost(source) == 0


async def test_a_lone_reading_is_handed_up_alone_and_at_once(
    network: NetworkMaker, path: str
) -> None:
    ear, mouth = house(network, "EA", "MO")
    async with running(ear, mouth):
        for number in range(20):
            mouth.send(number)
            await until(lambda n=number: len(ear.readings) > n)
    assert [len(batch) for batch in ear.batches[1:]] == [1] * (len(ear.batches) - 1)
    assert [reading.value for reading in ear.readings] == list(range(20))


async def test_what_a_full_buffer_drops_is_counted(network: NetworkMaker, path: str) -> None:
    ear, mouth = house(network, "EA", "MO")
    batch = [("MO", float(number)) for number in range(1_000)]
    async with running(ear, mouth):
        mouth.send_many(batch)
        await until(lambda: len(ear.readings) == 1_000)
        (readable,) = ear.bus.data._in
        readable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(100):
            mouth.send_many(batch)
        readable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        await until(lambda: not _waiting(readable))
        mouth.send_many([("MO", 0.25), ("MO", 0.5)])  # a long loss needs two to be believed
        await until(lambda: ear.readings[-1].value == 0.5)
        came, lost = len(ear.readings), ear.data_sequences.lost("MO")
    assert lost > 50_000
    assert came + lost == 101_002


async def test_what_a_full_buffer_drops_is_asked_again(network: NetworkMaker, path: str) -> None:
    keeper, mouth = house(network, "KE", "MO")
    batch = [("MO", float(number)) for number in range(1_000)]
    async with running(keeper, mouth):
        mouth.send_many(batch)
        await until(lambda: len(keeper.readings) == 1_000)
        (readable,) = keeper.bus.data._in
        readable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(5):
            mouth.send_many(batch)
        await until(lambda: len(keeper.readings) == 6_000)
        assert keeper._receiver.requester.repaired > 1_000
    assert len({reading.sequence for reading in keeper.readings}) == 6_000


async def test_a_ping_is_answered_while_the_data_bus_is_saturated(
    network: NetworkMaker, ports: tuple[int, int]
) -> None:
    """Within 50 ms of the node's own work, that is: other programs may have the processor."""
    (ear,) = house(network, "EA")
    turns: list[tuple[float, float]] = []
    answered: dict[float, float] = {}

    def on_data(readings: Sequence[Reading]) -> None:
        sum(1 for _ in readings)  # takes all, keeps nothing
        turns.append((time.monotonic(), time.thread_time()))

    def on_control(message: Control) -> None:
        if message.flag == "P":  # it has just been answered
            answered[message.number] = time.thread_time()

    ear.on_data, ear.on_control = on_data, on_control
    async with running(ear):
        command = [sys.executable, "-m", "tests.jph.net.flood", *map(str, ports), "20"]
        pipe = asyncio.subprocess.PIPE
        flood = await asyncio.create_subprocess_exec(*command, stdout=pipe, cwd=REPOSITORY)
        try:
            words, _ = await asyncio.wait_for(flood.communicate(), FLOOD_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                flood.kill()
        heard = ear.data_sequences.sources["FL"]
    asked = {float(number): at_s for number, at_s in json.loads(words).items()}
    assert asked.keys() == answered.keys()
    assert len(asked) == 20

    def worked_s(number: float) -> float:
        """Return how long the node worked from the question to its answer."""
        before = bisect.bisect(turns, (asked[number], 0.0)) - 1
        return answered[number] - turns[max(before, 0)][1]

    assert sorted(map(worked_s, asked))[4] < 0.05
    assert heard.received > 20_000


class Endless:
    """A socket in which a batch always waits."""

    def recvmsg_into(self, buffers: list[memoryview], *_: int) -> tuple[int, list[Any], int, Any]:
        size = 36 * 64
        buffers[0][:size] = bytes(size)
        gro = (socket.IPPROTO_UDP, 104, (36).to_bytes(4, sys.byteorder))
        return size, [gro], 0, ("127.0.0.1", 5)


def test_a_turn_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("jph.net.batches.time.monotonic", lambda: now_s[0])
    taken: list[int] = []

    def receive(batch: memoryview, size: int, sender: tuple[str, int]) -> None:
        taken.append(len(batch))
        now_s[0] += 0.002  # a slow kind

    Batches(socket.AF_INET).read(Endless(), receive)  # type: ignore[arg-type]
    assert now_s[0] - 100.0 <= 0.010
    assert max(taken) <= 2 * 65_536
    assert sum(taken) > 36 * 64


async def test_a_small_receive_buffer_is_told(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "prepare", lambda opened: batches.prepare(opened) and 212_992)
    caplog.set_level(logging.INFO)
    (ear,) = house(network, "EA")
    async with running(ear):
        assert ear.bus.data.receive_buffer == 212_992
    assert "net.core.rmem_max" in caplog.text


def _waiting(readable: socket.socket) -> bool:
    try:
        return bool(readable.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except BlockingIOError:
        return False
