"""Helpers of tests beside fixtures: limits, captures, nodes that run for the length of a block."""

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path

import pytest

from jph.node.node import Node

LIMIT_S = 60.0
"""How long a test waits for what must come; only one that fails waits so long."""
REPOSITORY = Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
"""Captures that some checkouts have beside them; tests that use them skip without."""


@contextlib.asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """Run nodes for the length of a block; a failure of one fails the test at its end."""
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        for node, task in zip(nodes, tasks, strict=True):
            await until(lambda n=node, t=task: n.bus.control.is_open or t.done())
        yield
    finally:
        await ended(nodes, tasks)


async def ended(nodes: Iterable[Node], tasks: Iterable[asyncio.Task[None]]) -> None:
    """Stop nodes and wait until all have ended; the first failure of one fails the test.

    None is left behind that a closing loop would cancel: its sockets belong to this test.
    """
    for node in nodes:
        node.stop()
    async with asyncio.timeout(LIMIT_S):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if result is not None:
            raise result


def fail(error: Exception) -> None:
    """Fail the test with an error that a call-back is given."""
    pytest.fail(str(error))


async def until(condition: Callable[..., object], limit_s: float = LIMIT_S) -> None:
    """Wait until `condition` holds, looking at each turn of the loop; fail after `limit_s`.

    It is called without arguments; those it has are defaults that keep a loop's variable.
    """
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - whatever it looks at
            await asyncio.sleep(0.001)


@contextlib.contextmanager
def udp_port() -> Iterator[int]:
    """Yield a UDP port that no other test gets, of this process or another, until the end."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        # Only now, so that the kernel chose a free port and a bus may share it.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        yield held.getsockname()[1]


@contextlib.contextmanager
def tcp_port() -> Iterator[int]:
    """Yield a TCP port on 127.0.0.1 for a server that takes its port, until the end.

    The kernel gives none of these to anybody by itself, and the UDP port of the same number, held
    meanwhile, tells other tests that it is taken.
    """
    for number in range(20_000, 32_000):
        with contextlib.ExitStack() as held:
            try:
                claim = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                claim.bind(("127.0.0.1", number))
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            yield number
            return
    raise AssertionError("no TCP port is free")


@contextlib.contextmanager
def network_namespace() -> Iterator[None]:
    """Put this thread into a new, empty network with only a loopback interface; skip if it cannot.

    Sockets opened in the block belong to that network.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root and iproute2")
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
            pytest.skip(f"no network namespace here: {os.strerror(ctypes.get_errno())}")
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            libc.setns(home, 0)
    finally:
        os.close(home)


def children(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`: none that lives is left out.

    /proc/PID/task/PID/children may leave some out while others end.
    """
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text().rpartition(")")
            if int(rest.split()[1]) == pid:
                found.append(int(name.split()[0]))
    return found


def ip(*arguments: str) -> None:
    """Run `ip` of iproute2."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
