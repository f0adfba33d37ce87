"""Real servers and real programs for a measurement, and what they cost."""

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
from typing import Any, Final

from jph.cli.supervise.servers import PostgresServer, RedisServer, Server
from jph.config.stores import DATABASE

ROOT: Final = Path(__file__).resolve().parent.parent.parent
_END_LIMIT_S: Final = 20.0


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory whose path leaves room for a socket's, and that PostgreSQL's user enters."""
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
    """Run PostgreSQL; give libpq's words for its database."""
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
    config: Path,
    **streams: Any,  # noqa: ANN401
) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python program beside this one, its state where the config is.

    In a session of its own, as services are: Linux shares its cores out by session (autogroup).
    """
    environment = {**os.environ, "JPH_STATE": str(config.parent), "JPH_CONFIG": str(config)}
    environment.pop("JPH_INTERFACE", None)
    words = [sys.executable, *command]
    child = subprocess.Popen(
        words, env=environment, cwd=ROOT, text=True, start_new_session=True, **streams
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


def spent_s(pid: int) -> float:
    """Return the CPU seconds of a process and its children, those of all threads."""
    with contextlib.suppress(OSError, ValueError):
        threads = Path(f"/proc/{pid}/task").iterdir()
        own = sum(int((t / "schedstat").read_text().split()[0]) for t in threads) / 1e9
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return own + sum(spent_s(int(child)) for child in listed)
    return 0.0


class Shares:
    """How much of a core each of some processes takes."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._began_s = time.monotonic()
        self._before = {name: spent_s(pid) for name, pid in pids.items()}

    def taken(self) -> dict[str, float]:
        """Return the shares of a core since this was made."""
        passed_s = time.monotonic() - self._began_s
        return {
            name: (spent_s(pid) - self._before[name]) / passed_s for name, pid in self._pids.items()
        }
