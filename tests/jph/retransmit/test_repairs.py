"""Asking again over real sockets on the loopback interface."""

import asyncio
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jph.config import model as config
from jph.config.model import Network
from jph.node.node import Node
from jph.node.requesting_receiver import RequestingReceiver
from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.legacy import decode_legacy
from jph.retransmit.messages import Envelope, Faults
from jph.retransmit.peers import Outstanding
from jph.retransmit.resend_log import ResendLog
from jph.wire.codec import Control, Reading, decode_data, encode_control, encode_data
from tests.support import LIMIT_S, REPOSITORY, running, until

NetworkMaker = Callable[..., Network]
SOURCE = {"Codifier": "MO", "Type": "Source", "SensorInterval": 60}
KEEPER = {"Codifier": "KE", "Type": "Keeper"}
ELEMENTS = [
    {"Codifier": code, "Type": "Proxy", "Sensor": {"Codifier": "MO"}} for code in ("M1", "M2", "M3")
]


class Source(Node, type="Source"):
    """A node that sends when the test asks."""


class Keeper(Node, type="Keeper"):
    """A node that must not lose."""

    repairs = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.kept: Counter[tuple[str, int, int]] = Counter()
        self.values: list[Any] = []
        self.given_up: list[Gap] = []

    def on_announcement(self, announcement: Reading) -> None:
        self.on_data([announcement])

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.kept.update((r.source, r.epoch, r.sequence) for r in readings)
        self.values += [r.value for r in readings if r.flag != "n"]

    def on_gaps(self, holes: list[Gap]) -> None:
        self.given_up += holes


def faults(seed: int = 1, seconds: float = 60.0, **shares: Any) -> Faults:
    return Faults(Envelope(1, 0, "CC", "KE"), 0, seconds, seed=seed, **shares)


async def send_steadily(source: Node, count: int, codes: tuple[str, ...] = ("MO",)) -> None:
    """Send `count` readings of each code, a few a millisecond."""
    for number in range(count):
        source.send_many([(code, number) for code in codes])
        if number % 10 == 9:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("loss", [0.1, 0.3])
async def test_all_comes_through_loss_in_both_directions(
    network: NetworkMaker, loss: float
) -> None:
    net = network(SOURCE, KEEPER, *ELEMENTS)
    source, keeper = Source("MO", net), Keeper("KE", net)
    codes = ("MO", "M1", "M2", "M3")
    async with running(source, keeper):
        keeper._receiver.inject(faults(loss=loss, duplicate=0.05, reorder=0.05))
        await send_steadily(source, 500, codes)
        await until(lambda: len(keeper.kept) == 4 * 501, 3 * LIMIT_S)
    assert set(keeper.kept.values()) == {1}
    assert Counter(keeper.values) == dict.fromkeys(range(500), 4)
    assert keeper.given_up == []
    assert keeper.data_sequences.lost("MO") == 0


async def test_neither_requests_nor_answers_leave_the_link(network: NetworkMaker) -> None:
    keeper = Keeper("KE", network(SOURCE, KEEPER))
    async with running(keeper):
        private = keeper._receiver._socket  # type: ignore[attr-defined]
        paths = [*keeper.bus.control.senders, *keeper.bus.data.senders, private]
        reach = [each.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) for each in paths]
    assert reach == [1, 1, 1]


async def test_a_plain_request_on_the_bus_is_answered_to_who_asked(
    network: NetworkMaker, ports: tuple[int, int]
) -> None:
    net = network(SOURCE, KEEPER, *ELEMENTS)
    source, keeper = Source("MO", net), Keeper("KE", net)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.setblocking(False)
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        stranger.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")
        )
        async with running(source, keeper):
            await send_steadily(source, 20, ("M1",))
            await until(lambda: len(keeper.kept) == 21)
            (_, epoch, first) = next(iter(keeper.kept))
            number = float((first + 5) % 2**31 * 2**20 + 3)
            request = Control(77, 0, 1, "R", "XX", "M1", 0, number, True)
            stranger.sendto(encode_control(request), ("239.255.91.1", ports[0]))
            loop = asyncio.get_running_loop()
            answers = [
                decode_data(await asyncio.wait_for(loop.sock_recv(stranger, 2048), LIMIT_S))
                for _ in range(3)
            ]
            assert [(r.epoch, r.sequence, r.value) for r in answers] == [
                (epoch, (first + 5 + step) % 2**31, 4 + step) for step in range(3)
            ]
            source._sender.outbox.buffer.tracks["M1"].forget(10)  # type: ignore[union-attr]
            stranger.sendto(encode_control(request), ("239.255.91.1", ports[0]))
            gone = await asyncio.wait_for(loop.sock_recv(stranger, 2048), LIMIT_S)
            assert decode_legacy(gone)[4] == (((first + 1) % 2**31, 9),)
            assert len(gone) == 37, "as plain as it was asked"
    assert len(keeper.kept) == 21, "no other node heard of it"


async def test_many_that_miss_the_same_ask_little(network: NetworkMaker) -> None:
    codes = [f"K{index:X}" for index in range(16)] + ["L0", "L1", "L2", "L3"]
    net = network(SOURCE, *({"Codifier": code, "Type": "Keeper"} for code in codes))
    source, keepers = Source("MO", net), [Keeper(code, net) for code in codes]
    async with running(source, *keepers):
        await send_steadily(source, 10)
        await until(lambda: all(len(keeper.kept) == 11 for keeper in keepers))
        for keeper in keepers:
            keeper._receiver.inject(faults(loss=1.0, seconds=0.05))
        await send_steadily(source, 100)
        await until(lambda: all(keeper._receiver._injector is None for keeper in keepers))
        source.send(1)
        await until(lambda: all(len(keeper.kept) == 112 for keeper in keepers))
        asked = sum(keeper._receiver.asked for keeper in keepers)  # type: ignore[attr-defined]
        assert asked <= 5 * len(keepers), "the first request is challenged"
        assert source._sender.responder.answered <= 2 * 100 * len(keepers)
    assert all(set(keeper.kept.values()) == {1} for keeper in keepers)


async def test_what_a_killed_program_sent_comes_from_its_journal(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    """The program is killed, and started again, while no node listens to what it sent last."""
    settings = {"Journal": {"FlushSeconds": 0.05}}
    path = config_file({**SOURCE, **settings, "SensorInterval": 0.01}, KEEPER)
    net = config.load(str(path))
    keeper = Keeper("KE", net)
    async with running(keeper):
        first = await start_program(path)
        await until(lambda: len(keeper.kept) > 20)
        keeper._receiver.inject(faults(loss=1.0, seconds=1.0))
        journal = tmp_path / "state" / "journal" / "MO"
        size = journaled(journal)
        await until(lambda: journaled(journal) > size + 2_000)
        first.kill()
        await first.wait()
        (epoch,) = {key[1] for key in keeper.kept}
        second = await start_program(path)
        await until(lambda: len({key[1] for key in keeper.kept}) == 2, 3 * LIMIT_S)
        written = ResendLog(journal, 10**9, 1e9)
        written.open()
        oldest = written.began("MO", epoch)
        assert oldest is not None
        held = written.held("MO", epoch, oldest)
        count = sum(end - start for start, end in held)
        await until(lambda: sum(key[1] == epoch for key in keeper.kept) >= count, 3 * LIMIT_S)
        second.kill()
        await second.wait()
    assert count > 50
    assert set(keeper.kept.values()) == {1}
    assert keeper.given_up == []


async def test_a_life_that_nobody_heard_comes_from_the_journal(network: NetworkMaker) -> None:
    """The source starts and ends while the receiver is away; an element speaks only then."""
    net = network({**SOURCE, "Journal": {"FlushSeconds": 0.05}}, KEEPER, *ELEMENTS)
    keeper = Keeper("KE", net)
    async with running(keeper):
        first = Source("MO", net)
        async with running(first):
            await send_steadily(first, 50)
            await until(lambda: len(keeper.kept) == 51)
        keeper._receiver.inject(faults(loss=1.0, seconds=3600.0))
        second = Source("MO", net)
        async with running(second):
            await send_steadily(second, 3_000, ("MO", "M1"))
        keeper._receiver._end_injection(keeper._receiver._injector)  # type: ignore[arg-type]
        third = Source("MO", net)
        async with running(third):
            await send_steadily(third, 50)
            await until(lambda: len(keeper.kept) == 2 * 51 + 2 * 3_001, 3 * LIMIT_S)
    assert set(keeper.kept.values()) == {1}
    assert keeper.given_up == []
    assert Counter(keeper.values)[2_999] == 2


async def test_what_waits_for_the_journal_when_the_node_ends_is_written(
    network: NetworkMaker, tmp_path: Path
) -> None:
    source = Source("MO", network({**SOURCE, "Journal": {"FlushSeconds": 0.02}}))
    done = threading.Event()
    async with running(source):
        source._sender._thread.submit(done.wait, LIMIT_S)
        source.send_many([("MO", number) for number in range(20)])
        await until(lambda: source._sender.outbox.journaled == [])
        threading.Timer(0.2, done.set).start()
    journal = ResendLog(tmp_path / "state" / "journal" / "MO", 10**9, 1e9)
    journal.open()
    (first,) = {track.first for track in source._sender.outbox.buffer.tracks.values()}  # type: ignore[union-attr]
    assert sum(e - s for s, e in journal.held("MO", source._sender.epoch, first)) == 21


async def test_a_receiver_that_knows_one_life_gets_the_others(network: NetworkMaker) -> None:
    net = network({**SOURCE, "Journal": {"FlushSeconds": 0.05}}, KEEPER)
    lives = []
    for count in (30, 40, 50):
        source = Source("MO", net)
        async with running(source):
            await send_steadily(source, count)
        lives.append((source._sender.epoch, source._sender.outbox.buffer.tracks["MO"].first))  # type: ignore[union-attr]
    keeper, source = Keeper("KE", net), Source("MO", net)
    (stored, first), _, _ = lives
    keeper.resume([Checkpoint("MO", stored, (first + 30) % 2**31, last_ms=1)])
    async with running(keeper, source):
        source.send(1)
        await until(lambda: len(keeper.kept) == 41 + 51 + 2, 3 * LIMIT_S)
    assert {key[1] for key in keeper.kept} == {
        *(epoch for epoch, _ in lives[1:]),
        source._sender.epoch,
    }
    assert keeper.given_up == []


async def test_only_who_was_asked_may_answer(network: NetworkMaker) -> None:
    keeper = Keeper("KE", network(SOURCE, KEEPER))
    stray = Reading(5, 77, 1, "i", "MO", "@@", 1, 0, 1)
    async with running(keeper):
        receiver = keeper._receiver
        assert isinstance(receiver, RequestingReceiver)
        assert receiver._socket is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            to = ("127.0.0.1", receiver._socket.getsockname()[1])
            stranger.sendto(encode_data(stray), to)
            await until(lambda: keeper.refused["unasked"] == 1)
            asked = Outstanding("MO", 77, "127.0.0.1", None)
            receiver.requester._peers.ask(asked, ("127.0.0.1", 9), 0.0)
            before = receiver._batches.received
            stranger.sendto(encode_data(stray), to)
            await until(lambda: receiver._batches.received > before)
    assert keeper.refused["unasked"] == 1


async def test_what_the_own_kernel_drops_is_repaired_or_told_as_such(
    network: NetworkMaker,
) -> None:
    net = network({**SOURCE, "Ring": {"Megabytes": 0.004}}, KEEPER)
    source, keeper = Source("MO", net), Keeper("KE", net)
    async with running(source, keeper):
        (readable,) = keeper.bus.data._in
        readable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for number in range(1_000):  # in one turn of the loop: no receiver reads meanwhile
            source.send(number)
        await until(lambda: keeper.kept)
        source.send(1_000)  # the kernel tells of drops with the next that it keeps
        await until(lambda: len(keeper.kept) + lost(keeper) == 1_002)
        assert keeper.bus.data.overflowed > 500
    assert set(keeper.kept.values()) == {1}
    assert {hole.cause for hole in keeper.given_up} == {Cause.OVERFLOW}
    assert len(keeper.kept) > 100, "what the ring kept came again"


def lost(keeper: Keeper) -> int:
    return sum(hole.count for hole in keeper.given_up)


PROGRAM = """
import sys
from jph.config import model as config
from jph.node import program
from jph.node.node import Node
import asyncio

class Source(Node, type="Source"):
    count = 0
    async def on_timer(self, now_ms):
        self.count += 1
        self.send(self.count)

asyncio.run(program.run_nodes([Source("MO", config.load(sys.argv[1]))]))
"""


async def start_program(path: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(path), cwd=REPOSITORY
    )


def journaled(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.journal"))
