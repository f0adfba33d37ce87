"""Hubs on a real NATS server and PostgreSQL: each reading once, and the house's own answers."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import nats
import pytest
from click.testing import CliRunner

from collector.hub.blocks import schema_of
from collector.hub.node import Hub, house_names
from jph.cli.main import cli
from jph.config.model import Network
from jph.sites.blocks import Content, encode_block, stream_of, subject_of
from jph.sites.hub_blocks import encode_config
from jph.wire.codec import Quality, Reading
from tests.collector.ingest.test_writer import query
from tests.natsserver import NatsServer
from tests.support import LIMIT_S, REPOSITORY, running, until

MakeNetwork = Callable[..., Network]
START_MS = 1_790_000_000_000
HOUSES = ("erquy", "paris", "lyon-2")


def hub(url: str, code: str = "HB", **settings: Any) -> dict[str, Any]:
    sensor = {"URL": [url], "BatchInterval": 0.01, "ComputeInterval": 0.5, **settings}
    return {"Codifier": code, "Type": "Hub", "SensorInterval": 1, "Sensor": sensor}


class Publisher:
    """Plays the sites of houses: blocks of readings of one codifier."""

    def __init__(self, client: Any) -> None:
        self.stream = client.jetstream(timeout=LIMIT_S)

    async def begin(self, house: str, network: Network | None = None) -> None:
        await self.stream.add_stream(
            name=stream_of(house, hub=True), subjects=[subject_of(house, ">", hub=True)]
        )
        if network is not None:
            await self.publish(house, Content.CONFIG, encode_config(network, 1))

    async def publish(self, house: str, content: Content, block: bytes) -> None:
        await self.stream.publish(subject_of(house, content, hub=True), block)

    async def readings(self, house: str, numbers: range) -> None:
        made = [
            Reading(n, 7, START_MS + n, "d", "I1", "@@", 1, Quality.GOOD, float(n)) for n in numbers
        ]
        await self.publish(house, Content.DATA, encode_block((house,), made))


@pytest.fixture
async def publisher(nats_server: NatsServer) -> AsyncIterator[Publisher]:
    client = await nats.connect(nats_server.url)
    yield Publisher(client)
    await client.close()


def stored(sql: dict[str, Any], house: str) -> list[int]:
    """Return the sequences that a house's schema has."""
    with contextlib.suppress(Exception):
        found = query(sql, f"SELECT sequence FROM {schema_of(house)}.reading ORDER BY sequence")
        return [number for (number,) in found]
    return []


def account(sql: dict[str, Any], house: str) -> list[tuple[Any, ...]]:
    return query(sql, f"SELECT first, last, missing::text FROM {schema_of(house)}.source")


async def test_blocks_in_any_order_and_twice_count_once(
    network: MakeNetwork, sql: dict[str, Any], nats_server: NatsServer, publisher: Publisher
) -> None:
    async with running(Hub("HB", network(hub(nats_server.url), SQL=sql))):
        for house in HOUSES:
            await publisher.begin(house)
        for part in (range(20, 30), range(10), range(20, 30), range(5, 20)):
            for house in HOUSES:
                await publisher.readings(house, part)
        await publisher.publish("erquy", Content.DATA, b"no block")
        await publisher.publish("erquy", Content.DATA, encode_block(("paris",), []))
        for house in HOUSES:
            await until(lambda house=house: stored(sql, house) == list(range(30)))
            assert account(sql, house) == [(0, 29, "{}")]


@pytest.mark.parametrize("name", ["a;SELECT(1)", "A", "a_b", "a" * 41, "a'b", ""])
async def test_a_stream_whose_name_is_not_of_a_site_is_no_house(
    publisher: Publisher, name: str
) -> None:
    await publisher.begin("erquy")
    await publisher.stream.add_stream(name=stream_of(name, hub=True), subjects=["elsewhere"])
    assert await house_names(publisher.stream) == ["erquy"]
    with pytest.raises(ValueError, match="not the name of a site"):
        schema_of(name)


async def test_more_houses_than_a_page_of_the_server_are_found(publisher: Publisher) -> None:
    names = [f"h{number:03}" for number in range(270)]
    for name in names:
        await publisher.begin(name)
    assert await house_names(publisher.stream) == names


def start(config: Path, state: Path, code: str) -> "asyncio.Future[Any]":
    """Start a hub as a process of its own."""
    return asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *(sys.executable, "control.py", "--config", str(config), "run", code),
            cwd=REPOSITORY,
            env={**os.environ, "JPH_STATE": str(state)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    )


def holders(sql: dict[str, Any]) -> int:
    """Return how many sessions share the houses now, each with at least one."""
    wanted = "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
    return int(query(sql, wanted)[0][0])


async def test_a_hub_that_is_killed_loses_and_doubles_nothing(
    config_file: Callable[..., Path],
    sql: dict[str, Any],
    nats_server: NatsServer,
    publisher: Publisher,
    tmp_path: Path,
) -> None:
    config = config_file(hub(nats_server.url, "H1"), hub(nats_server.url, "H2"), SQL=sql)
    for house in HOUSES:
        await publisher.begin(house)
    hubs = [await start(config, tmp_path / code, code) for code in ("H1", "H2")]
    try:
        await until(lambda: holders(sql) == 2)
        for part in range(100):
            for house in HOUSES:
                await publisher.readings(house, range(50 * part, 50 * part + 50))
            if part == 50:
                await until(lambda: stored(sql, HOUSES[0]))
                hubs[0].send_signal(signal.SIGKILL)
        everything = list(range(5000))
        for house in HOUSES:
            await until(lambda house=house: stored(sql, house) == everything, 2 * LIMIT_S)
            assert account(sql, house) == [(0, 4999, "{}")]
    finally:
        for process in hubs:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def test_a_command_reads_a_house_of_the_hub(
    config_file: Callable[..., Path],
    network: MakeNetwork,
    sql: dict[str, Any],
    nats_server: NatsServer,
    publisher: Publisher,
) -> None:
    config = config_file(hub(nats_server.url), SQL=sql)
    house = network(
        {"Codifier": "TI", "Type": "Teleinfo", "Sensor": {"Device": "/dev/x", "Password": "p"}},
        {"Codifier": "I1", "Type": "Proxy", "Sensor": {"Codifier": "TI"}, "Symbol": "A"},
        {"Codifier": "HT", "Type": "Http", "Sensor": {"URL": "http://u:secret@h/"}},
    )
    async with running(Hub("HB", network(hub(nats_server.url), SQL=sql))):
        await publisher.begin("erquy", house)
        await publisher.readings("erquy", range(3))
        await until(lambda: stored(sql, "erquy") == [0, 1, 2])
        kept = "SELECT config FROM hub_house WHERE config <> ''"
        ((text,),) = query(sql, kept)
        assert "secret" not in text
        assert "Password" not in text
        asked = ("history", "I1", "--from", "2026-09-21", "--to", "2026-09-23", "--every", "raw")
        words = ["--config", str(config), "--house"]
        found = await asyncio.to_thread(
            CliRunner().invoke, cli, [*words, "erquy", *asked, "--json"]
        )
        assert [p["mean"] for p in msgspec.json.decode(found.stdout)["points"]] == [0.0, 1.0, 2.0]
        found = await asyncio.to_thread(CliRunner().invoke, cli, [*words, "rome", *asked])
        assert "the hub has no house 'rome'; it has erquy" in found.output
        found = await asyncio.to_thread(CliRunner().invoke, cli, [*words, "erquy", "ping", "@@"])
        assert "in the house itself only" in found.output
