"""The picture of the network: who is there, who talks, and how much, at little cost."""

import asyncio
import itertools
import time
from collections.abc import Callable

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.live import traffic
from jph.gateway.live.board import Board
from jph.gateway.live.traffic import Rates, Tally, Traffic
from jph.gateway.node import Gateway
from jph.gateway.subjects.diagram import picture
from jph.net.channel import Channel
from jph.wire.codec import Reading, encode_data
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import house
from tests.jph.gateway.stage import RedisProcess, alive, reading
from tests.support import LIMIT_S, until


def datagram(source: str, value: float = 1.0) -> bytes:
    return encode_data(Reading(1, 7, 1_790_000_000_000, "d", source, "@@", 1, 0, value))


def test_messages_are_counted_by_source() -> None:
    tally = Tally()
    batch = b"".join(datagram(code) for code in ("TI", "I1", "TI"))
    tally.receive(memoryview(batch), len(batch) // 3, ("127.0.0.1", 1))
    tally.receive(memoryview(b"short"), 5, ("127.0.0.1", 1))
    tally.receive(memoryview(b""), 0, ("127.0.0.1", 1))
    assert tally.end(2.0, fresh=True) == 3
    assert tally.rates == {"TI": 1.0, "I1": 0.5}
    tally.end(1.0, fresh=False)
    assert tally.rates == {"TI": pytest.approx(0.6), "I1": pytest.approx(0.3)}
    for _ in range(20):
        tally.end(1.0, fresh=False)
    assert tally.rates == {}


def test_a_busy_second_costs_little() -> None:
    """50 000 messages, the batches of 64 that a sender of ours makes: far below a core's second."""
    tally = Tally()
    batch = memoryview(b"".join(datagram(f"{n % 36:X}0"[-2:]) for n in range(64)))
    began_s = time.process_time()
    for _ in range(50_000 // 64):
        tally.receive(batch, len(batch) // 64, ("127.0.0.1", 1))
    assert time.process_time() - began_s < 0.5
    assert tally.end(1.0, fresh=True) == 50_000 // 64 * 64


def test_the_picture_of_a_board(network: Callable[..., Network]) -> None:
    board = Board(network(*house()))
    now_s = time.monotonic()
    board.update({"TI": alive(), "I1": reading(12.5)}, int(time.time() * 1000), now_s, old=False)
    rates = Rates({"TI": 0.1, "ZZ": 3.0}, {"I1": 1.0, "I2": 0.5, "ZZ": 1.0}, True)
    found = picture(board, rates)
    assert (found.strangers, found.control, found.data) == (4.0, 3.1, 2.5)
    members = {member.code: member for member in found.members}
    meter = members["TI"]
    assert (meter.data, meter.control, meter.state, meter.role) == (1.5, 0.1, "alive", "source")
    assert [element.code for element in meter.elements] == ["I1", "I2", "IS", "TP"]
    assert meter.elements[0].value == "12.5 A"
    assert (members["P1"].role, members["R1"].role, members["CF"].role) == (
        "actor",
        "store",
        "view",
    )
    assert members["P1"].state == "silent"
    assert (members["P1"].expected, members["CC"].expected) == (True, False)


async def test_rates_of_the_real_buses(
    http: httpx.AsyncClient, gateway: Gateway, home: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "WINDOW_S", 0.1)
    assert (await http.get("/api/diagram")).json()["counting"] is False
    channel = Channel(home.multicast.data, ["lo"], ttl=0)
    channel.open(listen=False)
    assert gateway._senses is not None
    rates = gateway._senses.traffic

    async def speak() -> None:
        while True:
            channel.send_many([datagram("I1"), datagram("ZZ")])
            await asyncio.sleep(0.01)

    talking = asyncio.create_task(speak())
    try:
        await until(lambda: rates.data.rates.get("I1", 0) > 5)
        found = (await http.get("/api/diagram")).json()
        assert found["counting"] is True
        assert found["strangers"] > 5
        (meter,) = [member for member in found["members"] if member["code"] == "TI"]
        assert meter["elements"][0]["rate"] > 5
        assert meter["data"] >= meter["elements"][0]["rate"]
    finally:
        talking.cancel()
        channel.close()


async def test_nobody_looks_nobody_counts(
    gateway: Gateway, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "WINDOW_S", 0.05)
    monkeypatch.setattr(traffic, "LOOKED_AT_S", 600.0)
    ahead_s = [0.0]
    assert gateway._senses is not None
    rates = gateway._senses.traffic
    monkeypatch.setattr(rates, "_clock", lambda: time.monotonic() + ahead_s[0])
    assert rates._counting is False
    await http.get("/api/diagram")
    await until(lambda: rates._counting)
    ahead_s[0] = 600.0
    await until(lambda: not rates._counting)
    await http.get("/api/diagram")
    await until(lambda: rates._counting)


async def test_after_a_busy_window_the_buses_are_left_alone(
    network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "WINDOW_S", 0.05)
    monkeypatch.setattr(traffic, "MOST_A_SECOND", 100)
    home = network(*house())
    counter = Traffic(itertools.count(0.0, 0.05).__next__)  # a window is 0.05 s, whatever it took
    counter.rates()
    counting = asyncio.create_task(counter._count(home.multicast))
    batch = datagram("I1") * 64
    await asyncio.sleep(0)
    counter.data.receive(memoryview(batch), len(batch) // 64, ("127.0.0.1", 1))
    assert await counting == pytest.approx(0.64 - 0.05)


async def test_silence_is_missing_and_the_page_stays(
    http: httpx.AsyncClient, redis: RedisProcess, meter: Plain
) -> None:
    members = (await http.get("/api/diagram")).json()["members"]
    states = {member["code"]: member["state"] for member in members}
    assert states["TI"] == "alive"
    assert states["SH"] == "silent"

    async def cached(here: bool) -> None:
        async with asyncio.timeout(LIMIT_S):
            while (await http.get("/api/diagram")).json()["redis"] is not here:
                pass

    redis.stop()
    await cached(False)
    assert (await http.get("/diagram")).status_code == 200
    redis.start()
    await cached(True)
