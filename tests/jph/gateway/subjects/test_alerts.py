"""The page of alerts: what their node says, whatever it says, in the reader's language."""

import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.live.board import Board
from jph.gateway.node import Gateway
from jph.gateway.platform.language import LANGUAGES
from jph.gateway.subjects.alerts import alerts_of
from tests.jph.gateway.houses import element, node
from tests.jph.gateway.stage import RedisProcess, alive, reading
from tests.support import LIMIT_S, running

MakeNetwork = Callable[..., Network]
COLD = {
    "number": 7,
    "rule": "cold",
    "subject": "TH",
    "text": "It is {celsius} °C in {room}.",
    "values": {"celsius": "9.0", "room": "Hall"},
    "began": 1_795_000_000_000,
    "ended": 0,
}
SAID = {
    "value": 1,
    "open": [COLD],
    "ended": [{**COLD, "number": 5, "ended": 1_795_000_100_000}, {**COLD, "number": 6}],
    "waiting": {"ntfy": 2, "smtp": 1},
}


def sensors() -> list[dict[str, Any]]:
    return [
        node("AL", "Alerts", Sensor={"State": "AS"}),
        element("AS", "AL", "Alerts", DataType="json"),
        node("R1", "jphRedis"),
        node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"}),
    ]


def board_with(network: Network, said: object) -> Board:
    board = Board(network)
    text = said if isinstance(said, str) else json.dumps(said)
    hashes = {"AL": {**alive(), **reading(1)}, "AS": reading(text)}
    board.update(hashes, round(time.time() * 1000), time.monotonic(), old=False)
    return board


def test_open_alerts_and_those_that_are_over_the_newest_first(network: MakeNetwork) -> None:
    house = network(*sensors())
    now = alerts_of(board_with(house, SAID), house.sensor("AL"))
    assert [alert.number for alert in now.open] == [7]
    assert [alert.number for alert in now.ended] == [6, 5]
    assert (now.state, now.waiting) == ("alive", 3)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no JSON",
        "[1]",
        "[" * 5000,
        {"open": 5, "ended": {}, "waiting": []},
        {"open": [1, None, {}, {**COLD, "began": -1}, {**COLD, "number": "7"}]},
    ],
)
def test_what_cannot_be_believed_is_left_out(network: MakeNetwork, said: object) -> None:
    house = network(*sensors())
    now = alerts_of(board_with(house, said), house.sensor("AL"))
    assert (now.open, now.ended, now.waiting) == ([], [], 0)


def test_odd_values_are_texts(network: MakeNetwork) -> None:
    house = network(*sensors())
    odd = {**COLD, "values": {"room": 5, "x": "y" * 5000}, "text": None}
    (alert,) = alerts_of(board_with(house, {"open": [odd]}), house.sensor("AL")).open
    assert alert.text == ""
    assert alert.values["room"] == ""
    assert len(alert.values["x"]) == 400


def test_each_alert_has_its_french() -> None:
    french = LANGUAGES["fr"].words_of("alerts")
    assert french[str(COLD["text"])].startswith("Il fait")


@pytest.fixture
async def gateway(network: MakeNetwork, redis: RedisProcess) -> AsyncIterator[Gateway]:
    page = Gateway("CF", network(*sensors(), Redis={"URL": redis.url}))
    async with running(page):
        yield page


async def test_the_alerts_of_the_cache_are_on_the_page(
    gateway: Gateway, redis: RedisProcess
) -> None:
    redis.write({"AL": reading(1), "AS": reading(json.dumps(SAID))})
    async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as visitor:
        while not (await visitor.get("/api/alerts")).json()[0]["open"]:
            pass
        page = (await visitor.get("/alerts", headers={"accept-language": "fr"})).text
        assert 'href="/alerts"' in page
        assert "Alertes" in page
        assert 'id="open"' in page
