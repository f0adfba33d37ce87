"""The gateway as a whole: a node with a real bus, a real Redis and a real HTTP server."""

import asyncio
import json
import logging
import socket
from collections.abc import Callable

import httpx
import pytest

from jph.config.model import Network
from jph.errors import JphError
from jph.gateway.node import Gateway
from jph.node import kinds
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import house, node
from tests.jph.gateway.stage import RedisProcess, alive, event_with, events, reading
from tests.support import LIMIT_S, running, until


async def row_in(http: httpx.AsyncClient, codifier: str) -> dict[str, object]:
    """Return the record of one codifier."""
    answer = (await http.get(f"/sensor/{codifier}")).raise_for_status()
    record: dict[str, object]
    (record,) = answer.json()
    return record


async def becomes(http: httpx.AsyncClient, codifier: str, **wanted: object) -> None:
    """Wait until a record is as wanted."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            record = await row_in(http, codifier)
            if all(record.get(key) == value for key, value in wanted.items()):
                return


def test_the_kind_is_found_by_both_names() -> None:
    assert kinds.find("Gateway") is Gateway
    assert kinds.find("Flask") is Gateway


async def test_the_page_is_whole(http: httpx.AsyncClient, redis: RedisProcess) -> None:
    redis.write({"I1": reading(17), "IS": reading(30), "11": reading(3), "S1": reading(1)})
    await becomes(http, "I1", Value="17")
    page = await http.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for text in ("Phase 1", "of 30 A", "data-shed", "Processor", "aria-label"):
        assert text in page.text


async def test_nothing_is_inline(http: httpx.AsyncClient) -> None:
    page = (await http.get("/")).text
    assert "style=" not in page
    assert "onclick" not in page
    data = page.count('<script type="application/json"')
    assert page.count("<script") == page.count('<script type="module" src="/static/') + data
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize(
    "path", ["/", "/sensor/", "/sensor/ZZ", "/nowhere", "/static/base.css", "/sensormsg/TI/P"]
)
async def test_every_answer_carries_the_headers(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fnode.py", "/static//etc/passwd"],
)
async def test_static_files_only(gateway: Gateway, path: str) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), LIMIT_S)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_sensor_lists_hashes(http: httpx.AsyncClient, redis: RedisProcess) -> None:
    redis.write({"I1": reading(17, 1_700_000_000_000), "TI": alive(at_ms=1_700_000_000_000)})
    await becomes(http, "I1", Value="17", DTimestamp="1700000000000", DPacketsLost="0")
    await becomes(http, "TI", ITimestamp="1700000000000", IsActive="True", Type="Teleinfo")
    records = (await http.get("/sensor/")).json()
    assert [record["Codifier"] for record in records] == [s["Codifier"] for s in house()]
    assert "/dev/null" not in json.dumps(records)


async def test_an_unknown_codifier_is_404_in_json(http: httpx.AsyncClient) -> None:
    answer = await http.get("/sensor/<b>")
    assert answer.status_code == 404
    assert answer.json() == {"error": "no such codifier in the config"}


async def test_changes_are_pushed_and_resumed(http: httpx.AsyncClient, redis: RedisProcess) -> None:
    async with http.stream("GET", "/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        stream = events(response)
        await event_with(stream, "I1", state="silent")
        redis.write({"I1": reading(21)})
        last_id, _ = await event_with(stream, "I1", value="21")
    redis.write({"I2": reading(22)})
    async with http.stream("GET", "/events", headers={"Last-Event-ID": last_id}) as response:
        _, content = await event_with(events(response), "I2", value="22")
    assert "RA" not in content["rows"]


async def test_a_client_that_does_not_read_is_dropped(
    gateway: Gateway, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gateway._hub is not None
    hub = gateway._hub
    monkeypatch.setattr(hub, "_stall_s", 0.3)
    monkeypatch.setattr(hub, "_merge_s", 0.0)
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        await asyncio.get_running_loop().sock_connect(deaf, (host, int(port)))
        deaf.send(f"GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await until(lambda: hub.clients == 1)

        async def pour() -> None:
            while hub.clients:
                gateway.on_reload()  # a new board goes out whole
                await asyncio.sleep(0.001)

        await asyncio.wait_for(pour(), LIMIT_S)
    assert hub.dropped == 1


class TestCommands:
    async def test_a_ping_shows_what_the_node_answered(self, http: httpx.AsyncClient) -> None:
        for codifier in ("TI", "I1", "CF"):
            answer = await http.post(f"/sensormsg/{codifier}/P")
            assert answer.status_code == 200
            assert answer.json()["answered"] is True
            assert 0 < answer.json()["milliseconds"] < 1000 * LIMIT_S

    async def test_halt_and_start(self, http: httpx.AsyncClient) -> None:
        halted = await http.post("/sensormsg/TI/H")
        assert halted.json()["text"].startswith("TI says that it is halted; until it is started")
        assert (await row_in(http, "TI"))["State"] == "halted"
        started = await http.post("/sensormsg/TI/S")
        assert started.json()["active"] is True
        assert (await row_in(http, "TI"))["State"] == "alive"

    async def test_silence_is_an_answer_too(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/sensormsg/P1/P")
        assert answer.status_code == 200
        assert answer.json()["answered"] is False

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/sensormsg/ZZ/P", 404),
            ("/sensormsg/TI/X", 404),
            ("/sensormsg/I1/H", 409),
            ("/sensormsg/R1/H", 409),
            ("/sensormsg/CF/H", 409),
            ("/sensormsg/CC/P", 409),
        ],
    )
    async def test_what_cannot_be_asked(
        self, http: httpx.AsyncClient, path: str, status: int
    ) -> None:
        answer = await http.post(path)
        assert answer.status_code == status
        assert answer.json()["error"]

    async def test_never_by_get(self, http: httpx.AsyncClient, meter: Plain) -> None:
        assert (await http.get("/sensormsg/TI/H")).status_code == 405
        await http.post("/sensormsg/TI/P")
        assert meter.active

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "null"},
            {"Origin": "http://evil.example.com"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Host": "evil.example.com"},
        ],
    )
    async def test_not_for_other_sites(
        self, http: httpx.AsyncClient, meter: Plain, headers: dict[str, str]
    ) -> None:
        answer = await http.post("/sensormsg/TI/H", headers=headers)
        assert answer.status_code in (403, 421)
        await http.post("/sensormsg/TI/P")
        assert meter.active


async def test_names_and_values_are_escaped(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    evil = '<script>alert("x")</script>'
    sensors = [*house(), node("EV", "Pipe", f'{evil}" onload="x', ShortName=evil, Symbol=evil)]
    gateway = Gateway("CF", network(*sensors, Redis={"URL": redis.url}))
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        redis.write({"EV": reading(evil)})
        await becomes(http, "EV", Value=evil)
        page = (await http.get("/")).text + (await http.get("/network")).text
    assert "<script>alert" not in page
    assert '" onload="' not in page
    assert "&lt;script&gt;alert" in page


async def test_half_a_character_in_a_value_stops_nothing(
    http: httpx.AsyncClient, redis: RedisProcess
) -> None:
    redis.write({"I1": reading('{"value": "\\ud800"}')})
    async with http.stream("GET", "/events") as response:
        await event_with(events(response), "I1", value="?")
    for path in ("/", "/network", "/api/network", "/api/diagram", "/codifier/I1"):
        assert (await http.get(path)).status_code == 200, path


async def test_redis_away_is_said_and_the_page_stays(
    http: httpx.AsyncClient, redis: RedisProcess
) -> None:
    redis.write({"I1": reading(17)})
    await becomes(http, "I1", Value="17")
    redis.stop()
    async with http.stream("GET", "/events") as response:
        async with asyncio.timeout(LIMIT_S):
            async for _, content in events(response):
                if not content["summary"]["redis"]:
                    break
    page = await http.get("/")
    assert page.status_code == 200
    assert 'id="cache" role="status">' in page.text
    assert (await http.get("/healthz")).json()["redis"] is False
    assert (await http.post("/sensormsg/TI/P")).json()["answered"] is True
    redis.start()
    redis.write({"I1": reading(18)})
    await becomes(http, "I1", Value="18")
    assert (await http.get("/healthz")).json()["redis"] is True


async def test_a_reload_shows_the_new_config(
    home: Network, network: Callable[..., Network], redis: RedisProcess
) -> None:
    changed = network(*house(), node("C9", "Pipe", "Newcomer"), Redis={"URL": redis.url})

    async def reload() -> Network:
        return changed

    page, meter = Gateway("CF", home, reload), Plain("TI", home)
    async with running(page, meter), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as http:
        assert (await http.get("/sensor/C9")).status_code == 404
        meter.send_control("C", "CF")
        await until(lambda: page.network is changed)
        await until(lambda: page.bus.control.is_open)
        redis.write({"C9": reading(4)})
        await becomes(http, "C9", Value="4")
        assert "Newcomer" in (await http.get("/")).text


async def test_a_port_in_use_says_what_to_do(
    home: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("JPH_PORT", str(taken.getsockname()[1]))
        with pytest.raises(JphError, match="another program has it; set JPH_PORT"):
            await Gateway("CF", home).run()


@pytest.mark.parametrize("port", ["web", "70000", "-1"])
async def test_a_wrong_port_is_refused(
    home: Network, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    monkeypatch.setenv("JPH_PORT", port)
    with pytest.raises(JphError, match="JPH_PORT"):
        await Gateway("CF", home).run()


async def test_an_address_of_another_machine_is_refused(network: Callable[..., Network]) -> None:
    entries = house({"Port": 0, "Address": "192.0.2.1"})
    with pytest.raises(JphError, match=r"cannot listen on 192\.0\.2\.1"):
        await Gateway("CF", network(*entries)).run()


async def test_it_ends_soon_with_browsers_watching(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    # An address of its own: the port could be another program's, as soon as it is free.
    settings = {"Port": 0, "Public": "read", "Address": "127.0.0.3"}
    page = Gateway("CF", network(*house(settings), Redis={"URL": redis.url}))
    async with asyncio.timeout(LIMIT_S):
        async with running(page):
            http = httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S)
            request = http.build_request("GET", "/events")
            response = await http.send(request, stream=True)
        await response.aclose()
        await http.aclose()
    host, port = page.url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(host, int(port))


async def test_bugs_are_logged_and_not_shown(
    http: httpx.AsyncClient,
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> None:
        raise RuntimeError("secret detail")

    assert gateway._hub is not None
    monkeypatch.setattr(gateway._hub.board, "summary", broken)
    with caplog.at_level(logging.ERROR):
        answer = await http.get("/")
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error"}
    assert "secret detail" in caplog.text
