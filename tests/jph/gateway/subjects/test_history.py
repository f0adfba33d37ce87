"""The history over HTTP, from a real PostgreSQL: JSON for graphs, CSV for spreadsheets."""

import asyncio
import contextlib
import csv
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import psycopg2
import pytest

from jph.config.model import Network
from jph.errors import StoreError
from jph.gateway.live.history_reader import MOST_WAITING, Busy, HistoryReader
from jph.gateway.node import Gateway
from jph.gateway.subjects.history import LAST_MS, MOST_CODES, now_ms
from tests.jph.gateway import past
from tests.jph.gateway.stage import RedisProcess
from tests.stores_fixtures import connect
from tests.support import LIMIT_S, running, until

HOUR_MS = 3_600_000
Answer = dict[str, Any]


@pytest.fixture
def filled(
    network: Callable[..., Network], sql: dict[str, Any], redis: RedisProcess
) -> tuple[Network, int]:
    """Return a network with a history, and the ms of its last readings."""
    home = past.home(network, sql, redis.url)
    return home, past.fill(sql, home)


@pytest.fixture
async def http(filled: tuple[Network, int]) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client without a login of a gateway that any client may read."""
    page = Gateway("CF", filled[0])
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as client:
        yield client


async def ask(http: httpx.AsyncClient, **query: object) -> Answer:
    words = {"from_": "from"}
    parameters = {words.get(key, key): str(value) for key, value in query.items()}
    answer: Answer = (await http.get("/api/history", params=parameters)).raise_for_status().json()
    return answer


@pytest.mark.parametrize("every", ["raw", "10min", "hour"])
async def test_an_extreme_number_is_no_error(
    http: httpx.AsyncClient, filled: tuple[Network, int], sql: dict[str, Any], every: str
) -> None:
    """Stored by an earlier version with quality good; the graph shows the others."""
    _, end_ms = filled
    with contextlib.closing(connect(sql)) as base, base, base.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reading (codifier, timestamp, epoch, sequence, quality, value_real) "
            "SELECT 'I1', to_timestamp(%s / 1000.0 - n), 8, n, 0, v "
            "FROM (VALUES (1, 1e308), (2, -1e308)) AS bad (n, v)",
            (end_ms,),
        )
        cursor.execute(
            "UPDATE statistic_10min SET max = 1e308, mean = 1e308 WHERE codifier = 'I1' "
            "AND timestamp = (SELECT max(timestamp) FROM statistic_10min WHERE codifier = 'I1')"
        )
    query = {"from_": end_ms - 3 * HOUR_MS, "to": end_ms, "every": every}
    (current,) = (await ask(http, codes="I1", **query))["series"]
    assert current["v"]
    assert max(value for value in current["v"] if value is not None) < 1e3


async def test_columns_for_a_graph(http: httpx.AsyncClient, filled: tuple[Network, int]) -> None:
    _, end_ms = filled
    start_ms = end_ms - 26 * HOUR_MS
    answer = await ask(http, codes="I1,RA,ZZ", from_=start_ms, to=end_ms, points=400)
    assert (answer["from"], answer["to"]) == (start_ms, end_ms)
    assert abs(answer["now"] - now_ms()) < 60_000
    current, room, unknown = answer["series"]
    assert (current["code"], current["name"], current["unit"]) == ("I1", "IINST1", "A")
    assert current["every"] == "10min"
    assert 100 < len(current["t"]) <= 400
    assert len({len(current[column]) for column in ("t", "v", "lo", "hi")}) == 1
    assert current["t"] == sorted(current["t"])
    assert max(current["hi"]) == past.SPIKE
    assert max(current["v"]) < past.SPIKE
    ((from_ms, to_ms, why, many),) = current["gaps"]
    assert (to_ms - from_ms, why, many) == (181 * past.STEP_MS, "lost on the network", 180)
    assert current["expect"] == 30
    assert not any(from_ms + 600_000 < at <= to_ms for at in current["t"])
    assert room["unit"] == "°C"
    assert "gaps" not in room
    assert (unknown["t"], unknown["name"]) == ([], "")

    whole = await ask(http, codes="I1", from_=end_ms - HOUR_MS, to=end_ms, points=2000)
    (fine,) = whole["series"]
    assert (fine["every"], fine["step"], "lo" in fine) == ("raw", 0, False)
    assert len(fine["t"]) == 359

    days = await ask(http, codes="I1", from_=start_ms, to=end_ms, every="hour", statistic="max")
    assert past.SPIKE in days["series"][0]["v"]
    assert days["statistic"] == "max"
    joined = await ask(http, codes="I1", from_=start_ms, to=end_ms, every="10min", points=20)
    assert len(joined["series"][0]["t"]) <= 22  # a step is cut at either end
    assert joined["series"][0]["step"] == 8 * 600_000

    (words,) = (await ask(http, codes="TP", from_=start_ms - 1))["series"]
    assert [text for _, text in words["changes"]] == ["HC..", "HP..", "HC..", "HP.."]


NONSENSE: list[dict[str, str]] = [
    {},
    {"codes": ""},
    {"codes": "i1"},
    {"codes": "I1,"},
    {"codes": "I1;DROP"},
    {"codes": ",".join(f"A{c}" for c in "ABCDEFGHIJKLMN"[: MOST_CODES + 1])},
    {"codes": "I1", "from": "yesterday"},
    {"codes": "I1", "from": "-1"},
    {"codes": "I1", "from": "5", "to": "5"},
    {"codes": "I1", "to": "999999999999999999999"},
    {"codes": "I1", "every": "second"},
]
ODD: list[dict[str, str]] = [
    {"codes": "I1", "points": "1"},
    {"codes": "I1", "points": "1e9"},
    {"codes": "I1", "statistic": "worst"},
]


async def test_nonsense_is_refused(http: httpx.AsyncClient) -> None:
    for address, queries in (("/api/history", NONSENSE + ODD), ("/api/history.csv", NONSENSE)):
        for query in queries:
            answer = await http.get(address, params=query)
            assert answer.status_code == 400, (address, query, answer.text)
            assert answer.json()["error"]


async def test_any_time_has_an_answer(http: httpx.AsyncClient) -> None:
    for start, end in ((0, 1), (0, LAST_MS), (LAST_MS - 1, LAST_MS)):
        query: dict[str, str | int] = {"codes": "I1", "from": start, "to": end}
        for every in ("", "raw", "10min", "hour", "day"):
            words = {**query, "every": every} if every else query
            answer = await http.get("/api/history", params=words)
            assert answer.status_code == 200, (words, answer.text)
            assert (await http.get("/api/history.csv", params=words)).status_code == 200


async def test_csv_is_what_is_stored(http: httpx.AsyncClient, filled: tuple[Network, int]) -> None:
    _, end_ms = filled
    start_ms = end_ms - 26 * HOUR_MS
    query = {"codes": "I1,TP", "from": str(start_ms - 1), "to": str(end_ms)}
    answer = await http.get("/api/history.csv", params=query)
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="jph-I1-TP-raw.csv"'
    head, first, *rows = csv.reader(io.StringIO(answer.text))
    assert head == ["codifier", "time", "value", "quality"]
    assert first[0::2] == ["I1", "0.0"]
    assert datetime.fromisoformat(first[1]).timestamp() * 1000 == start_ms
    assert len(rows) + 1 == 26 * 360 - 180 + 4
    assert [row[2] for row in rows if row[0] == "TP"] == ["HC..", "HP..", "HC..", "HP.."]
    hours = await http.get("/api/history.csv", params={**query, "codes": "I1", "every": "hour"})
    found = list(csv.DictReader(io.StringIO(hours.text)))
    assert 24 <= len(found) <= 27
    assert max(float(row["max"]) for row in found) == past.SPIKE
    assert any(float(row["coverage"]) < 99 for row in found)


async def test_one_codifier_in_full(http: httpx.AsyncClient, filled: tuple[Network, int]) -> None:
    newest = (await http.get("/api/codifier/RA/messages?last=3")).json()
    assert [message["t"] for message in newest] == [
        filled[1] - past.STEP_MS * number for number in (1, 2, 3)
    ]
    assert newest[0]["quality"] == ""
    for every in ("10min", "hour", "day"):
        (bucket,) = (await http.get(f"/api/codifier/RA/statistics?every={every}&last=1")).json()
        assert bucket["min"] <= bucket["median"] <= bucket["max"]
        assert 0 < bucket["coverage"] <= 100
    assert (await http.get("/api/codifier/ZZ/messages")).status_code == 404
    assert (await http.get("/api/codifier/RA/messages?last=0")).status_code == 400


async def test_messages_of_the_future_are_left_out(
    http: httpx.AsyncClient, filled: tuple[Network, int], sql: dict[str, Any]
) -> None:
    """A clock that was a day ahead must not hide what is of now."""
    ahead_ms = filled[1] + 24 * HOUR_MS
    past.store_reading(sql, "RA", 99_999, ahead_ms, 5.0)
    newest = (await http.get("/api/codifier/RA/messages?last=3")).json()
    assert len(newest) == 3
    assert max(message["t"] for message in newest) < ahead_ms


async def test_an_empty_time_tells_when_the_data_begin(
    http: httpx.AsyncClient, filled: tuple[Network, int]
) -> None:
    start_ms = filled[1] - 26 * HOUR_MS
    old = await ask(http, codes="I1,12", from_=start_ms - 9 * HOUR_MS, to=start_ms - HOUR_MS)
    assert [each.get("first") for each in old["series"]] == [start_ms, None]
    now = await ask(http, codes="I1", from_=start_ms, to=filled[1])
    assert now["series"][0].get("first") is None


async def test_the_page_of_a_heater_has_the_words_of_orders(http: httpx.AsyncClient) -> None:
    told = (await http.get("/codifier/11", headers={"accept-language": "fr"})).text
    assert '"orders": {"0": "confort", "1": "arr\\u00eat"' in told
    assert '"order": true' in told
    assert '"order": true' not in (await http.get("/codifier/I1")).text


async def test_a_page_of_a_codifier(http: httpx.AsyncClient) -> None:
    page = await http.get("/codifier/P1")
    assert page.status_code == 200
    for text in ("Card 1", "/log?code=P1", "Sensor.Wires[1].Room", "Kitchen", "/codifier/11"):
        assert text in page.text
    meter = (await http.get("/codifier/TI")).text
    assert "/dev/null" not in meter
    assert "Sensor.Device" in meter
    assert (await http.get("/codifier/ZZ")).status_code == 404
    assert (await http.get("/graphs?codes=<script>")).status_code == 200


async def test_away_and_back(
    filled: tuple[Network, int], sql: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    page = Gateway("CF", filled[0])
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as http:
        assert (await ask(http, codes="I1"))["series"][0]["t"]
        allow(sql, False)
        refused = await http.get("/api/history?codes=I1")
        assert refused.status_code == 503
        assert refused.json() == {"error": "PostgreSQL cannot be read now"}
        assert (await http.get("/api/history.csv?codes=I1")).status_code == 503
        assert (await http.get("/graphs")).status_code == 200
        assert (await http.get("/codifier/I1")).status_code == 200
        allow(sql, True)
        await until_answers(http)
    assert caplog.text.count("the history cannot be read") == 1
    assert caplog.text.count("the history can be read again") == 1


async def until_answers(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(LIMIT_S):
        while (await http.get("/api/history?codes=I1")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def allow(sql: dict[str, Any], yes: bool) -> None:
    """Refuse connections to the database, or allow them again; open ones are closed."""
    name = sql["Database"]
    with_postgres = {**sql, "Database": "postgres"}
    connection = connect(with_postgres)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {yes}")
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
    connection.close()


class TestReader:
    """The way to PostgreSQL by itself."""

    @pytest.fixture
    def reader(self, filled: tuple[Network, int]) -> Iterator[HistoryReader]:
        reader = HistoryReader(lambda: filled[0], logging.getLogger("reader"), patience_s=LIMIT_S)
        yield reader
        reader.close()

    async def test_what_takes_too_long_is_ended(self, filled: tuple[Network, int]) -> None:
        reader = HistoryReader(lambda: filled[0], logging.getLogger("reader"), patience_s=2.0)

        def slow(connection: "psycopg2.extensions.connection") -> None:
            from collector.db.connecting import query

            query(connection, "SELECT pg_sleep(600)")

        with contextlib.closing(reader):
            assert await reader.ask(lambda _: 1) == 1  # connected: that may take its time too
            with pytest.raises(StoreError, match="timeout"):
                await reader.ask(slow)
            assert not reader.away

    async def test_too_many_are_refused(self, reader: HistoryReader) -> None:
        def one(connection: "psycopg2.extensions.connection") -> int:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.01)")
            return 1

        asked = [reader.ask(one) for _ in range(MOST_WAITING + 20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert answers.count(1) >= MOST_WAITING
        assert any(isinstance(answer, Busy) for answer in answers)

    async def test_who_gives_up_leaves_the_connection_usable(self, reader: HistoryReader) -> None:
        def one(connection: "psycopg2.extensions.connection") -> int:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.05)")
            return 1

        tasks = [asyncio.create_task(reader.ask(one)) for _ in range(6)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [await reader.ask(one) for _ in range(3)] == [1, 1, 1]

    async def test_an_export_that_is_given_up_frees_its_place(self, reader: HistoryReader) -> None:
        def pieces(connection: "psycopg2.extensions.connection") -> Iterator[bytes]:
            while True:
                yield b"more"

        for _ in range(5):
            stream = reader.stream(pieces)
            assert await anext(stream) == b"more"
            await stream.aclose()  # type: ignore[attr-defined]
        held = [reader.stream(pieces) for _ in range(2)]
        for stream in held:
            await anext(stream)
        with pytest.raises(Busy):
            await anext(reader.stream(pieces))
        for stream in held:
            await stream.aclose()  # type: ignore[attr-defined]
        await until(lambda: reader._streams == 0)
