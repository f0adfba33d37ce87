"""The pool over HTTP: what its node says, whatever it says, and the switch."""

import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.live.board import Board
from jph.gateway.node import Gateway
from jph.gateway.subjects.pool import Run, pool_of
from nodes.pool import Pool
from tests.jph.gateway.houses import element, node
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess, alive, reading
from tests.support import LIMIT_S, running

Document = dict[str, Any]
MakeNetwork = Callable[..., Network]
SAID: Document = {
    "value": 1,
    "mode": "auto",
    "why": "temperature",
    "temperature": 24.5,
    "warmest": 26.0,
    "planned": 13.0,
    "done": 4.25,
    "runs": [[1000, 2000]],
    "ahead": [3000, 4000],
}


def sensors(**settings: Any) -> list[Document]:
    """Return a pool, its elements, a thermometer and a gateway."""
    pool = {"Temperature": "TW", "Mode": "PM", "State": "PS", **settings}
    return [
        node("PO", "Pool", "Pool", SensorInterval=0.1, DataType="bool", Sensor=pool),
        element("PM", "PO", "Switch", Control="enabled"),
        element("PS", "PO", "State", DataType="json"),
        element("TW", "C1", "Water", "°C"),
        node("C1", "TempLinux", Sensor={"Pipe": "/dev/null"}),
        node("R1", "jphRedis"),
        node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"}),
    ]


def board_with(network: Network, said: object) -> Board:
    board = Board(network)
    text = said if isinstance(said, str) else json.dumps(said)
    hashes = {"PO": {**alive(), **reading(1)}, "PS": reading(text)}
    board.update(hashes, round(time.time() * 1000), time.monotonic(), old=False)
    return board


def test_what_a_pool_says(network: MakeNetwork) -> None:
    house = network(*sensors())
    pool = pool_of(board_with(house, SAID), house.sensor("PO"))
    assert (pool.mode, pool.why, pool.running, pool.switch) == ("auto", "temperature", True, "PM")
    assert (pool.temperature, pool.warmest, pool.planned, pool.done) == (24.5, 26, 13, 4.25)
    assert (pool.runs, pool.ahead) == ([Run(1000, 2000)], Run(3000, 4000))
    assert pool.state == "alive"
    start = datetime.fromtimestamp(pool.day.start / 1000, ZoneInfo("Europe/Paris"))
    assert (start.hour, start.minute) == (0, 0)
    assert 23 * 3_600_000 <= pool.day.end - pool.day.start <= 25 * 3_600_000


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no JSON",
        "[1, 2]",
        "[" * 5000,
        {},
        {"mode": "<b>", "why": 7, "runs": "x", "ahead": 5, "planned": "13", "done": True},
        {"runs": [[1], [2, 1], [1, "2"], [1, 2.5], [-5, 1], None], "ahead": [1]},
        {"mode": [], "why": "\ud800"},
        {"temperature": 1e400, "warmest": float("nan"), "planned": 10**400},
    ],
)
def test_whatever_it_says_is_borne(network: MakeNetwork, said: object) -> None:
    house = network(*sensors())
    pool = pool_of(board_with(house, said), house.sensor("PO"))
    assert (pool.mode, pool.temperature, pool.planned, pool.done) == ("", None, None, None)
    assert (pool.runs, pool.ahead) == ([], None)
    assert msgspec.json.encode(pool)


def test_a_pool_without_a_switch_or_state(network: MakeNetwork) -> None:
    house = network(*sensors(Mode="", State="", TimeZone="Nowhere/Land"))
    pool = pool_of(Board(house), house.sensor("PO"))
    assert (pool.switch, pool.mode, pool.running, pool.state) == ("", "", None, "silent")


@pytest.fixture
def home(network: MakeNetwork, redis: RedisProcess) -> Network:
    return network(*sensors(), Redis={"URL": redis.url})


@pytest.fixture
async def gateway(home: Network) -> AsyncIterator[Gateway]:
    """Yield a gateway beside a real pool node."""
    page = Gateway("CF", home)
    async with running(Pool("PO", home), page):
        yield page


async def test_the_pool_of_the_cache(gateway: Gateway, redis: RedisProcess) -> None:
    redis.write({"PO": reading(1), "PS": reading(json.dumps(SAID))})
    async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as visitor:

        async def told() -> Document:
            (pool,) = (await visitor.get("/api/pool")).json()
            return dict(pool)

        while (await told())["planned"] != 13:
            pass
        page = (await visitor.get("/pool")).text
        assert 'href="/pool"' in page
        assert 'data-pool="PO"' in page
        assert "data-mode" not in page


@pytest.mark.usefixtures("patient")
async def test_the_switch_is_for_operators(gateway: Gateway) -> None:
    async with logged_in(gateway, Role.VIEWER) as viewer:
        assert (await viewer.post("/sensormsg/PM/A/1")).status_code == 403
        assert "data-mode" not in (await viewer.get("/pool")).text
    async with logged_in(gateway, Role.OPERATOR) as operator:
        assert 'data-mode="1"' in (await operator.get("/pool")).text
        answer = (await operator.post("/sensormsg/PM/A/1")).json()
        assert answer["done"] is True
        assert answer["value"] == 1


async def test_without_a_pool_there_is_no_page_in_the_navigation(
    network: MakeNetwork, redis: RedisProcess
) -> None:
    bare = network(
        node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"}), Redis={"URL": redis.url}
    )
    page = Gateway("CF", bare)
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as visitor:
        shown = (await visitor.get("/pool")).text
        assert "No pool is configured." in shown
        assert 'href="/pool"' not in shown
        assert (await visitor.get("/api/pool")).json() == []
