"""Nodes under a service manager: ready, a watchdog that work feeds, the end."""

import asyncio
import math
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jph.config.model import Network
from jph.node.node import Node
from jph.node.program import run_nodes
from jph.node.service import overdue
from tests.support import until

NetworkMaker = Callable[..., Network]
WATCHDOG_S = 0.3


class Worker(Node, type="Worker"):
    """A node whose timer can hang."""

    def __init__(self, codifier: str, network: Network) -> None:
        super().__init__(codifier, network)
        self.hangs = False
        self.waiting = asyncio.Event()

    async def on_timer(self, now_ms: int) -> None:
        if self.hangs:
            self.waiting.set()
            await asyncio.Event().wait()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG_S * 1e6)))
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
        yield bound


async def received(manager: socket.socket, field: str) -> str:
    """Return the next message with `field`."""
    while True:
        message = await asyncio.get_running_loop().sock_recv(manager, 4096)
        if field in message.decode().split("\n"):
            return message.decode()


async def test_ready_once_all_run_fed_while_they_work_and_stopping_at_the_end(
    network: NetworkMaker, manager: socket.socket
) -> None:
    house = network({"Codifier": "W1", "Type": "Worker"}, {"Codifier": "W2", "Type": "Worker"})
    nodes = [Worker("W1", house), Worker("W2", house)]
    running = asyncio.create_task(run_nodes(nodes))
    assert "runs W1 W2" in await received(manager, "READY=1")
    assert all(node.bus.control.is_open for node in nodes)
    await received(manager, "WATCHDOG=1")
    await received(manager, "WATCHDOG=1")
    for node in nodes:
        node.stop()
    await running
    await received(manager, "STOPPING=1")


async def test_work_that_stands_still_starves_the_watchdog_though_the_loop_turns(
    network: NetworkMaker, manager: socket.socket
) -> None:
    node = Worker("W1", network({"Codifier": "W1", "Type": "Worker"}))
    running = asyncio.create_task(run_nodes([node]))
    await received(manager, "WATCHDOG=1")
    node.deadlines.expect("chip", -math.inf)
    while "stands still: W1 chip" not in await received(manager, "STATUS=stands still: W1 chip"):
        pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3 * WATCHDOG_S):
            await received(manager, "WATCHDOG=1")
    node.deadlines.expect("chip", time.monotonic())
    await received(manager, "WATCHDOG=1")
    node.stop()
    await running


async def test_a_timer_that_hangs_is_overdue(network: NetworkMaker) -> None:
    node = Worker("W1", network({"Codifier": "W1", "Type": "Worker", "SensorInterval": 0.1}))
    node.hangs = True
    running = asyncio.create_task(run_nodes([node]))
    await until(node.waiting.is_set)
    assert overdue([node], time.monotonic()) == []
    assert "W1 timer" in overdue([node], time.monotonic() + 120)
    node.stop()
    await running
    assert overdue([node], math.inf) == []
