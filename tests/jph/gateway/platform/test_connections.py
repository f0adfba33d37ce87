"""Slow, many and broken clients: the page still answers others."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import httpx
import pytest

from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.gateway.platform import connections
from jph.gateway.platform.connections import ServerLog
from jph.gateway.subjects import commands
from jph.util.logs import node_logger
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.people import COOKIE, session_of
from tests.support import LIMIT_S, until

HEAD = b"POST /sensormsg/TI/H HTTP/1.1\r\nHost: localhost\r\n"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def client(gateway: Gateway, said: bytes) -> AsyncIterator[Client]:
    """Connect and say something."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the server closes; a reset counts as that."""
    async with asyncio.timeout(LIMIT_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_LIMIT_S", 1.0)
    monkeypatch.setattr(commands, "BODY_LIMIT_S", 1.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("said", [b"", b"GET / HT", HEAD])
async def test_half_a_head_is_not_waited_for(gateway: Gateway, said: bytes) -> None:
    async with client(gateway, said) as (reader, _):
        assert await rest(reader) == b""


@pytest.mark.usefixtures("impatient")
async def test_nor_is_half_a_further_one(gateway: Gateway) -> None:
    async with client(gateway, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") as both:
        reader, writer = both
        assert (await reader.readline()).startswith(b"HTTP/1.1 503 ")  # it has no cache
        await reader.readuntil(b"}")
        writer.write(b"GET /healthz HT")
        assert await rest(reader) == b""


@pytest.mark.usefixtures("impatient")
async def test_a_stream_is_no_head_that_dawdles(gateway: Gateway) -> None:
    async with client(gateway, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") as (reader, _):
        await reader.readuntil(b"event: board")
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while loop.time() < began_s + 1.5:  # longer than a head may take
            gateway.on_reload()
            await reader.readuntil(b"event: board")


@pytest.mark.usefixtures("impatient")
async def test_a_command_that_breaks_off_is_none(gateway: Gateway, meter: Plain) -> None:
    secret = await session_of(gateway, Role.OPERATOR)
    head = HEAD + f"Cookie: {COOKIE}={secret}\r\nSec-Fetch-Site: same-origin\r\n".encode()
    async with client(gateway, head + b"Content-Length: 5\r\n\r\n") as (reader, _):
        assert b" 408 " in await reader.readline()
    async with client(gateway, head + b"Content-Length: 900000\r\n\r\n" + bytes(100_000)) as both:
        assert b" 413 " in await both[0].readline()
    assert meter.active


async def test_who_asks_for_nothing_makes_room(
    gateway: Gateway,
    meter: Plain,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(connections, "HEAD_LIMIT_S", LIMIT_S)
    stream = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with contextlib.AsyncExitStack() as open_now:
        enter = open_now.enter_async_context
        watching, _ = await enter(client(gateway, stream))
        await watching.readuntil(b"event: board")
        idle = [(await enter(client(gateway, b"GET / HT")))[0] for _ in range(6)]
        assert await rest(idle[0]) == b""
        async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
            assert (await http.get("/")).status_code == 200
        gateway.on_reload()
        await watching.readuntil(b"event: board")
        await until(lambda: sum(reader.at_eof() for reader in idle) >= 3)
        assert not idle[-1].at_eof()
    assert caplog.text.count("one dropped") == 1


async def test_one_address_does_not_keep_out_the_others(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    stream = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with contextlib.AsyncExitStack() as open_now:
        watching = []
        for _ in range(4):
            reader, _ = await open_now.enter_async_context(client(gateway, stream))
            await reader.readuntil(b"event: board")
            watching.append(reader)
        async with client(gateway, b"") as (reader, _):
            assert await rest(reader) == b"", "another of the same address is dropped"
        elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx.AsyncClient(
            base_url=gateway.url, transport=elsewhere, timeout=LIMIT_S
        ) as http:
            assert (await http.get("/healthz")).status_code == 503  # it has no cache
        await rest(watching[0])
        gateway.on_reload()
        await watching[1].readuntil(b"event: board")


async def test_files_that_run_out_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    log = ServerLog(node_logger("CF", "Gateway", {}))
    log.start()
    loop = asyncio.get_running_loop()
    try:
        for _ in range(100):
            error = OSError(24, "Too many open files")
            context = {"message": "socket.accept() out of system resource", "exception": error}
            loop.call_exception_handler(context)
        loop.call_exception_handler({"message": "something else"})
    finally:
        log.stop()
    assert caplog.text.count("no connection can be taken: [Errno 24]") == 1
    assert "something else" in caplog.text


async def test_what_anybody_can_cause_is_logged_once_and_by_name(
    gateway: Gateway, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            async with client(gateway, b"nonsense\r\n\r\n") as (reader, _):
                assert b" 400 " in await reader.readline()
        await http.post("/sensormsg/TI/P")
    invalid = [r for r in caplog.records if "Invalid HTTP" in r.message]
    assert len(invalid) == 1
    assert {r.codifier for r in invalid} == {"CF"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/", "/sensor/", "/sensor/TI", "/healthz", "/static/base.css"])
async def test_head_is_get_without_a_body(http: httpx.AsyncClient, path: str) -> None:
    head, get = await http.head(path), await http.get(path)
    assert head.status_code == (503 if path == "/healthz" else 200)
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_a_stream_is_for_get_alone(http: httpx.AsyncClient) -> None:
    assert (await http.head("/events")).status_code == 405
    answer = await http.post("/events")
    assert answer.status_code == 405


async def half_a_body(gateway: Gateway) -> bytes:
    """Return a request that promises more than it brings."""
    secret = await session_of(gateway, Role.OPERATOR)
    lines = (
        "POST /api/login HTTP/1.1",
        "Host: localhost",
        f"Cookie: {COOKIE}={secret}",
        "Sec-Fetch-Site: same-origin",
        "Content-Type: application/json",
        "Content-Length: 50",
        "",
        "{",
    )
    return "\r\n".join(lines).encode()


async def test_who_dawdles_with_a_body_makes_room_too(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 4)
    said = await half_a_body(gateway)
    async with contextlib.AsyncExitStack() as open_now:
        enter = open_now.enter_async_context
        dawdling = [(await enter(client(gateway, said)))[0] for _ in range(4)]
        async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
            assert (await http.get("/healthz")).status_code == 503  # it has no cache
        assert await rest(dawdling[0]) == b""


async def test_nor_is_half_a_body(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(connections, "BODY_LIMIT_S", 0.2)
    async with client(gateway, await half_a_body(gateway)) as (reader, _):
        assert b" 200 " not in await rest(reader)
    assert "the gateway failed" not in caplog.text


async def test_a_body_in_time_leaves_no_limit_behind(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "BODY_LIMIT_S", 1.0)
    head = b"POST /api/logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    stream = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with client(gateway, head) as (reader, writer):
        writer.write(b"{}")
        assert b" 401 " in await rest(reader), "a refusal ends the connection"
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
    async with client(gateway, get) as (reader, writer):
        await reader.readuntil(b"}")
        writer.write(b"{}" + stream)
        await reader.readuntil(b"event: board")
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while loop.time() < began_s + 1.5:  # longer than a body may take
            gateway.on_reload()
            await reader.readuntil(b"event: board")
