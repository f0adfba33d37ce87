"""Servers and programs of a measurement, their CPU time and memory."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.harness.network import ROOT
from jph.cli.supervise.servers import PostgresServer, RedisServer, Server
from jph.config.stores import DATABASE

_END_LIMIT_S: Final = 60.0


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory with a path short enough for sockets; the user of PostgreSQL may enter."""
    path = Path(tempfile.mkdtemp(prefix="jph-bench-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def served(*servers: Server) -> Iterator[None]:
    """Run servers for the length of a block."""
    with asyncio.Runner() as runner:

        async def start() -> None:
            for server in servers:
                await server.start()
                await server.wait_ready()

        async def stop() -> None:
            await asyncio.gather(*(server.stop() for server in servers))

        try:
            runner.run(start())
            yield
        finally:
            runner.run(stop())


@contextlib.contextmanager
def postgres(state: Path) -> Iterator[str]:
    """Run PostgreSQL and yield the connection string of its database."""
    server = PostgresServer(state)
    with served(server):
        yield f"host={server.socket.parent} user={DATABASE} dbname={DATABASE}"


@contextlib.contextmanager
def both(state: Path) -> Iterator[tuple[RedisServer, PostgresServer]]:
    """Run Redis and PostgreSQL."""
    redis, sql = RedisServer(state), PostgresServer(state)
    with served(redis, sql):
        yield redis, sql


@contextlib.contextmanager
def program(
    command: Sequence[str],
    config: Path | None = None,
    **streams: Any,  # noqa: ANN401
) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python program in a session of its own, with its state beside its config.

    A service has a session of its own too, and Linux divides its cores by session (autogroup).
    """
    environment = dict(os.environ)
    for name in ("JPH_INTERFACE", "PYTHONDONTWRITEBYTECODE"):
        environment.pop(name, None)
    if config is not None:
        environment |= {"JPH_STATE": str(config.parent), "JPH_CONFIG": str(config)}
    child = subprocess.Popen(
        [sys.executable, *command],
        env=environment,
        cwd=ROOT,
        text=True,
        start_new_session=True,
        **streams,
    )
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def spent(pid: int) -> tuple[float, int]:
    """Return CPU seconds and wake-ups (voluntary switches) of all threads of a process."""
    cpu_ns, wakes = 0, 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        cpu_ns += int((thread / "schedstat").read_text().split()[0])
        status = (thread / "status").read_text()
        wakes += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return cpu_ns / 1e9, wakes


def tree_cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children; 0 if it has ended."""
    with contextlib.suppress(OSError, ValueError):
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return spent(pid)[0] + sum(tree_cpu_s(int(child)) for child in listed)
    return 0.0


class CpuShares:
    """The shares of a core that some processes use."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._started_s = time.monotonic()
        self._before = {name: tree_cpu_s(pid) for name, pid in pids.items()}

    def used(self) -> dict[str, float]:
        """Return the share of a core since the start, by name."""
        passed_s = time.monotonic() - self._started_s
        return {
            name: (tree_cpu_s(pid) - self._before[name]) / passed_s
            for name, pid in self._pids.items()
        }


class Memory(NamedTuple):
    """Memory of one process, MB: resident, proportional (Pss) and private."""

    resident: float
    proportional: float
    private: float


def memory(pid: int) -> Memory:
    """Return the memory of a process, from /proc."""
    kb: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value = line.split()[:2]
        kb[key.rstrip(":")] = int(value)
    private = kb["Private_Clean"] + kb["Private_Dirty"]
    return Memory(kb["Rss"] / 1024, kb["Pss"] / 1024, private / 1024)
