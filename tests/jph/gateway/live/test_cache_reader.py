"""Reading Redis, and outliving it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

import pytest

from jph.gateway.live import cache_reader
from jph.gateway.live.cache_reader import Reader, named_in
from tests.jph.gateway.stage import RedisProcess, reading
from tests.support import until


class Heard:
    """Calls of a reader."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.old: dict[str, bool] = {}
        self.here: bool | None = None

    def deliver(self, hashes: Mapping[str, Mapping[str, str]], old: bool) -> None:
        for codifier, fields in hashes.items():
            self.values[codifier] = fields.get("Value", "")
            self.old[codifier] = old

    def set_here(self, here: bool) -> None:
        self.here = here


@pytest.fixture
async def heard(redis: RedisProcess) -> AsyncIterator[Heard]:
    """Yield what a reader of I1 and I2 hears."""
    ear = Heard()
    log = logging.getLogger("jph")
    reader = Reader(redis.url, ["I1", "I2"], ear.deliver, ear.set_here, log)
    task = asyncio.create_task(reader.run())
    yield ear
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_there_and_what_changes(redis: RedisProcess, heard: Heard) -> None:
    redis.write({"I1": reading(1)})
    await until(lambda: heard.values.get("I1") == "1")
    assert heard.here is True
    redis.write({"I2": reading(2), "ZZ": reading(3)})
    await until(lambda: heard.values.get("I2") == "2")
    assert "ZZ" not in heard.values


async def test_changes_that_nobody_tells_are_found(redis: RedisProcess, heard: Heard) -> None:
    await until(lambda: heard.here)
    redis.write({"I1": reading(5)}, tell=False)
    await until(lambda: heard.values.get("I1") == "5")
    assert heard.old["I1"] is False


async def test_changes_that_are_told_do_not_wait_for_the_look(
    redis: RedisProcess, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    monkeypatch.setattr(cache_reader, "LOOK_EVERY_S", 3600.0)
    await until(lambda: heard.here)
    with redis.client() as client:
        await until(lambda: client.pubsub_numsub(cache_reader.CHANNEL)[0][1])
    for value in range(3):
        redis.write({"I1": reading(value)})
        await until(lambda v=value: heard.values.get("I1") == str(v))


async def test_redis_stopped_and_started_again(redis: RedisProcess, heard: Heard) -> None:
    redis.write({"I1": reading(1)})
    await until(lambda: heard.values.get("I1") == "1")
    redis.stop()
    await until(lambda: heard.here is False)
    redis.start()
    redis.write({"I1": reading(2)}, tell=False)
    await until(lambda: heard.here is True and heard.values.get("I1") == "2")
    assert heard.old["I1"] is True


async def test_keys_of_somebody_else_do_no_harm(redis: RedisProcess, heard: Heard) -> None:
    with redis.client() as client:
        client.set("I1", "not a hash")
        client.hset("I2", mapping={b"Value": b"\xff\xfe", b"DTimestamp": b"1"})
        client.publish(cache_reader.CHANNEL, "not JSON")
        client.publish(cache_reader.CHANNEL, "[1]")
    await until(lambda: heard.values.get("I2") == "\ufffd\ufffd")
    assert "I1" not in heard.values
    assert heard.here is True


@pytest.mark.parametrize(
    ("message", "named"),
    [('{"I1": {}, "I2": {}}', ["I1", "I2"]), ("[]", []), ("", []), ("[" * 9000, [])],
)
def test_named_in(message: str, named: list[str]) -> None:
    assert list(named_in(message)) == named
