"""The page of the house over HTTP, its API, and what it tells of today from a real history."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from collector.db.connecting import transaction
from collector.energy.consumed import HourOfPeriod
from collector.energy.money import local_days, rebuild
from collector.ingest.buffer import Batch
from collector.ingest.writer import Store
from jph.config.model import Network
from jph.gateway.node import Gateway
from jph.gateway.subjects.house.today import day_earlier, drawn_by, usual_end
from jph.wire.codec import Reading
from tests.jph.gateway.houses import element, house, node
from tests.jph.gateway.stage import RedisProcess, alive, now_ms, reading
from tests.stores_fixtures import connect
from tests.support import LIMIT_S, running

PARIS = ZoneInfo("Europe/Paris")


async def test_phases_in_words_and_numbers(http: httpx.AsyncClient, redis: RedisProcess) -> None:
    redis.write({"I1": reading(29), "IS": reading(30), "11": reading(3), "S1": reading(1)})
    async with asyncio.timeout(LIMIT_S):
        while True:
            content = (await http.get("/api/house")).json()
            if content["phases"][0]["current"] == 29 and content["heaters"][0]["shed"]:
                break
    phase = content["phases"][0]
    assert phase["limit"] == 30
    assert phase["shed"] == ["11"]
    assert phase["said"].startswith("Phase 1 draws 29 A now, its limit is 30 A")
    assert content["history"] == "none"
    assert content["glance"] == {"energy": None, "tariff_ends": None}


async def test_the_page_in_two_languages(http: httpx.AsyncClient, redis: RedisProcess) -> None:
    english = (await http.get("/", headers={"accept-language": "en"})).text
    french = (await http.get("/", headers={"accept-language": "fr-FR,fr;q=0.9"})).text
    assert '<html lang="en"' in english
    assert ">Rooms<" in english
    assert '<html lang="fr"' in french
    assert ">Pièces<" in french
    assert ">Rooms<" not in french


async def test_who_needs_a_look_is_told_before_any_script_runs(
    home: Network, redis: RedisProcess
) -> None:
    now = now_ms()
    redis.write({"P1": alive(at_ms=now - 12_000), "P2": alive(at_ms=now - 7_200_000)})
    redis.write({"SH": alive(active=False)})
    gateway = Gateway("CF", home)
    async with (
        running(gateway),
        httpx.AsyncClient(base_url=gateway.url) as http,
        asyncio.timeout(LIMIT_S),
    ):
        page = ""
        while "is halted" not in page:
            page = (await http.get("/")).text
    told = [each.partition("<")[0] for each in page.split('<li><a href="/network#')[1:]]
    assert [each.partition(">")[2] for each in told if each[:2] != "P1"] == [
        "Processor (C1) has never been heard",
        "Card 2 (P2) is dead: no sign of life for 2 h, expected every 10 s",
        "Cache (R1) has never been heard",
        "Shedding (SH) is halted: it sends no values",
        "Meter (TI) has never been heard",
    ]
    assert "Card 1 (P1) is late: no sign of life for " in page
    assert re.search(r'id="nodes"[^>]*>6 nodes of \d need a look</p>', page)


async def test_a_house_without_anything_says_so(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    bare = network(
        node("CF", "Gateway", "Page", Sensor={"Port": 0, "Public": "read"}),
        Redis={"URL": redis.url},
    )
    gateway = Gateway("CF", bare)
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        page = (await http.get("/")).text
        assert "Nothing of a house yet" in page
        assert "No heaters" in (await http.get("/heaters")).text
        assert (await http.get("/api/house")).json()["heaters"] == []


@pytest.fixture
async def away(
    network: Callable[..., Network], redis: RedisProcess
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a house whose PostgreSQL is not there."""
    sql = {"Database": "nowhere", "User": "unknown", "Host": "127.0.0.1", "Port": 1}
    gateway = Gateway("CF", network(*house(), Redis={"URL": redis.url}, SQL=sql))
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        yield http


async def test_postgresql_away_is_said_and_nothing_else_is_lost(away: httpx.AsyncClient) -> None:
    content = (await away.get("/api/house")).json()
    assert content["history"] == "away"
    assert content["glance"]["energy"] is None
    assert len(content["heaters"]) == 3
    assert (await away.get("/")).status_code == 200


def hour(end: datetime, wh: int) -> HourOfPeriod:
    return HourOfPeriod(end, "BASE", wh, 0)


def test_what_was_drawn_by_a_moment() -> None:
    midnight = datetime(2026, 10, 5, tzinfo=PARIS)
    hours = [hour(midnight + timedelta(hours=n), 100 * n) for n in (1, 2, 3)]
    assert drawn_by(hours, midnight) is None
    assert drawn_by(hours, midnight + timedelta(minutes=30)) == 50
    assert drawn_by(hours, midnight + timedelta(hours=2)) == 300
    assert drawn_by(hours, midnight + timedelta(hours=2, minutes=15)) == 375
    assert drawn_by(hours, midnight + timedelta(hours=9)) == 600
    assert drawn_by([], midnight) is None


@pytest.mark.parametrize("day", [date(2026, 3, 30), date(2026, 10, 26), date(2026, 7, 1)])
def test_the_same_local_time_of_the_day_before(day: date) -> None:
    moment = datetime(day.year, day.month, day.day, 10, 20, tzinfo=PARIS).astimezone(UTC)
    before = day_earlier(moment, PARIS)
    assert (before.hour, before.minute) == (10, 20)
    assert before.date() == day - timedelta(days=1)


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def test_when_a_period_usually_ends() -> None:
    noon = datetime(2026, 10, 5, 12, tzinfo=PARIS)
    changes = []
    for back in (3, 2, 1, 0):
        start = datetime(2026, 10, 5 - back, 6, 0, back, tzinfo=PARIS)
        changes += [(ms(start), "HP"), (ms(start + timedelta(hours=16)), "HC")]
    changes = [each for each in changes if each[0] <= ms(noon)]
    end = usual_end(changes, noon, PARIS)
    assert end is not None
    assert (end.date(), end.hour, end.minute) == (noon.date(), 22, 0)
    assert usual_end(changes[-3:], noon, PARIS) is None  # one day is no habit
    assert usual_end([], noon, PARIS) is None


async def test_today_beside_yesterday_from_a_real_history(
    network: Callable[..., Network], redis: RedisProcess, sql: dict[str, Any]
) -> None:
    """Six days at 1,200 W, then 2,400 W since midnight; off-peak from 22:00 to 06:00."""
    entries = house({"Port": 0, "Public": "read"})
    fields = entries[0]["Sensor"]["Proxy"]
    fields.append({"Codifier": "X1", "Field": "BASE"})
    home = network(
        *entries,
        element("X1", "TI", "Index", "Wh"),
        node("Q1", "jphPostgreSQL"),
        SQL=sql,
        Redis={"URL": redis.url},
    )
    zone = local_days(home).zone
    now = datetime.now(zone)
    midnight = datetime(now.year, now.month, now.day, tzinfo=zone)
    fill(sql, home, midnight, now)
    gateway = Gateway("CF", home)
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        content = (await http.get("/api/house")).json()
    energy = content["glance"]["energy"]
    assert content["history"] == "there"
    assert abs(energy["until"] - ms(now)) <= 60_000
    gone_h = (energy["until"] - ms(midnight)) / 3_600_000
    assert abs(energy["wh"] - 2400 * gone_h) <= 60
    assert abs(energy["yesterday"] - 1200 * gone_h) <= 60
    assert abs(energy["day_before"] - 1200 * 24) <= 100
    end = datetime.fromtimestamp(content["glance"]["tariff_ends"] / 1000, zone)
    assert (end.hour, end.minute) in {(6, 0), (22, 0)}
    assert timedelta() < end - now <= timedelta(hours=16)


def fill(sql: dict[str, Any], home: Network, midnight: datetime, now: datetime) -> None:
    """Store an index each minute and each change of the tariff, and count them."""
    dsn = f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}"
    start, readings, watt_minutes = midnight - timedelta(days=4), [], 0
    moments = range(ms(start), ms(now), 60_000)
    for number, at_ms in enumerate(moments):
        readings.append(Reading(number, 7, at_ms, "q", "X1", "@@", 1, 0, watt_minutes // 60))
        watt_minutes += 2400 if at_ms >= ms(midnight) else 1200
    changes = [
        (start + timedelta(days=day, hours=hour), period)
        for day in range(5)
        for hour, period in ((6, "HP.."), (22, "HC.."))
    ]
    changes = [each for each in changes if each[0] <= now]
    for number, (moment, period) in enumerate(changes):
        readings.append(Reading(number, 7, ms(moment), "s", "TP", "@@", 1, 0, period))
    store = Store("Q1")
    store.open(dsn, ms(now))
    store.write(Batch(readings, []), ms(now))
    store.close()
    with contextlib.closing(connect(sql)) as connection, transaction(connection) as cursor:
        rebuild(cursor, home, ms(now))
