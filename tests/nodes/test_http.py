"""Values from a real web server with the oddities of boards, orders, secrets, access tokens."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.devices.services.http_request import HttpClient, Request
from jph.errors import ConfigError, DeviceError
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.http import DwarfpoolReader, FailsafeReader, Http
from tests.support import LIMIT_S, running, until
from tests.webserver import Board, web_server

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}


@pytest.fixture
def board() -> Iterator[Board]:
    """Serve a board."""
    with web_server() as served:
        yield served


@pytest.fixture
def client() -> Iterator[HttpClient]:
    """Yield a client that is closed at the end."""
    made = HttpClient("X1")
    yield made
    made.close()


async def test_a_whole_answer(board: Board, client: HttpClient) -> None:
    board.json("/X", '{"a": 1}', "application/json; charset=utf-8")
    answer = await client.send(Request(f"{board.url}/X?q=1", headers=(("A", "b"),)), LIMIT_S)
    assert (answer.status, answer.media_type, answer.text) == (200, "application/json", '{"a": 1}')
    assert board.asked[0].path == "/X?q=1"
    assert board.asked[0].headers["A"] == "b"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 50\r\n\r\n{", "early|IncompleteRead"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 1_100_000, "more than 1000000 bytes"),
        (b"nonsense\r\n\r\n", "nonsense"),
        (b"", "closed|Remote end"),
        (b"HTTP/1.0 302 F\r\nLocation: http://localhost:1/Y\r\n\r\n", "redirects to localhost:1"),
        (b"HTTP/1.0 302 F\r\nLocation: file:///etc/passwd\r\n\r\n", "not followed"),
        (b"HTTP/1.0 302 F\r\nLocation: /X\r\n\r\n", "more than 3 redirects"),
    ],
    ids=range(7),
)
async def test_answers_that_are_none(
    board: Board, client: HttpClient, answer: bytes, message: str
) -> None:
    board.answers["/X"] = answer
    with pytest.raises(DeviceError, match=message):
        await client.send(Request(f"{board.url}/X"), LIMIT_S)


async def test_a_redirect_to_the_same_server_is_followed(board: Board, client: HttpClient) -> None:
    board.answers["/old"] = b"HTTP/1.0 301 M\r\nLocation: /new\r\n\r\n"
    board.json("/new", "5")
    assert (await client.send(Request(f"{board.url}/old"), LIMIT_S)).text == "5"


async def test_one_deadline_for_the_whole_answer(board: Board, client: HttpClient) -> None:
    board.answers["/slow"] = b"HTTP/1.0 200 OK\r\n"
    with pytest.raises(DeviceError, match="no whole answer within"):
        await client.send(Request(f"{board.url}/slow"), 0.1)
    board.json("/X", "1")
    assert client._call is not None
    await until(client._call.done.is_set)  # the thread is free although the server still waits
    assert (await client.send(Request(f"{board.url}/X"), LIMIT_S)).text == "1"


def entries(url: str, kind: str = "Http", **settings: Any) -> list[dict[str, Any]]:
    element = {"Type": "Proxy", "Sensor": {"Codifier": "X1"}}
    return [
        {"Codifier": "X1", "Type": kind, "SensorInterval": 0.02,
         "Sensor": {"URL": f"{url}/X", **settings}},
        {"Codifier": "X2", **element, "DataType": "integer", "Control": "enabled"},
        {"Codifier": "X3", **element},
        CONSOLE,
    ]  # fmt: skip


class Ear:
    """A console with what it heard."""

    def __init__(self, console: ListeningProgram) -> None:
        self.console = console
        self.values: dict[str, list[Any]] = {"X1": [], "X2": [], "X3": []}
        self.times: dict[str, int] = {}
        console.read = self._read

    def _read(self, readings: Any) -> None:
        for reading in readings:
            if reading.flag != "n":
                self.values[reading.source].append(reading.value)
                self.times[reading.source] = reading.timestamp_ms


@pytest.fixture
async def hear(network: MakeNetwork) -> AsyncIterator[Ear]:
    """Yield a console on the bus."""
    async with on_bus(ListeningProgram("CC", network(CONSOLE))) as console:
        yield Ear(console)


async def test_the_originals_board_with_invalid_json(
    network: MakeNetwork, board: Board, hear: Ear, caplog: pytest.LogCaptureFixture
) -> None:
    board.json("/X", '{"FlowPerSecond":1250,"LitersPerSecond":inf,"Power":true,}', "")
    made = network(
        *entries(board.url, "failsafeReader", Field="FlowPerSecond",
                 Proxy=[{"Codifier": "X2", "Field": "Power"},
                        {"Codifier": "X3", "Field": "LitersPerSecond"}])
    )  # fmt: skip
    async with running(FailsafeReader("X1", made)):
        await until(lambda: hear.values["X2"] and "X3: no value" in caplog.text)
        board.answers["/X"] = b"HTTP/1.0 503 Busy\r\n\r\n"
        await until(lambda: "status 503" in caplog.text)
    assert set(hear.values["X1"]) == {1250.0}
    assert set(hear.values["X2"]) == {1}
    assert hear.values["X3"] == []


async def test_a_time_of_its_own_is_taken_once(
    network: MakeNetwork, board: Board, hear: Ear
) -> None:
    worker = {"hashrate": 21.5, "hashrate_calculated": 20.0}
    times = iter(["Mon, 02 Jan 2017 15:04:05 GMT", "Mon, 02 Jan 2017 15:05:05 GMT"])
    last = next(times)

    def answer() -> bytes:
        body = json.dumps({"workers": {"AQUA": {**worker, "last_submit": last}}}).encode()
        return b"HTTP/1.0 200 OK\r\n\r\n" + body

    board.answers["/X"] = answer
    made = network(
        *entries(board.url, "DwarfpoolReader", Server="AQUA", Proxy=[{"Codifier": "X3"}])
    )
    async with running(DwarfpoolReader("X1", made)):
        await until(lambda: len(board.asked) > 3)
        last = next(times)
        await until(lambda: len(hear.values["X3"]) == 2)
    assert hear.values["X1"] == [21.5, 21.5]
    assert hear.times["X1"] == 1_483_369_505_000


async def test_orders_secrets_and_the_answer_to_an_order(
    network: MakeNetwork, board: Board, hear: Ear, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("s3cret-key\n")
    board.json("/X", '{"relay": "off"}')

    def switched() -> bytes:
        board.json("/X", '{"relay": "on"}')
        return b"HTTP/1.0 204 Done\r\n\r\n"

    board.answers["/set"] = switched
    order = {"URL": f"{board.url}/set", "Body": '{"relay": "{value}"}', "Map": {"1": "on"}}
    described = [
        {"Codifier": "X2", "Path": "relay", "Filter": [{"Map": {"on": 1, "off": 0}}], "Set": order}
    ]
    made = network(
        *entries(board.url, Elements=described, Headers={"X-Key": "{KEY}"},
                 Secrets={"KEY": str(tmp_path / "key")})
    )  # fmt: skip
    async with running(Http("X1", made)):
        await until(lambda: hear.values["X2"])
        hear.console.send_control("A", "X2", 1.0)
        await until(lambda: hear.values["X2"][-1] == 1)
    (posted,) = [asked for asked in board.asked if asked.method == "POST"]
    assert posted.body == b'{"relay": "on"}'
    assert posted.headers["X-Key"] == "s3cret-key"


async def test_access_tokens_are_renewed(
    network: MakeNetwork, board: Board, hear: Ear, tmp_path: Path
) -> None:
    """The device is one of the answers of Nest's Smart Device Management."""
    (tmp_path / "refresh").write_text("refresh-1")
    traits = {"sdm.devices.traits.Temperature": {"ambientTemperatureCelsius": 21.5}}
    board.json("/X", json.dumps({"name": "my/device", "traits": traits}))
    board.json("/token", '{"access_token": "token-1", "expires_in": 3600}')
    oauth = {
        "TokenURL": f"{board.url}/token",
        "ClientID": "me",
        "RefreshToken": str(tmp_path / "refresh"),
    }
    path = 'traits."sdm.devices.traits.Temperature".ambientTemperatureCelsius'
    described = [{"Codifier": "X1", "Path": path}]
    made = network(*entries(board.url, Elements=described, OAuth=oauth))
    async with running(Http("X1", made)):
        await until(lambda: len(hear.values["X1"]) > 1)
    tokens = [asked for asked in board.asked if asked.path == "/token"]
    assert len(tokens) == 1
    assert b"refresh_token=refresh-1" in tokens[0].body
    assert board.asked[1].headers["Authorization"] == "Bearer token-1"
    assert set(hear.values["X1"]) == {21.5}


@pytest.mark.parametrize(
    "settings",
    [{}, {"Elements": [{"Codifier": "X1", "Path": "a["}]},
     {"Elements": [], "Headers": {"A": "b\r\nC: d"}}, {"Elements": [], "Timeout": 0}],
)  # fmt: skip
def test_settings_that_cannot_be(network: MakeNetwork, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"Sensors\[X1\]"):
        Http("X1", network(*entries("http://127.0.0.1:1", **settings)))
    with pytest.raises(ConfigError, match="expected http"):
        Http("X1", network(*entries("ftp://127.0.0.1", Elements=[])))
