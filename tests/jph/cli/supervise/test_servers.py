import asyncio
import contextlib
import os
import select
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from jph.cli.supervise.installed import newest_redis, redis_version
from jph.cli.supervise.servers import PostgresServer, RedisServer, Server
from jph.config.stores import DATABASE, redis_socket, socket_directory
from jph.errors import StoreError
from tests.stores_fixtures import short_directory
from tests.support import LIMIT_S, REPOSITORY

# A path no Unix socket fits below, and (to root) a directory that only root may enter
DEEP = "a-state-directory-whose-path-is-rather-long/" * 3


@pytest.fixture(params=["", DEEP])
def home(request: pytest.FixtureRequest) -> Iterator[Path]:
    with short_directory() as directory:
        if request.param:
            directory.chmod(0o700)
        state = directory / request.param / "var"
        yield state
        if not (sockets := socket_directory(state)).is_relative_to(directory):
            shutil.rmtree(sockets)


@contextlib.asynccontextmanager
async def started(server: Server) -> AsyncIterator[None]:
    await server.start()
    try:
        await server.wait_ready(LIMIT_S)
        yield
    finally:
        await server.stop(LIMIT_S)  # a slow disk is no reason to use force


def redis_client(server: RedisServer) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(redis_socket(server.sockets)), decode_responses=True)


def ask(server: PostgresServer, *statements: str) -> object:
    connection = psycopg2.connect(host=str(server.socket.parent), user=DATABASE, dbname=DATABASE)
    with contextlib.closing(connection), connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


async def test_redis_keeps_what_it_holds(home: Path) -> None:
    server = RedisServer(home)
    async with started(server):
        with redis_client(server) as client:
            client.set("TI", "1")
            assert client.config_get("port")["port"] == "0"
    assert server.pid is None
    assert await server.wait() == 0
    async with started(server):
        with redis_client(server) as client:
            assert client.get("TI") == "1"


async def test_redis_starts_again_after_a_kill(home: Path) -> None:
    server = RedisServer(home)
    async with started(server):
        os.kill(server.pid or 0, signal.SIGKILL)
        assert await asyncio.wait_for(server.wait(), LIMIT_S) == -signal.SIGKILL
        async with started(server):
            with redis_client(server) as client:
                assert client.ping()


async def test_postgres_recovers_from_a_kill(home: Path) -> None:
    unfinished = home / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("a first start that was cut short")
    server = PostgresServer(home)
    async with started(server):
        ask(server, "SET synchronous_commit = on", "CREATE TABLE kept AS SELECT 7 AS number")
        assert ask(server, "SHOW listen_addresses") == ""
        os.kill(server.pid or 0, signal.SIGKILL)
        assert await asyncio.wait_for(server.wait(), LIMIT_S) == -signal.SIGKILL
        async with started(server):
            assert ask(server, "SELECT number FROM kept") == 7
    assert await server.wait() == 0
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700


async def test_postgres_ends_with_clients_inside(store_state: Path) -> None:
    server = PostgresServer(store_state)
    async with started(server):
        client = psycopg2.connect(host=str(server.socket.parent), user=DATABASE, dbname=DATABASE)
        client.cursor().execute("SELECT pg_advisory_xact_lock(1)")
        async with asyncio.timeout(LIMIT_S):
            await server.stop(3.0)
    client.close()
    assert server.pid is None


async def test_a_state_has_one_server(store_state: Path) -> None:
    class Hasty(RedisServer):
        lock_limit_s = 0.1

    async with started(RedisServer(store_state)):
        with pytest.raises(StoreError, match="runs already on"):
            await Hasty(store_state).start()


@pytest.mark.parametrize("kind", ["RedisServer", "PostgresServer"])
async def test_a_server_ends_with_its_keeper(home: Path, kind: str) -> None:
    keeper = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _KEEPER, kind, str(home)),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    assert keeper.stdout is not None
    line = await asyncio.wait_for(keeper.stdout.readline(), LIMIT_S)
    handle = os.pidfd_open(int(line))
    try:
        keeper.kill()
        await keeper.wait()
        ended, _, _ = await asyncio.to_thread(select.select, [handle], [], [], LIMIT_S)
        assert ended
    finally:
        os.close(handle)


_KEEPER = """
import asyncio, pathlib, sys
from jph.cli.supervise import servers

async def keep():
    server = getattr(servers, sys.argv[1])(pathlib.Path(sys.argv[2]))
    await server.start()
    await server.wait_ready()
    print(server.pid, flush=True)
    await server.wait()

asyncio.run(keep())
"""


async def test_a_server_that_cannot_start_says_why(store_state: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="initdb"):
        await PostgresServer(store_state, programs=tmp_path).start()


async def test_a_server_that_ends_at_once_says_why(store_state: Path) -> None:
    server = RedisServer(store_state)
    (store_state / "redis").mkdir(parents=True)
    (store_state / "redis" / "dump.rdb").write_bytes(b"REDIS0009 this is no dump")
    with pytest.raises(StoreError, match=r"redis has ended: .+redis\.log"):
        async with started(server):
            pass


def test_sockets_are_not_put_where_somebody_else_could(state: Path, tmp_path: Path) -> None:
    state.mkdir()
    sockets = socket_directory(state)
    target = tmp_path / "elsewhere"
    target.mkdir()
    sockets.symlink_to(target)
    try:
        with pytest.raises(StoreError, match="not a directory of ours"):
            asyncio.run(RedisServer(state).start())
    finally:
        sockets.unlink()


def test_the_newest_redis_is_chosen(tmp_path: Path) -> None:
    def program(name: str, version: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=0 bits=64'\n")
        path.chmod(0o755)
        return path

    wheel, system = program("wheel", "6.2.14"), program("system", "7.0.15")
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\n")
    silent.chmod(0o755)
    assert newest_redis([wheel, system]) == system
    assert newest_redis([program("eight", "10.0"), system]).name == "eight"
    assert newest_redis([wheel, silent]) == wheel
    assert newest_redis([wheel, program("same", "6.2.14")]) == wheel
    assert redis_version(tmp_path / "none") == ()
