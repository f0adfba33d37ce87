"""Addresses for Prometheus and watchdogs."""

import httpx

from jph.gateway.node import Gateway
from tests.jph.gateway.stage import RedisProcess, alive, event_with, events, reading
from tests.support import until


async def measures(client: httpx.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_the_house_in_numbers(
    gateway: Gateway, visitor: httpx.AsyncClient, redis: RedisProcess
) -> None:
    redis.write({"I1": reading(17) | {"DPacketsLost": "4"}, "P1": alive(at_ms=1)})
    assert gateway._hub is not None
    board = gateway._hub.board
    await until(lambda: board.row("I1").number == 17)
    found = await measures(visitor)
    assert found["jph_cache_up"] == 1
    assert found['jph_value{code="I1",name="IINST1",unit="A"}'] == 17
    assert found['jph_messages_lost_total{code="I1"}'] == 4
    assert found['jph_nodes{state="dead"}'] == 1
    assert found['jph_node_up{code="TI",name="Meter"}'] == 1
    assert found['jph_node_up{code="P1",name="Card 1"}'] == 0
    assert "jph_history_up" not in str(found)
    assert not any('code="TP"' in name and name.startswith("jph_value") for name in found)


async def test_streams_are_counted_and_a_lost_cache_is_told(
    gateway: Gateway, visitor: httpx.AsyncClient, redis: RedisProcess
) -> None:
    assert gateway._hub is not None
    board = gateway._hub.board
    async with visitor.stream("GET", "/api/events", params={"codes": "I1"}) as response:
        _, content = await event_with(events(response), "I1", state="silent")
        assert content["rows"].keys() == {"I1"}
        assert (await measures(visitor))["jph_gateway_clients"] == 1
    redis.stop()
    await until(lambda: not board.cache_here)
    assert (await measures(visitor))["jph_cache_up"] == 0
    await until(lambda: any(each.part == "cache" for each in board.blind))
    health = await visitor.get("/healthz")
    assert health.status_code == 503
    assert health.json()["status"] == "blind"
    assert health.json()["redis"] is False
    assert "cache" in health.json()["unknown"]
    names = [name for name in await measures(visitor) if name.startswith("jph_unknown{")]
    assert any('part="cache"' in name for name in names)


async def test_a_house_is_well_only_while_it_is_seen(
    gateway: Gateway, visitor: httpx.AsyncClient, redis: RedisProcess
) -> None:
    """Blind before the first readings, and again when the meter's are too old."""
    assert gateway._hub is not None
    board = gateway._hub.board
    await until(lambda: bool(board.blind) and board.blind[0].part == "meter")
    assert (await visitor.get("/healthz")).status_code == 503
    for path in ("/", "/heaters", "/diagram"):
        page = (await visitor.get(path)).text
        assert page.index("What the house draws is not known") < page.index("</section>"), path
    assert (await visitor.get("/api/house")).json()["unknown"][0]["part"] == "meter"
    assert (await visitor.get("/api/diagram")).json()["unknown"][0]["part"] == "meter"
    redis.write({code: reading(5) for code in ("I1", "I2")})
    await until(lambda: not any(each.part == "meter" for each in board.blind))
    assert "meter" not in (await visitor.get("/healthz")).json()["unknown"]
    page = (await visitor.get("/")).text
    assert "What the house draws is not known" not in page


async def test_codes_that_are_none(visitor: httpx.AsyncClient) -> None:
    many = ",".join(f"{number:02}" for number in range(90))
    for codes in ("I", "i1", "I1,", "../..", many):
        answer = await visitor.get("/api/events", params={"codes": codes})
        assert answer.status_code == 400
