import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from jph.cache.writer import CHANNEL, CacheWriter
from jph.cli.supervise.servers import RedisServer
from jph.config.model import Network
from jph.config.stores import redis_socket
from jph.errors import StoreError
from jph.node.node import Node
from jph.wire.codec import Quality, Reading
from nodes.jphredis import JphRedis, RedisSettings
from tests.stores_fixtures import short_directory
from tests.support import LIMIT_S, running, until

MakeNetwork = Callable[..., Network]
CACHE = {"Codifier": "R1", "Type": "jphRedis", "SensorInterval": 0.05}
SOURCE = {"Codifier": "TI", "Type": "Teleinfo"}


class Source(Node):
    """A node that sends what a test asks for."""


@contextlib.asynccontextmanager
async def house(network: Network) -> AsyncIterator[Source]:
    source = Source("TI", network)
    async with running(JphRedis("R1", network), source):
        yield source


async def shown(url: str, codifier: str, **fields: str) -> dict[str, str]:
    """Wait until Redis shows these fields of a codifier; return the whole hash."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(redis.ConnectionError):
                    found: dict[str, str] = client.hgetall(codifier)
                    if fields.items() <= found.items():
                        return found
                await asyncio.sleep(0.005)


async def test_readings_and_control_messages_are_shown(
    network: MakeNetwork, redis_url: str
) -> None:
    async with house(network(CACHE, SOURCE, Redis={"URL": redis_url})) as source:
        source.send(21.5)
        found = await shown(redis_url, "TI", Value="21.5", IsActive="True")
        assert found["DPacketsLost"] == found["CPacketsLost"] == "0"
        assert "DResetTime" in found
        source.send_control("P", "R1", 1000.0)
        await shown(redis_url, "TI", PRequest="1000.0")
        answer = await shown(redis_url, "R1", TRequest="1000.0")
        assert float(answer["TDuration"]) == float(answer["TTimestamp"]) - 1000.0


async def test_it_tells_how_much_it_hears(network: MakeNetwork, redis_url: str) -> None:
    async with house(network(CACHE, SOURCE, Redis={"URL": redis_url})) as source:
        async with asyncio.timeout(LIMIT_S):
            while int((await shown(redis_url, "R1", Flag="i"))["Value"]) == 0:
                source.send(1)
                await asyncio.sleep(0.01)


async def test_changes_are_published(network: MakeNetwork, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client, client.pubsub() as heard:
        heard.subscribe(CHANNEL)
        async with house(network(CACHE, SOURCE, Redis={"URL": redis_url})) as source:
            source.send("HP..")
            told: dict[str, dict[str, str]] = {}
            async with asyncio.timeout(LIMIT_S):
                while "Value" not in told.get("TI", {}):
                    message: Any = await asyncio.to_thread(heard.get_message, True, 0.1)
                    for codifier, fields in json.loads(
                        message["data"] if message else "{}"
                    ).items():
                        told.setdefault(codifier, {}).update(fields)
    assert told["TI"]["Value"] == "HP.."


async def test_a_flushed_redis_is_filled_again(network: MakeNetwork, redis_url: str) -> None:
    async with house(network(CACHE, SOURCE, Redis={"URL": redis_url})) as source:
        source.send(1)
        await shown(redis_url, "TI", Value="1")
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        await shown(redis_url, "TI", Value="1")


class Listener(Node):
    """A node that keeps the qualities of R1's readings."""

    hears_itself = False

    async def open(self) -> None:
        self.qualities: list[int] = []

    def on_data(self, readings: Sequence[Reading]) -> None:
        heard = [each for each in readings if each.source == "R1" and each.flag != "n"]
        self.qualities += [each.quality for each in heard]


async def test_a_redis_that_refuses_writes_is_reported_on_the_bus(
    network: MakeNetwork, redis_url: str
) -> None:
    net = network({**CACHE, "SensorInterval": 60}, SOURCE, Redis={"URL": redis_url})
    listener = Listener("TI", net)
    with redis.Redis.from_url(redis_url) as client:
        async with running(listener, JphRedis("R1", net)):
            await until(lambda: Quality.GOOD in listener.qualities)
            listener.qualities.clear()
            try:
                client.config_set("min-replicas-to-write", 1)  # it answers, but takes nothing
                await until(lambda: listener.qualities)
                assert listener.qualities == [Quality.STALE]
            finally:
                client.config_set("min-replicas-to-write", 0)
            await until(lambda: listener.qualities[-1] == Quality.GOOD)


@pytest.mark.parametrize("gently", [True, False])
async def test_redis_may_come_late_go_and_come_back(
    network: MakeNetwork, store_state: Path, gently: bool
) -> None:
    server = RedisServer(store_state)
    url = f"unix://{redis_socket(server.sockets)}"
    async with house(network(CACHE, SOURCE)) as source:
        source.send(1)
        try:
            await server.start()
            await shown(url, "TI", Value="1")
            if gently:
                await server.stop()
            else:
                os.kill(server.pid or 0, signal.SIGKILL)
                await server.wait()
            source.send(2)
            await server.start()
            await shown(url, "TI", Value="2", IsActive="True")
        finally:
            await server.stop()


async def test_a_replica_that_takes_over_gets_the_whole_present_state(
    network: MakeNetwork, redis_url: str
) -> None:
    """It has an older state, our marker with it, and our connection renews itself silently."""
    with short_directory() as directory:
        replica = RedisServer(directory / "replica")
        address = directory / "redis.sock"
        address.symlink_to(redis_url.removeprefix("unix://"))
        replica_url = f"unix://{redis_socket(replica.sockets)}"
        await replica.start()
        try:
            async with house(network(CACHE, SOURCE, Redis={"URL": f"unix://{address}"})) as source:
                source.send(1)
                await shown(redis_url, "TI", Value="1", IsActive="True")
                with (
                    redis.Redis.from_url(redis_url, decode_responses=True) as old,
                    redis.Redis.from_url(replica_url, decode_responses=True) as new,
                ):
                    new.set("jph:cache:R1", str(old.get("jph:cache:R1")))
                    new.hset("TI", mapping={**old.hgetall("TI"), "Value": "0"})
                    address.unlink()
                    address.symlink_to(redis_socket(replica.sockets))
                    old.client_kill_filter(_type="normal", skipme=True)
                found = await shown(replica_url, "TI", Value="1", IsActive="True")
                assert "DResetTime" in found
                await shown(replica_url, "R1", Codifier="R1")
        finally:
            await replica.stop()


async def test_a_silently_renewed_connection_is_noticed(redis_url: str) -> None:
    writer = CacheWriter.open(redis_url, "R1")
    try:
        assert await writer.write_whole({"TI": {"Value": "1"}}) == []
        assert await writer.write({"TI": {"Value": "2"}}) == (True, [])
        with redis.Redis.from_url(redis_url, decode_responses=True) as client:
            name = client.get("jph:cache:R1")
            (ours,) = [c for c in client.client_list() if c["name"] == name]
            client.client_kill(ours["addr"])
        held = True
        with contextlib.suppress(StoreError):  # or the error comes at once
            held, _ = await writer.write({})
            assert not held
    finally:
        await writer.close()


async def test_a_key_of_somebody_else_costs_that_codifier(redis_url: str) -> None:
    writer = CacheWriter.open(redis_url, "R1")
    try:
        with redis.Redis.from_url(redis_url, decode_responses=True) as client:
            client.set("TI", "not a hash")
            (refused,) = await writer.write_whole({"TI": {"Value": "1"}, "HO": {"Value": "2"}})
            assert refused.startswith("TI: WRONGTYPE")
            assert client.get("TI") == "not a hash"
            assert client.hgetall("HO") == {"Value": "2"}
    finally:
        await writer.close()


async def test_any_text_is_kept_as_it_is(redis_url: str) -> None:
    hashes = {
        "TI": {"Value": '\0 é\n"\\/ 1e3', "Flag": ""},
        "00": {"1": "2", "Value": "x" * 70_000},
    }
    writer = CacheWriter.open(redis_url, "R1")
    try:
        assert await writer.write_whole(hashes) == []
    finally:
        await writer.close()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert {key: client.hgetall(key) for key in hashes} == hashes


async def test_a_server_that_only_reads_is_told(redis_url: str) -> None:
    writer = CacheWriter.open(redis_url, "R1")
    with redis.Redis.from_url(redis_url) as client:
        client.replicaof("127.0.0.1", 1)
        try:
            with pytest.raises(StoreError, match="read only"):
                await writer.write_whole({"TI": {"Value": "1"}})
        finally:
            client.replicaof("NO", "ONE")
            await writer.close()


def test_a_url_that_is_none_is_told() -> None:
    with pytest.raises(StoreError, match=r"Redis\.URL"):
        CacheWriter.open("http://localhost", "R1")


def test_settings_have_bounds() -> None:
    with pytest.raises(ValueError, match="FlushInterval"):
        RedisSettings(flush_interval=-1)
