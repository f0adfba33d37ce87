"""Devices over HTTP: groups, widgets, an order that reaches a pin and is answered."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.live.board import Board
from jph.gateway.node import Gateway
from jph.gateway.subjects.devices import is_device
from jph.gateway.view.devices import Device, groups_of
from jph.sim.chips.gpio import GpioChip
from nodes.gpio import Gpio
from tests.jph.gateway.houses import element, node
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess, alive, reading
from tests.support import LIMIT_S, running

MakeNetwork = Callable[..., Network]


def pin(codifier: str, **more: Any) -> dict[str, Any]:
    return {"Codifier": codifier, "Mode": "output", "Line": int(codifier[1]), **more}


def sensors(chip: str = "unix:/dev/null") -> list[dict[str, Any]]:
    """Return pins, a weather station with a room, set points, and what is no device."""
    pins = {"Chip": chip, "Elements": [pin("G2"), pin("G3", Mode="input")]}
    boards = {"Path": "/dev/null", "Elements": [{"Codifier": c} for c in ("W1", "W2", "W3", "W4")]}
    return [
        node("G1", "Gpio", "Pins", SensorInterval=0.1, Sensor=pins),
        element("G2", "G1", "Relay", Control="enabled", DataType="bool", Group="Cellar"),
        element("G3", "G1", "Hall", DataType="bool"),
        node("W1", "Files", "Weather", Symbol="°C", Sensor=boards),
        element("W2", "W1", "Humidity", "%"),
        element("W3", "W1", "Words", DataType="text"),
        element("W4", "W1", "Wind", "m/s", Widget="gauge", Sensor={"Codifier": "W1", "Max": 40,
                                                                    "Min": 0}),
        node("FJ", "Setpoint", "Fan", Symbol="%", Control="enabled", Group="Cellar"),
        node("SP", "Setpoint", "Target", Symbol="°C", Control="enabled",
             Sensor={"Min": 5, "Max": 30}, Group="Cellar"),
        node("R1", "jphRedis"),
        node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"}),
    ]  # fmt: skip


ROOMS = [{"Codifier": "W1", "Name": {"fr": "Salon", "en": "Living room"}, "Motion": ["G3"],
          "Thermometers": ["W1"]}]  # fmt: skip


def devices(network: MakeNetwork) -> dict[str, Device]:
    board = Board(network(*sensors(), Rooms=ROOMS))
    board.update({"W2": {**alive(), **reading(55)}}, round(time.time() * 1000), 0.0, old=False)
    return {d.codifier: d for group in groups_of(board, is_device) for d in group.devices}


def test_each_codifier_has_the_widget_that_fits(network: MakeNetwork) -> None:
    found = devices(network)
    assert {code: each.widget for code, each in found.items()} == {
        "G2": "switch", "G3": "motion", "W1": "number", "W2": "gauge",
        "W3": "text", "W4": "gauge", "FJ": "slider", "SP": "slider",
    }  # fmt: skip
    assert (found["W2"].min, found["W2"].max, found["W2"].row.number) == (0, 100, 55)
    assert (found["W4"].min, found["W4"].max) == (0, 40)
    assert found["SP"].control is not None
    assert (found["SP"].control.min, found["SP"].control.step) == (5, 0.5)
    assert found["G3"].control is None


def test_groups_are_rooms_then_groups_then_nodes(network: MakeNetwork) -> None:
    board = Board(network(*sensors(), Rooms=ROOMS))
    groups = {g.name: [d.codifier for d in g.devices] for g in groups_of(board, is_device)}
    assert groups == {
        "Cellar": ["G2", "FJ", "SP"],
        "Living room": ["G3", "W1"],
        "Weather": ["W2", "W3", "W4"],
    }


@pytest.mark.usefixtures("patient")
async def test_a_switch_reaches_its_pin_and_the_node_answers(
    network: MakeNetwork, redis: RedisProcess, tmp_path: Path
) -> None:
    chip = GpioChip(tmp_path / "gpio")
    await chip.start()
    house = network(*sensors(f"unix:{chip.path}"), Redis={"URL": redis.url})
    page = Gateway("CF", house)
    async with running(Gpio("G1", house), page):
        async with httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as visitor:
            text = (await visitor.get("/devices")).text
            assert 'data-code="G2" data-widget="switch"' in text
            assert "data-set" not in text
            assert 'href="/devices"' in text
            groups = json.loads((await visitor.get("/api/devices")).text)
            assert [g["name"] for g in groups] == ["Cellar", "Pins", "Weather"]
        async with logged_in(page, Role.OPERATOR) as operator:
            text = (await operator.get("/devices?lang=fr")).text
            assert 'role="switch" data-set' in text
            assert "Appareils" in text
            taken = (await operator.put("/api/values/G2", json={"number": 1})).json()
            assert (taken["done"], taken["value"]) == (True, 1)
            assert chip.levels[2] == 1
    await chip.close()
