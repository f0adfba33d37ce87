"""The sockets of a node are closed on every path: a failing kind, a cancellation, half a bus."""

import asyncio
from collections.abc import Callable

import pytest

from jph.config.model import Network
from jph.errors import BusError, JphError
from jph.net.bus import Bus
from jph.net.channel import Channel
from jph.node.node import Node
from tests.support import running, until

NetworkMaker = Callable[..., Network]
SENSORS = [{"Codifier": "SL", "Type": "Slow"}, {"Codifier": "BR", "Type": "Broken"}]


class Slow(Node, type="Slow"):
    """A node that takes its time to end."""

    closing = False

    async def close(self) -> None:
        self.closing = True
        await asyncio.Event().wait()


class Broken(Node, type="Broken"):
    """A node that cannot go on, and cannot end in order."""

    async def close(self) -> None:
        raise JphError("the store is gone")


def is_open(bus: Bus) -> bool:
    return bus.control.is_open or bus.data.is_open


async def test_a_node_cancelled_twice_closes_its_sockets(network: NetworkMaker) -> None:
    node = Slow("SL", network(*SENSORS))
    task = asyncio.create_task(node.run())
    await until(lambda: is_open(node.bus))
    node.stop()
    await until(lambda: node.closing)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not is_open(node.bus)


async def test_a_node_cancelled_before_its_tasks_have_ended_closes_its_sockets(
    network: NetworkMaker,
) -> None:
    node = Broken("BR", network(*SENSORS))
    release = asyncio.Event()

    async def obstinate() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()

    task = asyncio.create_task(node.run())
    await until(lambda: is_open(node.bus))
    node.spawn(obstinate(), "obstinate")
    await asyncio.sleep(0)
    node.stop()
    await until(lambda: not node._tasks)
    task.cancel()
    release.set()
    await asyncio.gather(task, return_exceptions=True)
    assert not is_open(node.bus)


async def test_a_bus_whose_closing_is_cancelled_is_closed(network: NetworkMaker) -> None:
    bus = Bus(network(*SENSORS).multicast)
    await bus.start(lambda: None)
    assert is_open(bus)
    closing = asyncio.create_task(bus.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert not is_open(bus)


def test_a_bus_opens_both_channels_or_none(
    network: NetworkMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = Bus(network(*SENSORS).multicast)
    open_channel = Channel.open

    def refuse(channel: Channel, listen: bool) -> object:
        if channel is bus.data:
            raise BusError("no more sockets")
        return open_channel(channel, listen)

    monkeypatch.setattr(Channel, "open", refuse)
    with pytest.raises(BusError, match="no more sockets"):
        bus.open()
    assert not is_open(bus)


async def test_a_node_that_fails_lets_the_others_of_its_test_end(network: NetworkMaker) -> None:
    made = network(*SENSORS, {"Codifier": "EA", "Type": "Ear"})
    broken, other = Broken("BR", made), Later("EA", made)
    with pytest.raises(JphError, match="the store is gone"):
        async with running(broken, other):
            pass
    assert other.closed
    assert not is_open(other.bus)


class Later(Node, type="Ear"):
    """A node that ends after the others."""

    closed = False

    async def close(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        self.closed = True
