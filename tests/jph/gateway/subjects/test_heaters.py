"""Orders from the API to a real card: done, refused, held for a time, and reported."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts import audit
from jph.gateway.node import Gateway
from tests.i2cserver import I2CServer
from tests.jph.gateway.stage import RedisProcess, reading
from tests.jph.gateway.warmhouse import QuickCard, warm_house
from tests.jph.heating.explain.tellinghouse import ledger
from tests.support import LIMIT_S, running

ORDERS = "/api/heaters/orders"


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess, chip: I2CServer) -> Network:
    """Return a house that can be heated, in the place of the plain one."""
    return network(*warm_house(chip), Redis={"URL": redis.url})


@pytest.fixture
async def card(gateway: Gateway, home: Network) -> AsyncIterator[QuickCard]:
    """Run the card beside the gateway."""
    card = QuickCard("P1", home)
    async with running(card):
        yield card


@pytest.mark.usefixtures("patient", "card")
async def test_a_room_is_told_and_the_card_answers(
    operator: httpx.AsyncClient, chip: I2CServer
) -> None:
    answer = await operator.post(ORDERS, json={"target": "11", "order": "eco"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["done"] is True
    assert told["until"] is None
    assert told["heaters"] == [
        {
            "codifier": "11",
            "room": "Kitchen",
            "name": "Wall",
            "wanted": "eco",
            "ordered": "eco",
            "applied": "eco",
            "followed": True,
            "text": "eco",
        }
    ]
    assert chip.latches == (0b11, 0)


@pytest.mark.usefixtures("patient", "card")
async def test_a_phase_with_a_relay_is_done_in_part(operator: httpx.AsyncClient) -> None:
    answer = await operator.post(ORDERS, json={"target": "phase 1", "order": "comfort-1"})
    told = answer.json()
    assert told["done"] is False
    assert [each["text"].split(",")[0] for each in told["heaters"]] == ["comfort-1", "refused"]


async def test_a_card_that_is_away_is_told(operator: httpx.AsyncClient) -> None:
    told = (await operator.post(ORDERS, json={"target": "12", "order": "off"})).json()
    assert told["done"] is False
    assert told["heaters"][0]["text"] == "no answer"
    answer = await operator.post(
        ORDERS, json={"target": "12", "order": "off"}, headers={"accept-language": "fr"}
    )
    assert answer.json()["heaters"][0]["text"] == "pas de réponse"


@pytest.mark.usefixtures("patient")
async def test_a_hold_lives_on_the_card(
    operator: httpx.AsyncClient, card: QuickCard, state: Path
) -> None:
    await operator.post(ORDERS, json={"target": "11", "order": "eco"})
    told = await operator.post(ORDERS, json={"target": "11", "order": "comfort", "seconds": 3600})
    until = told.json()["until"]
    assert abs(until - 1000 * time.time() - 3_600_000) < 1000 * LIMIT_S
    kept = json.loads((state / "orders" / f"{card.codifier}.json").read_text())["11"]
    assert kept["order"] == 0
    assert kept["until_ms"] == until // 1000 * 1000
    assert kept["before"]["order"] == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"target": "attic", "order": "eco"}, 400),
        ({"target": "11", "order": "warm"}, 400),
        ({"target": "", "order": "eco"}, 400),
        ({"target": "11"}, 400),
        ({"target": "11", "order": "eco", "seconds": 0}, 400),
        ({"target": "11", "order": "eco", "seconds": 8 * 86_400}, 400),
        ({"target": "11", "order": "eco", "seconds": 1.5}, 400),
        ({"target": "11", "order": "eco", "more": 1}, 400),
        ([], 400),
    ],
)
async def test_what_is_no_order(operator: httpx.AsyncClient, body: object, status: int) -> None:
    answer = await operator.post(ORDERS, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_who_may_only_look(
    viewer: httpx.AsyncClient, visitor: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    body = {"target": "11", "order": "eco"}
    assert (await viewer.post(ORDERS, json=body)).status_code == 403
    assert (await visitor.post(ORDERS, json=body)).status_code in (401, 403)
    assert (await operator.get(ORDERS)).status_code == 405
    assert (await visitor.get("/api/heaters")).status_code == 200


async def test_every_order_is_kept_with_who_gave_it(
    operator: httpx.AsyncClient, gateway: Gateway
) -> None:
    await operator.post(ORDERS, json={"target": "12", "order": "eco", "seconds": 60})
    assert gateway._accounts is not None
    accounts, found = gateway._accounts, False
    async with asyncio.timeout(LIMIT_S):
        while not found:
            lines = await accounts.run(audit.listed, None, 5)
            found = any(line.what == "order 12 eco for 60 s" for line in lines)
    line = next(each for each in lines if each.what.startswith("order"))
    assert (line.who, line.answer) == ("operator", "12 no answer")


async def test_why_a_heater_is_off(http: httpx.AsyncClient, redis: RedisProcess) -> None:
    redis.write({"11": reading(0), "S1": reading(1), "I1": reading(29), "IS": reading(30)})
    heaters: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(LIMIT_S):
        while not heaters or not heaters["11"]["shed"]:
            heaters = {each["codifier"]: each for each in (await http.get("/api/heaters")).json()}
    assert heaters["11"]["order"] == "comfort"
    assert heaters["11"]["why"][0] == "11 (Kitchen Wall): ordered comfort, but shed: it gets off."
    assert heaters["11"]["reason"].startswith("Why, and until when, is not known")
    assert heaters["12"]["order"] is None
    french = await http.get("/api/heaters", headers={"accept-language": "fr"})
    assert "délesté" in french.json()[0]["why"][0]


async def test_times_of_day_in_sentences_are_those_of_who_asks(
    http: httpx.AsyncClient, redis: RedisProcess
) -> None:
    at_ms = time.time() * 1000
    wire = {"ordered": 0, "by": "CC", "at_ms": at_ms, "applied": 0, "verified": 0}
    redis.write({"11": reading(0), "K1": reading(ledger(w11=wire))})
    told = []
    for zone in ("Asia/Kathmandu", "America/New_York", "Europe", "../passwd", "Nowhere/Near"):
        for path in ("/api/heaters", "/api/house"):
            async with asyncio.timeout(LIMIT_S):
                while True:
                    answer = (await http.get(path, params={"zone": zone})).json()
                    heaters = answer if isinstance(answer, list) else answer["heaters"]
                    if "The order is from" in (sentence := heaters[0]["why"][1]):
                        break
            told.append(sentence.partition(" at ")[2].partition(",")[0])
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    zones = [ZoneInfo("Asia/Kathmandu"), ZoneInfo("America/New_York"), None, None, None]
    here = f"{moment.astimezone():%H:%M:%S %Z}"
    clocks = [f"{moment.astimezone(zone):%H:%M:%S}" if zone else here for zone in zones]
    assert told == [clock for clock in clocks for _ in range(2)]


async def test_the_page_has_orders_for_who_may_give_them(
    operator: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    page = (await operator.get("/heaters")).text
    assert 'data-give="comfort-1"' in page
    assert "Hall" in page
    looking = (await viewer.get("/heaters")).text
    assert "data-give" not in looking
    assert "an admin can let you give orders" in looking
