"""Energy and costs over HTTP, from a real PostgreSQL: the same figures as `control.py cost`."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from psycopg2.extras import execute_values

from collector.db.schema import migrate
from collector.energy.account import Span
from collector.statistics.local_days import LocalDays
from jph.config.model import Network
from jph.gateway.node import Gateway
from jph.gateway.subjects.energy.report import before, same_point, span_of, year_before
from tests.jph.cli.programs import control
from tests.jph.gateway.houses import card, element, node, shedder
from tests.jph.gateway.stage import RedisProcess
from tests.stores_fixtures import connect
from tests.support import LIMIT_S, running

Document = dict[str, Any]
MakeNetwork = Callable[..., Network]

PARIS = ZoneInfo("Europe/Paris")
DAYS = LocalDays(PARIS)
TARIFF = {
    "Name": "Mine",
    "From": "2025-01-01",
    "Power": 9,
    "Subscription": {"9": "15.50"},
    "Prices": {"HC": "0.1579", "HP": "0.2065"},
    "Taxes": [{"Name": "VAT", "Percent": "20", "Of": ["Subscription", "Energy"]}],
}
FIRST = date(2025, 9, 1)


def sensors() -> list[Document]:
    """Return a meter with two indexes and what sheds."""
    proxy = [{"Codifier": code, "Field": f"INDEX_{p}"} for code, p in (("X1", "HC"), ("X2", "HP"))]
    meter = node("TI", "Teleinfo", Sensor={"Device": "/dev/null", "Proxy": proxy})
    return [
        *(meter, element("X1", "TI"), element("X2", "TI")),
        *card("P1", 1, ("11", "Kitchen"), ("12", "Hall")),
        *shedder(1),
        node("Q1", "jphPostgreSQL"),
        node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"}),
    ]


def hour_rows(until: datetime) -> Iterator[tuple[str, datetime, date, str, int]]:
    """Yield (index, end, day, period, Wh): more each hour of the day, a little more each day."""
    day = FIRST
    while day <= until.date():
        at_ms, end_ms = DAYS.midnight_ms(day), DAYS.midnight_ms(day + timedelta(days=1))
        number = 0
        while at_ms < end_ms:
            at_ms = DAYS.hour_of(at_ms + 1).end_ms
            end = datetime.fromtimestamp(at_ms / 1000, PARIS)
            if end > until:
                return
            code, period = ("X1", "HC") if number < 6 else ("X2", "HP")
            yield code, end, day, period, 100 * number + day.toordinal() % 97
            number += 1
        day += timedelta(days=1)


@pytest.fixture
def now() -> datetime:
    """Return the end of the history."""
    return datetime.now(PARIS)


@pytest.fixture
def history(sql: Document, now: datetime) -> Document:
    """Return a database with energy by hour up to now, and what was shed on two days."""
    with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
        migrate(connection)
        execute_values(
            cursor,
            "INSERT INTO energy_hour VALUES %s",
            list(hour_rows(now)),
            "(%s, %s, %s, 'TI', %s, %s, 0, 0, 3600)",
            page_size=5000,
        )
        noon = datetime(2026, 3, 10, 12, tzinfo=PARIS)
        for days, peak, overruns in ((0, 31.5, 2), (1, 28.0, 0)):
            at = noon + timedelta(days=days)
            cursor.execute(
                "INSERT INTO phase_hour VALUES (1, %s, %s, 3600, 12, 2760, %s, %s, %s, 7.5, 600)",
                (at, at.date(), peak, at - timedelta(minutes=5), overruns),
            )
            cursor.execute(
                "INSERT INTO heater_hour VALUES ('11', %s, %s, 1, 3600, 600, 120)", (at, at.date())
            )
        connection.commit()
    return sql


@contextlib.asynccontextmanager
async def opened(network: Network) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client, not logged in, of a gateway of its own."""
    page = Gateway("CF", network)
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as client:
        yield client


@pytest.fixture
async def http(
    network: MakeNetwork, history: Document, redis: RedisProcess
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a gateway with a history and a tariff."""
    house = network(*sensors(), SQL=history, Redis={"URL": redis.url}, Tariffs=[TARIFF])
    async with opened(house) as client:
        yield client


async def energy(http: httpx.AsyncClient, span: str, at: str = "") -> Document:
    query = {"span": span} | ({"at": at} if at else {})
    answer: Document = (await http.get("/api/energy", params=query)).raise_for_status().json()
    return answer


@pytest.mark.parametrize(
    ("span", "at", "name"),
    [
        ("day", "2026-10-25", "2026-10-25"),
        ("week", "2026-01-01", "2026-W01"),
        ("month", "2025-10-15", "2025-10"),
        ("year", "2026-05-05", "2026"),
    ],
)
async def test_the_same_to_the_cent_as_control_cost(
    http: httpx.AsyncClient,
    history: Document,
    config_file: Callable[..., Path],
    span: str,
    at: str,
    name: str,
) -> None:
    config = config_file(*sensors(), SQL=history, Tariffs=[TARIFF])
    done = control(config, "cost", f"--{span}", name, "--json")
    told, found = json.loads(done.stdout), await energy(http, span, at)
    assert (found["name"], found["first"]) == (name, told["from"])
    assert found["amount"] == told["amount"]
    assert found["wh"] == told["wh"]
    assert found["lines"] == told["lines"]
    assert (found["expected"] or None) == told["expected"]
    assert found["currency"] == "EUR"


async def test_bars_add_up_to_the_whole(http: httpx.AsyncClient) -> None:
    for span, at, bars in (
        ("day", "2026-03-10", 24),
        ("day", "2026-03-29", 23),
        ("day", "2025-10-26", 25),
        ("week", "2026-03-10", 7),
        ("month", "2026-02-10", 28),
        ("year", "2026-02-10", 12),
    ):
        found = await energy(http, span, at)
        assert len(found["bars"]) == bars
        assert sum(sum(bar["wh"].values()) for bar in found["bars"]) == found["wh"]
    year = await energy(http, "year")
    cents = sum(sum(bar["cents"].values()) for bar in year["bars"])
    assert f"{cents / 100:.2f}" == year["amount"]
    ghosts = [bar["before_wh"] for bar in (await energy(http, "week", "2026-03-10"))["bars"]]
    week_before = await energy(http, "week", "2026-03-03")
    assert ghosts == [sum(bar["wh"].values()) for bar in week_before["bars"]]


async def test_against_the_span_before_and_a_year_before(http: httpx.AsyncClient) -> None:
    found = await energy(http, "month", "2026-10-10")
    assert found["before"]["name"] == "2026-09"
    assert found["before"]["amount"] == (await energy(http, "month", "2026-09-01"))["amount"]
    assert found["year_before"]["name"] == "2025-10"
    assert found["year_before"]["whole"] is True
    assert (found["earlier"], found["later"]) == ("2026-09-01", "2026-11-01")
    first = await energy(http, "month", "2025-09-10")
    assert (first["before"], first["year_before"], first["earlier"]) == (None, None, None)
    second = await energy(http, "year", "2026-01-01")
    assert second["before"]["whole"] is False


async def test_a_running_span_is_compared_as_far_as_it_has_come(http: httpx.AsyncClient) -> None:
    found = await energy(http, "month")
    assert found["running"] is True
    until = datetime.fromisoformat(found["so_far_until"])
    known = [(end, wh) for _, end, _, _, wh in hour_rows(datetime.now(PARIS))]
    now_span = span_of("month", until.astimezone(PARIS).date())
    point = same_point(now_span, before("month", now_span), until.astimezone(PARIS))
    midnight = DAYS.midnight_ms(before("month", now_span).first) / 1000
    hours = [wh for end, wh in known if midnight < end.timestamp() <= point.timestamp()]
    # In the first hour of a month there is nothing yet to compare.
    assert found["before"]["so_far_wh"] == (sum(hours) if hours else None)
    assert found["later"] is None
    past = await energy(http, "month", "2026-02-02")
    assert (past["running"], past["expected"], past["so_far_wh"]) == (False, None, None)


async def test_sheds_overruns_peaks_and_heaters(http: httpx.AsyncClient) -> None:
    found = await energy(http, "month", "2026-03-01")
    (phase,) = found["phases"]
    assert (phase["phase"], phase["shed_minutes"], phase["overruns"]) == (1, 20, 2)
    assert phase["peak_a"] == 31.5
    peak = datetime.fromisoformat(phase["peak_time"])
    assert peak.astimezone(UTC) == datetime(2026, 3, 10, 10, 55, tzinfo=UTC)
    assert [(each["day"], each["peak_a"]) for each in found["peaks"]] == [
        ("2026-03-10", 31.5),
        ("2026-03-11", 28.0),
    ]
    (heater,) = found["heaters"]
    assert (heater["code"], heater["name"]) == ("11", "Kitchen, Wall")
    assert (heater["shed_minutes"], heater["eco_minutes"], heater["known_h"]) == (20, 4, 2)
    months = (await energy(http, "year", "2026-03-01"))["peaks"]
    assert [(each["day"], each["peak_a"]) for each in months] == [("2026-03-01", 31.5)]


async def test_without_a_tariff_there_are_kwh_and_a_hint(
    network: MakeNetwork, history: Document, redis: RedisProcess
) -> None:
    async with opened(network(*sensors(), SQL=history, Redis={"URL": redis.url})) as http:
        found = await energy(http, "month", "2026-02-02")
        assert (found["priced"], found["amount"], found["lines"]) == (False, None, [])
        assert found["wh"] == sum(found["unpriced_wh"].values()) > 0
        page = await http.get("/energy", headers={"accept": "text/html"})
        assert "No tariff is configured" in page.text


async def test_nothing_to_show_is_said(
    network: MakeNetwork, sql: Document, redis: RedisProcess
) -> None:
    gateway = node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"})
    async with opened(network(gateway, Redis={"URL": redis.url})) as http:
        assert (await http.get("/api/energy")).status_code == 404
        assert "Nothing counts energy here" in (await http.get("/energy")).text
        assert 'href="/energy"' not in (await http.get("/log")).text
    bad = [TARIFF | {"Meter": "XX"}]
    async with opened(network(*sensors(), SQL=sql, Redis={"URL": redis.url}, Tariffs=bad)) as http:
        assert (await http.get("/api/energy")).status_code == 409


@pytest.mark.parametrize(
    "query", ["span=decade", "at=yesterday", "at=0001-01-01", "at=9999-12-31", "at=1970-01-01"]
)
async def test_questions_that_mean_nothing(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/api/energy?{query}")).status_code in (400, 404)


async def test_postgresql_away_is_said_and_the_page_stays(
    network: MakeNetwork, redis: RedisProcess
) -> None:
    nowhere = {"Host": "/nowhere", "Database": "jph", "User": "jph"}
    async with opened(network(*sensors(), SQL=nowhere, Redis={"URL": redis.url})) as http:
        answer = await http.get("/api/energy")
        assert answer.status_code == 503
        assert answer.json() == {"error": "PostgreSQL cannot be read now"}
        assert (await http.get("/energy")).status_code == 200


def test_spans_before() -> None:
    day = span_of("day", date(2024, 2, 29))
    assert year_before("day", day).first == date(2023, 2, 28)
    week = span_of("week", date(2026, 1, 1))
    assert before("week", week).name == "2025-W52"
    assert year_before("week", week).first == date(2024, 12, 30)
    assert before("year", span_of("year", date(2026, 5, 5))).name == "2025"


def test_the_same_point_is_never_beyond_the_end() -> None:
    march, february = span_of("month", date(2026, 3, 1)), span_of("month", date(2026, 2, 1))
    assert isinstance(march, Span)
    late = datetime(2026, 3, 31, 20, tzinfo=PARIS)
    assert same_point(march, february, late) == datetime(2026, 3, 1, tzinfo=PARIS)
    early = datetime(2026, 3, 5, 9, tzinfo=PARIS)
    assert same_point(march, february, early) == datetime(2026, 2, 5, 9, tzinfo=PARIS)
