"""The log of all nodes: from a node's logger to the API, bounded, and no more than text."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.live.logbook import MOST_A_SECOND, MOST_KEPT, Entry, Logbook, matching
from jph.gateway.node import Gateway
from jph.gateway.subjects.log import LONGEST_WAIT_S
from jph.net.log_channel import LEVELS, LogBusHandler, LogLine, encode
from tests.jph.gateway.houses import house
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running, until

SENDER = ("192.168.1.7", 5000)


def datagram(number: int, text: str = "hello", level: str = "INFO", code: str = "TI") -> memoryview:
    line = LogLine(n=number, time=1_790_000_000_000, code=code, level=level, text=text, host="h")
    return memoryview(encode(line))


def receive(book: Logbook, line: memoryview, sender: tuple[str, int] = SENDER) -> None:
    book.receive(line, len(line), sender)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_newest_lines_are_kept() -> None:
    book = Logbook(clock := Clock())
    for number in range(MOST_KEPT + 10):
        clock.now_s += 1
        receive(book, datagram(number, f"line {number}"))
    assert book.next_id == MOST_KEPT + 10
    kept = book.after(-1, 10_000)
    assert (len(kept), kept[0].text) == (MOST_KEPT, "line 10")
    assert [entry.id for entry in book.after(MOST_KEPT + 5, 100)] == [4006, 4007, 4008, 4009]
    assert [entry.id for entry in book.after(100, 2)] == [101, 102]
    assert book.after(10**9, 5) == []


def test_a_flood_is_cut_and_counted() -> None:
    book = Logbook(clock := Clock())
    for number in range(5000):
        receive(book, datagram(number))
    assert book.next_id == 2000
    assert book.surplus == 3000
    clock.now_s = 1.0
    for number in range(5000, 6000):
        receive(book, datagram(number))
    assert book.next_id == 2000 + MOST_A_SECOND


def test_what_did_not_come_is_counted() -> None:
    book = Logbook()
    for number in (0, 1, 5, 6):
        receive(book, datagram(number))
    assert book.missed == 3
    receive(book, datagram(100), ("192.168.1.8", 5000))
    receive(book, datagram(2_000_000))
    receive(book, datagram(0))
    assert book.missed == 3
    line = LogLine(n=1, time=0, code="--", level="INFO", text="", held=4)
    receive(book, memoryview(encode(line)))
    assert book.missed == 7


def test_many_datagrams_come_as_one_batch() -> None:
    book = Logbook()
    one, two = datagram(0, "aa"), datagram(1, "bb")
    batch = memoryview(bytes(one) + bytes(two) + bytes(datagram(2, "b")))
    book.receive(batch, len(one), SENDER)
    assert [entry.text for entry in book.after(-1, 9)] == ["aa", "bb", "b"]


@pytest.mark.parametrize("junk", [b"", b"{}", b"\x00" * 100, b"[" * 5000, b'{"jph":"log"}'])
def test_junk_is_counted_and_left_out(junk: bytes) -> None:
    book = Logbook()
    book.receive(memoryview(junk), len(junk), SENDER)
    assert book.next_id == 0
    assert book.refused == (1 if junk else 0)


def test_senders_are_bounded() -> None:
    book = Logbook(clock := Clock())
    for port in range(3000):
        clock.now_s += 1
        receive(book, datagram(port), ("192.168.1.7", port))
    assert len(book._counts) == 256


def test_lines_are_found_by_code_level_and_text() -> None:
    def entry(number: int, code: str, level: str, text: str) -> Entry:
        return Entry(number, 0, code, level, "attic", text)

    entries = [
        entry(0, "TI", "INFO", "Meter found"),
        entry(1, "TI", "WARNING", "silent"),
        entry(2, "Q1", "ERROR", "PostgreSQL away"),
    ]
    every = frozenset(LEVELS)

    def found(code: str, levels: frozenset[str], text: str) -> list[int]:
        return [each.id for each in matching(entries, code, levels, text)]

    assert found("", every, "") == [0, 1, 2]
    assert found("TI", every, "") == [0, 1]
    assert found("", frozenset({"ERROR", "WARNING"}), "") == [1, 2]
    assert found("", every, "METER") == [0]
    assert found("", every, "attic") == [0, 1, 2]
    assert found("Q1", every, "meter") == []


async def test_who_waits_is_woken_and_let_go() -> None:
    book = Logbook()
    waiting = asyncio.create_task(book.wait(-1, 10))
    await asyncio.sleep(0)
    receive(book, datagram(0))
    await asyncio.wait_for(waiting, LIMIT_S)
    waiting = asyncio.create_task(book.wait(0, 10))
    await asyncio.sleep(0)
    book.close()
    await asyncio.wait_for(waiting, LIMIT_S)
    await asyncio.wait_for(Logbook().wait(-1, 0.05), LIMIT_S)


@pytest.fixture
def logged(network: Callable[..., Network], redis: RedisProcess, ports: tuple[int, int]) -> Network:
    """Return the house with a log channel."""
    multicast = {"Log-Channel": {"Address": "239.255.91.3", "Port": ports[0]}}
    return network(*house(), Redis={"URL": redis.url}, Multicast=multicast)


@pytest.fixture
def say(logged: Network) -> Iterator[Callable[..., None]]:
    """Yield what logs a line as a node does."""
    handler = LogBusHandler(logged.multicast, host="attic")
    logger = logging.getLogger("tests.logbook")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)

    def line(text: str, code: str = "TI", level: int = logging.INFO) -> None:
        logger.log(level, "%s", text, extra={"codifier": code})

    yield line
    logger.removeHandler(handler)
    handler.close()


@pytest.fixture
async def page(logged: Network) -> AsyncIterator[Gateway]:
    """Yield a gateway that hears the log channel."""
    page = Gateway("CF", logged)
    async with running(page):
        assert page._senses is not None
        book = page._senses.logbook
        await until(lambda: book.joined)
        yield page


@pytest.fixture
async def http(page: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of it, not logged in."""
    async with httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as client:
        yield client


async def test_from_a_logger_to_the_api(http: httpx.AsyncClient, say: Callable[..., None]) -> None:
    say("the meter is <b>silent</b>", level=logging.WARNING)
    say("cannot read /home/ann/password.txt", "Q1", logging.ERROR)
    answer = (await http.get("/api/log?wait=10")).json()
    while len(answer["lines"]) < 2:
        answer = (await http.get("/api/log")).json()
    one, two = answer["lines"]
    assert (one["code"], one["level"], one["host"]) == ("TI", "WARNING", "attic")
    assert one["text"] == "the meter is <b>silent</b>"
    assert two["text"] == "cannot read …/password.txt"
    assert (answer["heard"], answer["channel"], answer["more"]) == (True, True, False)

    async def texts(query: str) -> list[str]:
        lines = (await http.get(f"/api/log?{query}")).json()["lines"]
        return [line["code"] for line in lines]

    assert await texts("level=ERROR") == ["Q1"]
    assert await texts("code=TI") == ["TI"]
    assert await texts("text=SILENT") == ["TI"]
    assert await texts(f"after={answer['last']}") == []
    assert await texts("after=5&epoch=another") == ["TI", "Q1"]


async def test_a_request_waits_for_the_next_line(
    http: httpx.AsyncClient, say: Callable[..., None]
) -> None:
    answer = (await http.get("/api/log")).json()
    query = f"after={answer['last']}&epoch={answer['epoch']}&wait=20"
    waiting = asyncio.create_task(http.get(f"/api/log?{query}"))
    await until(lambda: waiting.get_coro() is not None)
    await http.get("/healthz")
    assert not waiting.done()
    say("at last")
    found = (await waiting).json()
    assert [line["text"] for line in found["lines"]] == ["at last"]


async def test_lines_about_people_are_for_admins(
    http: httpx.AsyncClient, page: Gateway, say: Callable[..., None]
) -> None:
    say("ann from 10.0.0.7: halt TI", "CF")
    say("sunrise", "C1")

    async def seen(client: httpx.AsyncClient) -> list[str]:
        answer = (await client.get("/api/log?wait=10")).json()
        while answer["last"] < 1:
            answer = (await client.get("/api/log?wait=10")).json()
        return [line["code"] for line in answer["lines"]]

    assert await seen(http) == ["C1"]
    for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN):
        async with logged_in(page, role) as client:
            assert await seen(client) == (["CF", "C1"] if role is Role.ADMIN else ["C1"])


@pytest.mark.parametrize(
    "query",
    ["after=-7", f"after={2**63}", "wait=999", "wait=nan", "level=LOUD", "code=XXX", "after=x"],
)
async def test_questions_that_mean_nothing(http: httpx.AsyncClient, query: str) -> None:
    assert (await http.get(f"/api/log?{query}")).status_code == 400


async def test_the_page_with_a_channel(http: httpx.AsyncClient) -> None:
    page = (await http.get("/log")).text
    assert "no Log-Channel" not in page
    assert '<option value="TI">TI Meter</option>' in page


async def test_the_page_without_a_channel(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    page = Gateway("CF", network(*house(), Redis={"URL": redis.url}))
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as without:
        assert "no Log-Channel" in (await without.get("/log")).text
        answer = (await without.get("/api/log")).json()
        assert (answer["channel"], answer["heard"]) == (False, False)


async def test_a_gateway_ends_while_somebody_waits(logged: Network) -> None:
    page = Gateway("CF", logged)
    async with contextlib.AsyncExitStack() as stack:
        async with running(page):
            client = httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S)
            await stack.enter_async_context(client)
            assert page._senses is not None
            book = page._senses.logbook
            waiting = asyncio.create_task(client.get(f"/api/log?wait={LONGEST_WAIT_S}"))
            await until(lambda: book._came._waiters)
            began_s = time.monotonic()
        assert time.monotonic() - began_s < LONGEST_WAIT_S
        assert (await waiting).status_code == 200


def test_what_is_held_back_is_not_counted_for_ever() -> None:
    book = Logbook(clock := Clock())
    line = LogLine(n=1, time=0, code="--", level="INFO", text="", held=2**53 - 1)
    for _ in range(3):
        clock.now_s += 1
        receive(book, memoryview(encode(line)))
    assert book.missed == 2**53
