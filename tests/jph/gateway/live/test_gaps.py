"""The panel of what the history lacks: its words, and the table read from a real PostgreSQL."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest

from collector.history.gaps import Gaps, RecordedGap
from collector.ingest.buffer import Batch
from collector.ingest.writer import Store
from jph.config.model import Network
from jph.gateway.live.board import Board
from jph.gateway.live.gap_reader import HoleReader
from jph.gateway.live.gaps import (
    MOST_READ,
    MOST_SERVED,
    MOST_SHOWN,
    UNREADABLE,
    WHY,
    history_of,
    records_of,
    span,
)
from jph.gateway.live.stream import Hub
from jph.gateway.node import Gateway
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading
from tests.jph.gateway.houses import house, node
from tests.jph.gateway.stage import RedisProcess, events
from tests.stores_fixtures import connect
from tests.support import LIMIT_S, running, until

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
LOG = logging.getLogger("holes")


@pytest.fixture(autouse=True)
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the house be an hour east of Greenwich."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the table often."""
    monkeypatch.setattr("jph.gateway.node.HoleReader", partial(HoleReader, every_s=0.05))


@pytest.fixture
def collecting(network: Callable[..., Network]) -> Network:
    """Return a house with a collector; its PostgreSQL is away."""
    return network(*house(), node("Q1", "jphPostgreSQL"))


def gap(seconds: float = 5, messages: int | None = 4, **more: Any) -> RecordedGap:
    """Return a gap of I1 from noon on."""
    made = RecordedGap("I1", 7, 1, messages, NOON, NOON + timedelta(seconds=seconds), "gone", NOON)
    return made._replace(**more)


def store(sql: dict[str, Any], hole: Gap) -> None:
    """Record a hole as the collector does, beside the reading that follows it."""
    history = Store("Q1")
    history.open(f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}", NOON_MS)
    after = hole.first + hole.count
    read = Reading(after, hole.epoch, NOON_MS, "i", hole.source, "@@", 1, Quality.GOOD, 1)
    history.write(Batch([read], [hole]), NOON_MS)
    history.close()


async def told(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return what `/gaps` answers."""
    answer: list[dict[str, Any]] = (await http.get("/gaps")).raise_for_status().json()
    return answer


async def history_in(stream: AsyncIterator[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the next history of a stream."""
    async with asyncio.timeout(LIMIT_S):
        async for _, content in stream:
            if "history" in content:
                found: dict[str, Any] = content["history"]
                return found
    raise AssertionError("the stream ended")


async def cancelled(task: "asyncio.Task[None]") -> None:
    """End a task."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_nothing_lacks(collecting: Network) -> None:
    history = history_of(Gaps([], {}), collecting)
    assert (history.said, history.mood, history.holes, history.more) == ("No holes", "good", (), "")
    assert history_of(Gaps([], {"I1": 1}), collecting).said == "No holes; 1 reading still asked for"


def test_a_hole_in_words(collecting: Network) -> None:
    history = history_of(Gaps([gap()], {"I1": 2, "TI": 1}), collecting)
    assert history.said == "1 hole, 4 readings missing; 3 readings still asked for"
    assert history.mood == ""
    (lack,) = history.holes
    assert lack.code == "I1"
    assert lack.name == "IINST1"
    assert lack.when == "2026-11-20 13:00:00 – 13:00:05"
    assert lack.missing == "4"
    assert lack.why == "asked for too late: the source kept them no longer"


def test_what_nobody_knows(collecting: Network) -> None:
    unknown = gap(messages=None, codifier="ZZ", cause="a later one", from_time=None, to_time=None)
    history = history_of(Gaps([gap(), unknown], {}), collecting)
    assert history.said == "2 holes, at least 4 readings missing"
    lack = history.holes[0]
    assert (lack.code, lack.name, lack.missing, lack.why) == ("ZZ", "", "?", "a later one")
    assert lack.when == "noticed 2026-11-20 13:00:00"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (gap(0.4), "2026-11-20 13:00:00"),
        (gap(86_400), "2026-11-20 13:00:00 – 2026-11-21 13:00:00"),
        (gap(from_time=None), "? – 2026-11-20 13:00:05"),
        (gap(to_time=None), "2026-11-20 13:00:00 – ?"),
        (
            gap(to_time=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
            "2026-11-20 13:00:00 – 9999-12-31 23:59:59",
        ),
    ],
)
def test_from_when_to_when(found: RecordedGap, text: str) -> None:
    assert span(found) == text


def test_every_cause_has_words() -> None:
    assert set(WHY) == set(Cause)


def test_newest_first_and_bounded(collecting: Network) -> None:
    many = [gap(first=number) for number in range(MOST_READ - 1)] + [gap(codifier="I2")]
    history = history_of(Gaps(many, {}), collecting)
    assert [lack.code for lack in history.holes] == ["I2"] + ["I1"] * (MOST_SHOWN - 1)
    assert history.more == f"{MOST_READ - MOST_SHOWN} older: control.py gaps"
    assert history.said.startswith("At least 1000 holes, at least 4000 readings missing")
    records = records_of(Gaps(many, {}), collecting, None)
    assert len(records) == MOST_SERVED
    assert records[0]["Codifier"] == "I2"
    assert [r["Codifier"] for r in records_of(Gaps(many, {}), collecting, "I2")] == ["I2"]


def test_a_board_tells_what_is_new_only(collecting: Network) -> None:
    board = Board(collecting)
    before = board.version
    board.set_history(UNREADABLE)
    assert board.history_version == board.version == before + 1
    board.set_history(UNREADABLE)
    assert board.version == before + 1


async def test_the_table_is_read_shown_and_followed(
    network: Callable[..., Network],
    redis: RedisProcess,
    sql: dict[str, Any],
    quick: None,
) -> None:
    store(sql, Gap("I1", 7, 1, 4, Cause.OVERFLOW, NOON_MS, NOON_MS + 5000))
    home = network(*house(), node("Q1", "jphPostgreSQL"), SQL=sql, Redis={"URL": redis.url})
    gateway = Gateway("CF", home)
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        (record,) = await told(http)
        assert datetime.fromisoformat(record.pop("Noticed"))
        assert record == {
            "Codifier": "I1",
            "Name": "IINST1",
            "From": "2026-11-20T13:00:00.000+01:00",
            "To": "2026-11-20T13:00:05.000+01:00",
            "Missing": 4,
            "Cause": "overflow",
            "Why": "the receiving machine was too slow",
        }
        page = (await http.get("/")).text
        for text in ("1 hole, 4 readings missing", "2026-11-20 13:00:00 – 13:00:05", "too slow"):
            assert text in page
        assert (await http.get("/gaps?code=I2")).json() == []
        assert len((await http.get("/gaps?code=I1")).json()) == 1
        assert (await http.get("/gaps?code=ZZ")).status_code == 404
        async with http.stream("GET", "/events") as response:
            stream = events(response)
            assert (await history_in(stream))["said"] == "1 hole, 4 readings missing"
            store(sql, Gap("I2", 9, 1, 1, Cause.GONE, NOON_MS + 9000, NOON_MS + 9000))
            later = await history_in(stream)
            assert later["said"] == "2 holes, 5 readings missing"
            assert [hole["code"] for hole in later["holes"]] == ["I2", "I1"]
            with connect(sql) as connection:
                connection.cursor().execute("ALTER TABLE gap RENAME TO away")
            assert (await history_in(stream))["mood"] == "warn"
            refused = await http.get("/gaps")
            assert (refused.status_code, refused.json()["error"]) == (
                503,
                "PostgreSQL cannot be read now",
            )
            assert "PostgreSQL cannot be read" in (await http.get("/")).text
            with connect(sql) as connection:
                connection.cursor().execute("ALTER TABLE away RENAME TO gap")
            assert (await history_in(stream))["said"] == "2 holes, 5 readings missing"


async def test_a_store_that_is_away_keeps_nobody_waiting(
    network: Callable[..., Network], redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = {"Host": "/nowhere", "Database": "secret", "User": "jph"}
    home = network(*house(), SQL=nowhere, Redis={"URL": redis.url})
    gateway = Gateway("CF", home)
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        page = await http.get("/")
        assert page.status_code == 200
        assert UNREADABLE.said in page.text
        answer = await http.get("/gaps")
        assert answer.status_code == 503
        assert "nowhere" not in page.text + answer.text
    assert caplog.text.count("holes cannot be read") == 1
    assert "/nowhere" in caplog.text


async def test_a_house_without_a_collector_has_no_panel(http: httpx.AsyncClient) -> None:
    assert 'id="history"' not in (await http.get("/")).text
    assert (await http.get("/gaps")).status_code == 404


async def test_it_looks_seldom_and_only_for_somebody(
    collecting: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def found(dsn: str, newest: int) -> Gaps:
        asked.append(time.monotonic())
        return Gaps([], {})

    monkeypatch.setattr("jph.gateway.live.gap_reader.read_gaps", found)
    watching = [0]
    monkeypatch.setattr(Hub, "clients", property(lambda _: watching[0]))
    hub = Hub(Board(collecting))
    reader = HoleReader(hub, LOG, every_s=0.2)
    task = asyncio.create_task(reader.run())
    await asyncio.gather(*(reader.fresh() for _ in range(20)))
    assert len(asked) == 1
    watching[0] = 1
    await until(lambda: len(asked) == 4)
    watching[0] = 0
    assert all(later - before >= 0.19 for before, later in pairwise(asked))
    await cancelled(task)


async def test_a_reading_that_hangs_is_told_and_its_end_awaited(
    collecting: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()

    def hangs(dsn: str, newest: int) -> Gaps:
        assert free.wait(LIMIT_S)
        return Gaps([], {})

    monkeypatch.setattr("jph.gateway.live.gap_reader.read_gaps", hangs)
    hub = Hub(Board(collecting))
    reader = HoleReader(hub, LOG, patience_s=0.01)
    task = asyncio.create_task(reader.run())
    await reader.fresh()
    await until(lambda: hub.board.history == UNREADABLE)
    free.set()
    await until(lambda: hub.board.history != UNREADABLE)
    assert hub.board.history == history_of(Gaps([], {}), collecting)
    hub.use(Board(collecting))
    reader.show()
    assert hub.board.history == history_of(Gaps([], {}), collecting)
    await cancelled(task)
