"""The buses of a sealed house over real sockets: repair, other listeners, the log channel."""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest

from jph.config.model import Network
from jph.net.batches import Address
from jph.net.group_listener import GroupListener
from jph.net.log_channel import LARGEST, LogBusHandler, decode
from jph.node.node import Node
from jph.retransmit.messages import Envelope, Faults, encode_unicast
from jph.wire.codec import Control, Reading, encode_control, encode_data
from jph.wire.columns import decode_readings
from jph.wire.edits import DocumentEdit, encode_edit
from tests.jph.retransmit.test_repairs import (
    ELEMENTS,
    KEEPER,
    SOURCE,
    Keeper,
    Source,
    faults,
    send_steadily,
)
from tests.jph.seal.sealedhouse import sealed
from tests.support import LIMIT_S, fail, running, until

NetworkMaker = Callable[..., Network]


@pytest.mark.parametrize("loss", [0.1, 0.3])
async def test_nothing_is_lost_and_nothing_arrives_twice(
    network: NetworkMaker, loss: float
) -> None:
    net = sealed(network(SOURCE, KEEPER, *ELEMENTS))
    source, keeper = Source("MO", net), Keeper("KE", net)
    async with running(source, keeper):
        keeper._receiver.inject(faults(loss=loss, duplicate=0.05, reorder=0.05))
        await send_steadily(source, 300, ("MO", "M1", "M2", "M3"))
        await until(lambda: len(keeper.kept) == 4 * 301, 3 * LIMIT_S)
    assert set(keeper.kept.values()) == {1}
    assert Counter(keeper.values) == dict.fromkeys(range(300), 4)
    assert keeper.given_up == []
    # What was on its way when its sender was not trusted yet may be refused; it is repeated.
    assert {*source.refused, *keeper.refused} <= {"early", "unfresh"}


async def test_a_listener_beside_a_node_hears_and_forged_readings_do_not_pass(
    network: NetworkMaker,
) -> None:
    net = sealed(network(SOURCE, KEEPER))
    source, keeper = Source("MO", net), Keeper("KE", net)
    heard: list[Reading] = []

    def take(batch: memoryview, size: int, sender: Address) -> None:
        heard.extend(decode_readings(batch, size, fail))

    async with running(keeper, source):
        listener = GroupListener(net.multicast.data, net.multicast, take)
        task = asyncio.create_task(listener.run())
        await until(lambda: listener.joined)
        forge(net, encode_data(Reading(1, 7, 1, "d", "MO", "@@", 1, 0, 9.9)))
        source.send_many([("MO", float(n)) for n in range(100)])
        await until(lambda: len(heard) == 101)
        await until(lambda: len(keeper.kept) == 101)
        assert 9.9 not in [reading.value for reading in heard]
        await until(lambda: keeper.refused["open"])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_log_lines_are_sealed(network: NetworkMaker, ports: tuple[int, int]) -> None:
    log = {"Address": "239.255.91.3", "Port": ports[1]}
    net = sealed(network(SOURCE, KEEPER, Multicast={"Log-Channel": log}))
    assert net.multicast.log is not None
    source, keeper = Source("MO", net), Keeper("KE", net)
    texts: list[str] = []

    def take(batch: memoryview, size: int, sender: Address) -> None:
        texts.append(decode(batch[:LARGEST]).text)

    handler = LogBusHandler(net.multicast, host="attic")
    async with running(keeper, source):
        listener = GroupListener(net.multicast.log, net.multicast, take)
        task = asyncio.create_task(listener.run())
        await until(lambda: listener.joined)
        forge(
            net,
            b'{"jph": "log", "n": 1, "time": 1, "code": "MO", "level": "INFO","text": "forged"}',
            "log",
        )
        handler.handle(logging.LogRecord("jph", logging.INFO, "", 1, "true", None, None))
        await until(lambda: texts)
        assert texts == ["true"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    handler.close()


async def test_a_node_with_an_older_roster_reads_its_config_again(network: NetworkMaker) -> None:
    old = sealed(network({**SOURCE, "KeepAliveInterval": 0.2}, KEEPER))
    assert old.roster is not None
    new = msgspec.structs.replace(
        old, roster=msgspec.structs.replace(old.roster, serial=old.roster.serial + 1)
    )
    reloaded: list[str] = []

    async def reload() -> Network:
        reloaded.append("MO")
        return new

    source: Node = Source("MO", old, reload)
    keeper = Keeper("KE", new)
    async with running(source, keeper):
        await until(lambda: reloaded)
        await until(lambda: source.network is new)
        assert keeper.refused["serial"] >= 1
        source.send(1.0)
        await until(lambda: keeper.values == [1.0])


def forge(network: Network, datagram: bytes, channel: str = "data") -> None:
    """Send a datagram to a group as a stranger on the machine."""
    endpoint: Any = getattr(network.multicast, channel)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        out.sendto(datagram, (endpoint.address, endpoint.port))


class Edited(Keeper, type="Edited"):
    """A keeper with a document."""

    edits: list[DocumentEdit]

    def on_edit(self, edit: DocumentEdit) -> None:
        self.edits.append(edit)


class Attack(NamedTuple):
    """A house under attack: its nodes, and a stranger's socket."""

    network: Network
    source: Source
    keeper: Edited
    stranger: socket.socket

    def unicast(self, node: Node, datagram: bytes) -> None:
        """Send a datagram to a node's own address."""
        host, port = node.bus.control.senders[0].getsockname()[:2]
        self.stranger.sendto(datagram, (host, port))


async def forged_reading(attack: Attack) -> bool:
    """A reading of the true epoch, dated as the attacker likes, in the place of the next one."""
    await until(lambda: attack.keeper.values)
    (_, epoch, sequence) = list(attack.keeper.kept)[-1]
    following = Reading((sequence + 1) % 2**31, epoch, 1, "d", "MO", "@@", 1, 0, 9876.0)
    forge(attack.network, encode_data(following))
    return await settled(attack, lambda: 9876.0 in attack.keeper.values)


async def forged_halt(attack: Attack) -> bool:
    """`H`, and the start `S` that is to follow."""
    halt = Control(1, 7, 1_790_000_000_000, "H", "CC", "MO", 1, 0.0, True)
    forge(attack.network, encode_control(halt), "control")
    return await settled(attack, lambda: not attack.source.active)


async def forged_faults(attack: Attack) -> bool:
    """An order to lose all readings."""
    envelope = Envelope(1, 0, "CC", "KE")
    epoch = attack.keeper._sender.epoch
    attack.unicast(attack.keeper, encode_unicast(Faults(envelope, epoch, 60.0, loss=1.0)))
    return await settled(attack, lambda: attack.keeper._receiver._injector)


async def forged_edit(attack: Attack) -> bool:
    """An edit of a document."""
    edit = DocumentEdit(1, 1, "CC", "KE", "x", "put", {})
    attack.unicast(attack.keeper, encode_edit(edit))
    return await settled(attack, lambda: attack.keeper.edits)


async def request_of_a_stranger(attack: Attack) -> bool:
    """A request to resend: its answer tells what the house measured."""
    await until(lambda: attack.keeper.values)
    (_, _, sequence) = next(iter(attack.keeper.kept))
    request = Control(7, 0, 1, "R", "XX", "MO", 0, float(sequence * 2**20 + 2), True)
    end = attack.network.multicast.control
    attack.stranger.sendto(encode_control(request), (end.address, end.port))
    answers: list[bytes] = []

    def answered() -> bool:
        with contextlib.suppress(BlockingIOError):
            answers.append(attack.stranger.recv(2048))
        return bool(answers)

    return await settled(attack, answered)


async def settled(attack: Attack, effect: Callable[[], object]) -> bool:
    """Wait until an attack had its effect, or was refused; return whether it had."""
    nodes = (attack.source, attack.keeper)
    await until(lambda: effect() or any(node.refused["open"] for node in nodes))
    return bool(effect())


ATTACKS = [forged_reading, forged_halt, forged_faults, forged_edit, request_of_a_stranger]


@pytest.mark.parametrize("mode", ["open", "demand"])
@pytest.mark.parametrize("succeeds", ATTACKS, ids=lambda attack: attack.__name__)
async def test_an_attack_succeeds_in_an_open_house_and_fails_in_a_sealed_one(
    network: NetworkMaker, succeeds: Callable[[Attack], Any], mode: str
) -> None:
    document = {**KEEPER, "Control": "enabled"}
    net = network(SOURCE, document, Drill=True)
    net = sealed(net) if mode == "demand" else net
    source, keeper = Source("MO", net), Edited("KE", net)
    keeper.edits = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        loopback = socket.inet_aton("127.0.0.1")
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        stranger.setblocking(False)
        async with running(keeper, source):
            if keeper.seal is not None:  # what leaves before may be refused
                start = "MO", source._sender.epoch
                await until(lambda: keeper.seal and keeper.seal.opener.trusts(start))
            source.send(1.0)
            attack = Attack(net, source, keeper, stranger)
            assert await succeeds(attack) is (mode == "open")
            if mode == "demand":
                assert source.refused["open"] + keeper.refused["open"] >= 1


async def test_a_foreign_house_on_the_same_groups_is_refused(network: NetworkMaker) -> None:
    """Even if it has stolen the keys of a node: it does not have the key of the house."""
    ours, theirs = sealed(network(SOURCE, KEEPER)), sealed(network(SOURCE, KEEPER))
    source, keeper, foreign = Source("MO", ours), Keeper("KE", ours), Source("MO", theirs)
    async with running(keeper, source, foreign):
        foreign.send(9876.0)
        source.send(1.0)
        await until(lambda: keeper.values == [1.0])
        await until(lambda: keeper.refused["key"])
        foreign.send(9876.0)
        source.send(2.0)
        await until(lambda: keeper.values == [1.0, 2.0])


@pytest.mark.parametrize("mode", ["demand", "watch"])
async def test_original_programs_hear_readings_as_ever_and_no_frame(
    network: NetworkMaker, ports: tuple[int, int], mode: Any
) -> None:
    """In a mixed house frames have groups of their own."""
    groups = {"Dialect": "multi-sensor"}
    net = sealed(network(SOURCE, KEEPER, Multicast=groups, Open=["OR"]), mode)
    source, keeper = Source("MO", net), Keeper("KE", net)
    flags: list[str] = []

    def original(batch: memoryview, size: int, sender: Address) -> None:
        flags.extend(chr(batch[at + 16]) for at in range(0, len(batch), size))

    listener = GroupListener(net.multicast.data, net.multicast, original)  # no seal yet
    task = asyncio.create_task(listener.run())
    await until(lambda: listener.joined)
    async with running(keeper, source):
        source.send(1.5)
        await until(lambda: keeper.values == [1.5])
        await until(lambda: "f" in flags)
        assert set(flags) == {"n", "f"}
        forge(net, encode_data(Reading(1, 7, 1, "f", "OR", "@@", 0, 0, 4.0)))
        await until(lambda: keeper.values == [1.5, 4.0])
        if mode == "demand":
            forge(net, encode_data(Reading(1, 7, 1, "f", "MO", "@@", 0, 0, 9.0)))
            forge(net, encode_data(Reading(2, 7, 1, "f", "OR", "@@", 0, 0, 5.0)))
            source.send(2.5)
            await until(lambda: {5.0, 2.5} <= set(keeper.values))
            assert 9.0 not in keeper.values
        assert len(keeper.values) == len(set(keeper.values))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
