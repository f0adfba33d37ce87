"""The Alerts node on real buses, with services that answer, refuse and come back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from jph.alerts.notices import QuietHours
from jph.config.model import Network
from jph.errors import ConfigError
from jph.node import kinds
from jph.node.node import Node
from nodes import alerts
from nodes.alerts import Alerts
from tests.support import running, until
from tests.webserver import Asked, Board, web_server

NetworkMaker = Callable[..., Network]
OK = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
AWAY = b"HTTP/1.0 503 Away\r\nContent-Length: 0\r\n\r\n"


class Thermometers(Node, type="Thermometers"):
    """Sends what a test gives it."""


class Always(QuietHours):
    """Quiet at every hour: a test may run at any."""

    def include(self, moment: datetime) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "_LOOK_S", 0.02)
    monkeypatch.setattr("jph.alerts.notices._FIRST_RETRY_S", 0.02)


def house(network: NetworkMaker, *senders: dict[str, Any], **settings: Any) -> Network:
    rules = {"cold": {"After": 0, "Clear": 0}}
    node = {"Senders": list(senders), "Rules": rules, "State": "AS", "House": "home", **settings}
    return network(
        {"Codifier": "AL", "Type": "Alerts", "SensorInterval": 0.1, "Sensor": node},
        {"Codifier": "AS", "Type": "Proxy", "Name": "Alerts", "Sensor": {"Codifier": "AL"}},
        {"Codifier": "K0", "Type": "Thermometers"},
        {"Codifier": "TH", "Type": "Proxy", "Symbol": "°C", "Sensor": {"Codifier": "K0"}},
        Rooms=[{"Codifier": "RM", "Name": "Hall", "Thermometers": ["TH"]}],
    )


@asynccontextmanager
async def watched(network: Network) -> AsyncIterator[tuple[Alerts, Thermometers]]:
    node, thermometers = Alerts("AL", network), Thermometers("K0", network)
    async with running(node, thermometers):
        yield node, thermometers


async def becomes(node: Alerts, thermometers: Node, celsius: float, open_alerts: int) -> None:
    """Send a temperature until it has made so many open alerts."""

    def done() -> bool:
        thermometers.send(celsius, codifier="TH")
        return len(node._book.open) == open_alerts

    await until(done)


def texts(board: Board) -> list[str]:
    return [json.loads(asked.body)["text"] for asked in board.asked if asked.path == "/hook"]


async def test_an_alert_and_its_end_go_to_every_service_once(network: NetworkMaker) -> None:
    with web_server() as board:
        board.answers |= {"/hook": OK, "/house": OK, "/message": OK}
        services = [
            {"Type": "webhook", "URL": f"{board.url}/hook"},
            {"Type": "ntfy", "URL": f"{board.url}/house"},
            {"Type": "gotify", "URL": board.url},
        ]
        async with watched(house(network, *services)) as (node, thermometers):
            await becomes(node, thermometers, 9.0, 1)
            await becomes(node, thermometers, 19.0, 0)
            await until(lambda: len(board.asked) == 6)
        assert texts(board) == ["It is 9.0 °C in Hall.", texts(board)[1]]
        assert texts(board)[1].startswith("Over after")
        paths = [asked.path for asked in board.asked]
        assert {path: paths.count(path) for path in paths} == {
            "/hook": 2,
            "/house": 2,
            "/message": 2,
        }
        assert _header(board.asked, "/house", "Title") == "home: cold"


def _header(asked: list[Asked], path: str, name: str) -> str:
    return next(each.headers[name] for each in asked if each.path == path)


async def test_a_service_that_is_away_gets_all_in_order_later_even_after_a_restart(
    network: NetworkMaker,
) -> None:
    with web_server() as board:
        board.answers["/hook"] = AWAY
        net = house(network, {"Type": "webhook", "URL": f"{board.url}/hook"})
        async with watched(net) as (node, thermometers):
            await becomes(node, thermometers, 9.0, 1)
            await until(lambda: len(board.asked) > 1)  # tried more than once
        board.answers["/hook"] = OK
        before = len(board.asked)
        async with watched(net) as (node, thermometers):
            assert len(node._book.open) == 1
            await until(lambda: len(board.asked) > before)
            await becomes(node, thermometers, 19.0, 0)
            await until(lambda: len(board.asked) == before + 2)
        assert texts(board)[before] == "It is 9.0 °C in Hall."
        assert texts(board)[before + 1].startswith("Over after")


async def test_quiet_hours_hold_a_notice_that_is_not_urgent(network: NetworkMaker) -> None:
    with web_server() as board:
        board.answers["/hook"] = OK
        sender = {"Type": "webhook", "URL": f"{board.url}/hook"}
        net = house(network, sender)
        async with watched(net) as (node, thermometers):
            node._quiet = Always()
            await becomes(node, thermometers, 9.0, 1)
            assert node._outboxes["webhook"].waiting
            node._quiet = QuietHours()
            await until(lambda: board.asked)


async def test_a_mail_reaches_its_server(network: NetworkMaker) -> None:
    mails: list[str] = []
    server = await asyncio.start_server(lambda r, w: _smtp(r, w, mails), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = {"Type": "smtp", "Host": "127.0.0.1", "Port": port, "TLS": "none"}
    net = house(network, {**sender, "From": "jph@example.org", "To": ["me@example.org"]})
    async with watched(net) as (node, thermometers):
        await becomes(node, thermometers, 9.0, 1)
        await until(lambda: mails)
    server.close()
    assert "Subject: home: cold" in mails[0]
    assert "To: me@example.org" in mails[0]


async def _smtp(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mails: list[str]
) -> None:
    """Take mails as the smallest server of RFC 5321 does."""
    writer.write(b"220 test\r\n")
    while line := (await reader.readline()).decode():
        word = line[:4].upper()
        if word == "DATA":
            writer.write(b"354 go on\r\n")
            lines = []
            while (text := (await reader.readline()).decode()) != ".\r\n":
                lines.append(text)
            mails.append("".join(lines))
        writer.write(b"221 bye\r\n" if word == "QUIT" else b"250 ok\r\n")
        if word == "QUIT":
            break
    await writer.drain()
    writer.close()


async def test_the_state_carries_the_open_alerts_and_those_that_are_over(
    network: NetworkMaker,
) -> None:
    states: list[dict[str, Any]] = []

    class Page(Node, type="Page"):
        def on_data(self, readings: Any) -> None:
            states.extend(json.loads(r.value) for r in readings if r.source == "AS")

    net = house(network)
    page = Page("K0", net)
    node = Alerts("AL", net)
    async with running(node, page):
        await becomes(node, page, 9.0, 1)
        await until(lambda: states and states[-1]["open"])
        await becomes(node, page, 19.0, 0)
        await until(lambda: states[-1]["ended"])
    assert states[-1]["value"] == 0
    assert states[-1]["ended"][0]["values"] == {"room": "Hall", "celsius": "9.0"}


@pytest.mark.parametrize(
    "settings",
    [
        {"Senders": [{"Type": "ntfy"}]},
        {"Senders": [{"Type": "smtp", "Host": "x"}]},
        {"Senders": [{"Type": "pigeon", "URL": "http://x"}]},
        {"Quiet": "late"},
        {"TimeZone": "Mars/Base"},
        {"Rules": {"weather": {}}},
    ],
)
def test_mistakes_of_the_config_are_named(
    config_file: Callable[..., Path], settings: dict[str, Any]
) -> None:
    config = config_file({"Codifier": "AL", "Type": "Alerts", "Sensor": settings})
    with pytest.raises(ConfigError):
        kinds.parse(config.read_bytes(), str(config))
