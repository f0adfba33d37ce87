"""The buses of a sealed house over real sockets: repair, other listeners, the log channel."""

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from jph.config.model import Network
from jph.net.batches import Address
from jph.net.group_listener import GroupListener
from jph.net.log_channel import LARGEST, LogBusHandler, decode
from jph.node.node import Node
from jph.wire.codec import Reading, encode_data
from jph.wire.columns import decode_readings
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
    assert not source.refused
    assert not keeper.refused


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
