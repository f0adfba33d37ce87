"""Real servers for tests: one Redis and one PostgreSQL a session; a NATS server for each test."""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import pytest
import redis

from jph.cli.supervise.servers import PostgresServer, RedisServer
from jph.config.stores import DATABASE, redis_socket, socket_directory
from tests.natsserver import NatsServer
from tests.support import LIMIT_S, tcp_port

S = TypeVar("S", RedisServer, PostgresServer)
_numbers = itertools.count()


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """Make a directory whose path leaves room for a socket's."""
    path = Path(tempfile.mkdtemp(prefix="jph-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _served(server: S) -> Iterator[S]:
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:

        async def start() -> None:
            await server.start()
            await server.wait_ready(LIMIT_S)

        runner.run(start())
        try:
            yield server
        finally:
            runner.run(server.stop())


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Yield a running Redis; what is in it is anybody's (see `redis_url`)."""
    with short_directory() as state, _served(RedisServer(state)) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Yield a running PostgreSQL (see `sql` for a database); it need not outlive a power cut."""
    with short_directory() as state:
        server = PostgresServer(state)
        careless = {"fsync": "off", "full_page_writes": "off"}
        server.settings = {**server.settings, **careless}  # type: ignore[misc]
        with _served(server):
            yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """Return the URL of a Redis that is empty when the test begins."""
    with redis.Redis(unix_socket_path=str(redis_socket(redis_server.sockets))) as client:
        client.flushall()
    return f"unix://{redis_socket(redis_server.sockets)}"


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """Yield a running NATS server, with nothing in it."""
    folder = tmp_path / "nats"
    folder.mkdir()
    with tcp_port() as port:
        made = NatsServer(folder, port)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def sql(postgres_server: PostgresServer) -> Iterator[dict[str, Any]]:
    """Yield the config's `SQL` for an empty database of this test's own, gone after it."""
    entry = {"User": DATABASE, "Host": str(postgres_server.socket.parent)}
    name = f"test_{next(_numbers)}"
    _execute(entry, f"CREATE DATABASE {name} STRATEGY file_copy")
    yield {**entry, "Database": name}
    _execute(entry, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _execute(entry: dict[str, Any], statement: str) -> None:
    with contextlib.closing(connect({**entry, "Database": DATABASE})) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def connect(sql: dict[str, Any]) -> "psycopg2.extensions.connection":
    """Connect to the database of a config's `SQL`."""
    return psycopg2.connect(host=sql["Host"], user=sql["User"], dbname=sql["Database"])


@pytest.fixture
def store_state(state: Path) -> Iterator[Path]:
    """Return this test's state directory; sockets that had no room in it are removed."""
    yield state
    if not (sockets := socket_directory(state)).is_relative_to(state):
        shutil.rmtree(sockets, ignore_errors=True)
