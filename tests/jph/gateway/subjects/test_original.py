"""The addresses that the original's web program had."""

import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from nodes.setpoint import Setpoint
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import house, node
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess
from tests.support import running


@pytest.fixture
async def client(
    network: Callable[..., Network], redis: RedisProcess
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an operator's client of a house with a setpoint."""
    settings = {"Default": 19, "Min": 5, "Max": 25}
    setpoint = node("SP", "Setpoint", "Wish", Control="enabled", Symbol="°C", Sensor=settings)
    home = network(*house(), setpoint, Redis={"URL": redis.url})
    gateway = Gateway("CF", home)
    nodes = Plain("TI", home), Setpoint("SP", home), gateway
    async with running(*nodes), logged_in(gateway, Role.OPERATOR) as client:
        yield client


async def test_a_config_entry_without_its_kinds_settings(client: httpx.AsyncClient) -> None:
    info = (await client.get("/sensorinfo/TI")).json()
    assert info["Type"] == "Teleinfo"
    assert info["Elements"] == ["I1", "I2", "IS", "TP"]
    assert info["TimeoutWarning"] == 10
    assert "/dev/null" not in str(info)
    assert (await client.get("/sensorinfo/I1")).json()["Parent"] == "TI"
    assert (await client.get("/sensorinfo/ZZ")).status_code == 404


async def test_the_clock(client: httpx.AsyncClient) -> None:
    before = time.time_ns() // 1_000_000
    told = int((await client.get("/ntp")).text)
    assert before <= told <= time.time_ns() // 1_000_000


async def test_a_number_is_set_and_stepped(client: httpx.AsyncClient) -> None:
    assert (await client.post("/sensormsg/SP/A/21.5")).json()["value"] == 21.5
    assert (await client.post("/sensormsg/SP/E/-2")).json()["value"] == 19.5
    bounded = (await client.post("/sensormsg/SP/A/99")).json()
    assert bounded["value"] == 25


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sensormsg/SP/A", 404),
        ("/sensormsg/SP/P/1", 404),
        ("/sensormsg/TI/A/1", 409),
        ("/sensormsg/ZZ/A/1", 404),
        ("/sensormsg/SP/A/nan", 400),
        ("/sensormsg/SP/A/inf", 400),
        ("/sensormsg/SP/A/1e300", 400),
        ("/sensormsg/SP/A/x", 400),
    ],
)
async def test_what_is_no_number(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.post(path)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_everybody_is_asked(client: httpx.AsyncClient) -> None:
    answers: list[dict[str, Any]] = (await client.post("/sensormsg/@@/P")).json()
    found = {each["codifier"]: each["answered"] for each in answers}
    assert found["TI"] is True
    assert found["P1"] is False


async def test_a_series_without_a_history(client: httpx.AsyncClient) -> None:
    assert (await client.get("/sensorts/I1")).status_code == 404
