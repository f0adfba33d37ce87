"""The network over HTTP: who is there and how, commands to one and all, numbers that are set."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from jph.config.house.loads import wiring
from jph.config.model import Network
from jph.gateway.node import Gateway
from jph.gateway.view.widgets import Control, control_of
from nodes.setpoint import Setpoint
from tests.i2cserver import I2CServer
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import element
from tests.jph.gateway.stage import RedisProcess
from tests.jph.gateway.warmhouse import warm_house
from tests.support import running, until


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess, chip: I2CServer) -> Network:
    """Return a house with something to set, in the place of the plain one."""
    return network(*warm_house(chip), Redis={"URL": redis.url})


@pytest.fixture
async def setpoint(gateway: Gateway, home: Network, state: Path) -> AsyncIterator[Setpoint]:
    """Run the setpoint beside the gateway."""
    setpoint = Setpoint("SP", home)
    async with running(setpoint):
        yield setpoint


async def members(http: httpx.AsyncClient) -> dict[str, dict[str, object]]:
    answer = await http.get("/api/network")
    return {each["codifier"]: each for each in answer.raise_for_status().json()}


async def test_nodes_tell_where_they_are(http: httpx.AsyncClient) -> None:
    await http.post("/api/network/TI/ping")
    told = (await members(http))["TI"]
    assert told["state"] == "alive"
    assert str(told["host"]).count(".") == 3
    assert told["wire"] == 1
    assert told["timeout"] == 10
    assert told["commands"] == ["ping", "start", "halt", "reload"]
    assert (await members(http))["P1"]["state"] == "silent"
    assert (await members(http))["CC"]["commands"] == []
    assert (await members(http))["CF"]["commands"] == ["ping", "reload"]


async def test_each_node_is_followed_by_its_elements(http: httpx.AsyncClient) -> None:
    codes = list(await members(http))
    assert codes[:5] == ["TI", "I1", "I2", "IS", "TP"]


async def test_all_are_asked_and_each_answers_for_itself(
    http: httpx.AsyncClient, meter: Plain
) -> None:
    answers = (await http.post("/api/network/ping")).json()
    by_code = {each["codifier"]: each for each in answers}
    assert by_code["TI"]["answered"] is True
    assert by_code["P1"]["answered"] is False
    assert by_code["P1"]["text"] == "P1 did not answer within 2 s"
    assert "CC" not in by_code
    await http.post("/api/network/halt")
    assert meter.active is False
    started = {e["codifier"]: e for e in (await http.post("/api/network/start")).json()}
    assert started["TI"]["text"] == "TI says that it is sending"
    assert meter.active is True


async def test_a_reload_is_answered_by_the_node(
    operator: httpx.AsyncClient, gateway: Gateway, home: Network
) -> None:
    async def again() -> Network:
        return home

    node = Plain("C1", home, again)
    async with running(node):
        answer = (await operator.post("/api/network/C1/reload")).json()
    assert answer["text"] == "C1 read its configuration again"
    gone = (await operator.post("/api/network/C1/reload")).json()
    assert gone["answered"] is False
    assert "it is away, or has refused it" in gone["text"]


@pytest.mark.usefixtures("patient")
async def test_a_number_is_set_and_the_reading_is_the_answer(
    operator: httpx.AsyncClient, setpoint: Setpoint
) -> None:
    answer = await operator.put("/api/values/SP", json={"number": 19.5})
    assert answer.json() == {
        "codifier": "SP",
        "asked": 19.5,
        "done": True,
        "text": "SP says 19.5 °C",
        "value": 19.5,
    }
    assert setpoint.value == 19.5
    bounded = (await operator.put("/api/values/SP", json={"number": 99})).json()
    assert bounded["text"] == "SP was asked for 99.0 °C and took 28.0 °C"
    stepped = (await operator.post("/api/values/SP/step", json={"number": -0.5})).json()
    assert stepped["value"] == 27.5


@pytest.mark.usefixtures("patient")
async def test_redis_away_is_no_reason_not_to_hear_the_answer(
    operator: httpx.AsyncClient, setpoint: Setpoint, redis: RedisProcess
) -> None:
    redis.stop()
    answer = (await operator.put("/api/values/SP", json={"number": 21})).json()
    redis.start()
    assert answer["done"] is True
    assert setpoint.value == 21


async def test_a_node_that_is_away_is_told(operator: httpx.AsyncClient) -> None:
    answer = (await operator.put("/api/values/SP", json={"number": 21})).json()
    assert answer["done"] is False
    assert answer["text"] == "SP does not answer"


async def test_a_halted_node_is_told(operator: httpx.AsyncClient, setpoint: Setpoint) -> None:
    await operator.post("/api/network/SP/halt")
    await until(lambda: not setpoint.active)
    answer = (await operator.put("/api/values/SP", json={"number": 21})).json()
    assert answer["done"] is False
    assert answer["text"].endswith("it is halted")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/api/values/I1", {"number": 1}, 409),
        ("PUT", "/api/values/ZZ", {"number": 1}, 404),
        ("PUT", "/api/values/SP", {"number": "warm"}, 400),
        ("PUT", "/api/values/SP", {"number": 1e300}, 400),
        ("PUT", "/api/values/SP", {}, 400),
        ("POST", "/api/network/ZZ/ping", None, 404),
        ("POST", "/api/network/TI/dance", None, 404),
        ("POST", "/api/network/dance", None, 404),
        ("POST", "/api/network/I1/halt", None, 409),
        ("POST", "/api/network/R1/halt", None, 409),
    ],
)
async def test_what_cannot_be_asked(
    operator: httpx.AsyncClient, method: str, path: str, body: object, status: int
) -> None:
    answer = await operator.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]


async def test_only_an_admin_halts_what_protects(
    operator: httpx.AsyncClient, http: httpx.AsyncClient, meter: Plain
) -> None:
    for path in ("/api/network/TI/halt", "/api/network/halt", "/sensormsg/TI/H", "/sensormsg/@@/H"):
        refused = await operator.post(path)
        assert refused.status_code == 403, path
        assert "no current is measured" in refused.json()["error"]
    assert meter.active
    assert (await operator.post("/api/network/SP/halt")).status_code == 200
    answer = (await http.post("/api/network/TI/halt")).json()
    assert "until it is started again: no current is measured" in answer["text"]
    assert not meter.active


async def test_who_may_only_look(viewer: httpx.AsyncClient, meter: Plain) -> None:
    for path in ("/api/network/TI/halt", "/api/network/halt"):
        assert (await viewer.post(path)).status_code == 403
    assert (await viewer.put("/api/values/SP", json={"number": 1})).status_code == 403
    assert (await viewer.get("/api/network")).status_code == 200
    assert meter.active
    page = (await viewer.get("/network")).text
    assert "data-open" not in page
    assert "data-all" not in page


async def test_the_page_has_every_codifier(http: httpx.AsyncClient, home: Network) -> None:
    page = (await http.get("/network")).text
    for sensor in home.sensors:
        assert f'data-code="{sensor.codifier}"' in page


def test_how_numbers_are_set(network: Callable[..., Network], chip: I2CServer) -> None:
    more = [
        element("B1", "SP", "Lamp", DataType="bool", Control="enabled"),
        element("B2", "SP", "Count", DataType="integer", Control="enabled"),
        element("B3", "SP", "Unknown"),
    ]
    house = network(*warm_house(chip), *more)
    words = {"comfort": 0, "comfort-1": 4, "off": 1}
    wires = wiring(house)

    def how(code: str) -> Control | None:
        return control_of(house.sensor(code), wires, words)

    assert how("11") == Control("order", orders=words)
    assert how("12") == Control("order", orders={"comfort": 0, "off": 1})
    assert how("SP") == Control("slider", 5, 28, 0.5, "°C")
    assert how("B1") == Control("switch", 0, 1)
    assert how("B2") == Control("number", None, None, 1.0)
    assert how("B3") is None
