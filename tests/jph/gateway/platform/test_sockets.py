"""WebSockets of the radiator app and of DomoPyc on a real gateway."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.live.board import Board
from jph.gateway.live.radiators import Hour, history, hours_in, read_command
from jph.gateway.node import Gateway
from tests.jph.gateway.houses import element, house
from tests.jph.gateway.people import session_of
from tests.jph.gateway.stage import RedisProcess, alive, reading
from tests.support import running, tcp_port, until

MakeNetwork = Callable[..., Network]
TOKEN = Subprotocol("a-fixed-token")


def sensors(**app: Any) -> list[dict[str, Any]]:
    settings = {"Port": 0, "RadiatorApp": {"Token": TOKEN, **app}}
    found = house(settings)
    for each in found:
        each |= {"Control": "enabled"} if each["Codifier"] in ("11", "12") else {}
    meter = next(each for each in found if each["Codifier"] == "TI")
    meter["Sensor"]["Proxy"] += [{"Codifier": "PA", "Field": "PAPP"},
                                 {"Codifier": "BP", "Field": "HCHP"},
                                 {"Codifier": "BC", "Field": "HCHC"}]  # fmt: skip
    return [*found, *(element(code, "TI", code) for code in ("PA", "BP", "BC"))]


@pytest.fixture
async def page(network: MakeNetwork, redis: RedisProcess) -> AsyncIterator[Gateway]:
    gateway = Gateway("CF", network(*sensors(), Redis={"URL": redis.url}))
    async with running(gateway):
        yield gateway


def app(gateway: Gateway, path: str = "/api", **more: Any) -> Any:
    return connect(gateway.url.replace("http", "ws") + path, subprotocols=[TOKEN], **more)


def values() -> dict[str, dict[str, str]]:
    told = {"TI": {**alive()}, "P1": {**alive()}, "P2": {**alive()}, "SH": {**alive()}}
    told |= {"I1": reading(7), "PA": reading(3400), "BP": reading(18250412), "BC": reading(99)}
    told |= {"S1": reading(1), "S2": reading(0), "11": reading(0), "12": reading(3)}
    return told


async def until_type(socket: ClientConnection, kind: str, found: Callable[[Any], bool]) -> Any:
    while True:
        message = json.loads(await socket.recv())
        if message["type"] == kind and found(message["data"]):
            return message["data"]


async def test_the_app_gets_the_state_of_the_house(page: Gateway, redis: RedisProcess) -> None:
    redis.write(values())
    async with app(page) as socket:
        assert socket.subprotocol == TOKEN
        await socket.send('{"type": "loadAllHeaters", "data": null}')
        heaters = await until_type(socket, "heaters", lambda data: len(data) == 2)
        assert heaters[0] == {"id": 1, "phase": 1, "wire": 1, "name": "Kitchen Wall", "floor": 0,
                              "watts": 0, "command": 0}  # fmt: skip
        assert heaters[1]["command"] == 3
        await socket.send('{"type": "loadAllHeaters", "data": null}')
        await until_type(socket, "current", lambda data: data == {"phase": 1, "value": 7})
        await socket.send('{"type": "loadAllHeaters", "data": null}')
        await until_type(socket, "power", lambda data: data["value"] == 3400)
        await socket.send('{"type": "loadAllHeaters", "data": null}')
        await until_type(
            socket, "meter", lambda data: data == {"period": "standard", "value": 18250412}
        )
        await socket.send("no JSON")
        await socket.send('{"type": "loadHistory", "data": "24h"}')
        told = await until_type(socket, "history", lambda data: True)
        assert told == {"range": "24h", "history": []}
        redis.write({"I1": reading(31)})
        await until_type(socket, "current", lambda data: data["value"] == 31)


async def test_the_token_opens_and_a_viewer_gives_no_orders(
    page: Gateway, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(page, "send_control", lambda *order: sent.append(order))
    redis.write(values())
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with connect(page.url.replace("http", "ws") + "/api") as socket:
            await socket.recv()
    async with app(page, "/") as socket:
        await socket.send('{"type": "command", "data": {"id": 1, "command": 2}}')
        await socket.send('{"type": "loadAllHeaters", "data": null}')
        await until_type(socket, "heaters", lambda data: True)
    assert not [order for order in sent if order[0] == "A"]


async def test_an_operator_gives_orders_on_a_port_of_its_own(
    network: MakeNetwork, redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tcp_port() as port:
        made = network(*sensors(Role="operator", Port=port), Redis={"URL": redis.url})
        gateway = Gateway("CF", made)
        sent: list[Any] = []
        async with running(gateway):
            monkeypatch.setattr(
                gateway._client, "send", lambda *order: sent.append(order), raising=True
            )
            redis.write(values())
            async with connect(f"ws://127.0.0.1:{port}/", subprotocols=[TOKEN]) as socket:
                await socket.send('{"type": "loadAllHeaters", "data": null}')
                await until_type(socket, "heaters", lambda data: len(data) == 2)
                await socket.send('{"type": "command", "data": {"id": 2, "command": 2}}')
                await until(lambda: ("A", "12", 2) in sent)


async def test_live_power_is_for_those_who_may_read(page: Gateway, redis: RedisProcess) -> None:
    url = page.url.replace("http", "ws") + "/livedata/power"
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with connect(url, origin=Origin(page.url)) as socket:
            await socket.recv()
    secret = await session_of(page, Role.VIEWER)
    cookie = {"Cookie": f"jph-CF={secret}"}
    elsewhere = Origin("http://elsewhere.example")
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with connect(url, origin=elsewhere, additional_headers=cookie) as socket:
            await socket.recv()
    async with connect(url, origin=Origin(page.url), additional_headers=cookie) as socket:
        redis.write(values())
        told = json.loads(await socket.recv())
        assert told["watt"] == 3400
        assert told["date"][10] == "T"


def test_commands_of_the_app(network: MakeNetwork) -> None:
    board = Board(network(*sensors()))
    one = read_command('{"type": "command", "data": {"id": 3, "command": 1}}', board)
    assert one is not None
    assert ([h.codifier for h in one.heaters], one.order) == (["21"], 1)
    every = read_command('{"type": "uniformCommand", "data": 3}', board)
    assert every is not None
    assert len(every.heaters) == 3
    for wrong in (
        "", "[]", '{"type": []}', '{"type": "command", "data": {"id": 4, "command": 1}}',
        '{"type": "command", "data": {"id": 1, "command": 4}}', "[" * 900,
        '{"type": "command", "data": {"id": true, "command": true}}',
        '{"type": "loadHistory", "data": "1d"}', '{"type": "loadHistory", "data": []}',
        '{"type": "uniformCommand", "data": -1}',
    ):  # fmt: skip
        assert read_command(wrong, board) is None


def test_hours_of_the_history() -> None:
    hour = 3_600_000
    hours = {
        "I1": hours_in([hour, 2 * hour], [1, 2], [5.4, 6.0], [9, 9]),
        "PA": hours_in([hour], [100], [2500.2], [4000]),
        "BP": hours_in([hour, 2 * hour], [1000, 3400], [0, 0], [3400, 3400]),
        "S1": {hour: Hour(0, 0.2, 1), 2 * hour: Hour(1, 1, 1)},
    }
    names = {"int1": "I1", "watts": "PA", "meter standard": "BP", "off1": "S1"}
    told = history("24h", names, hours, 2 * hour)["data"]["history"]
    assert told[0] == {"start": 0, "off1": 1800, "int1": 5, "off2": 0, "int2": 0, "off3": 0,
                       "int3": 0, "watts": 2500, "meter": 2400}  # fmt: skip
    assert (told[1]["off1"], told[1]["watts"]) == (3600, 0)
    assert history("24h", names, hours, 2 * hour - 1)["data"]["history"] == told[:1]
