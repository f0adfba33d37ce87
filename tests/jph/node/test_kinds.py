"""Kinds are found by being defined; the table is the folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.errors import ConfigError
from jph.node import kinds


def test_every_kind_is_found_and_names_its_types() -> None:
    assert set(kinds.table()) >= {
        "ControlProgram",
        "Flask",
        "Gateway",
        "HouseSimulator",
        "PilotCard",
        "Pipe",
        "Setpoint",
        "Shedding",
        "Teleinfo",
        "TempLinux",
        "controlSensor",
        "jphPostgreSQL",
        "jphRedis",
    }
    for node_type in kinds.table():
        assert node_type in kinds.find(node_type).types


def test_an_unknown_type_names_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"unknown type 'Teleinfos'; known: .*Teleinfo"):
        kinds.find("Teleinfos")


def test_types_and_settings_are_checked_with_the_rest(
    config_file: Callable[..., Path],
) -> None:
    sensors: list[dict[str, Any]] = [
        {"Codifier": "AA", "Type": "Teleinfos"},
        {"Codifier": "BB", "Type": "Setpoint", "Sensor": {"Min": "low"}},
        {"Codifier": "C", "Type": "Pipe"},
        {"Codifier": "DD", "Type": "NestReader"},
    ]
    with pytest.raises(ConfigError) as caught:
        kinds.load(str(config_file(*sensors)))
    paths = {problem.path for problem in caught.value.problems}
    assert paths >= {"Sensors[AA].Type", "Sensors[BB].Sensor.Min", "Sensors[C].Codifier"}
    assert not any(path.startswith("Sensors[DD]") for path in paths)


def test_contradictions_are_told_beside_other_mistakes(config_file: Callable[..., Path]) -> None:
    wires = [{"Codifier": code, "Wire": 1, "Phase": 1} for code in ("11", "12")]
    sensors: list[dict[str, Any]] = [
        {"Codifier": "P1", "Type": "PilotCard", "Sensor": {"Bus": 1, "Wires": wires}},
        {"Codifier": "P2", "Type": "PilotCard", "Sensor": {"Bus": 1}},
        *({"Codifier": c, "Type": "Proxy", "Sensor": {"Codifier": "P1"}} for c in ("11", "12")),
        {"Codifier": "X", "Type": "Pipe", "Sensor": {"Pipe": "/proc/loadavg"}},
    ]
    with pytest.raises(ConfigError) as caught:
        kinds.load(str(config_file(*sensors)))
    assert {problem.path for problem in caught.value.problems} == {
        "Sensors[P1].Sensor.Wires[12]",
        "Sensors[P2].Sensor.Address",
        "Sensors[X].Codifier",
    }


def test_an_element_cannot_be_run(config_file: Callable[..., Path]) -> None:
    path = config_file(
        {"Codifier": "SP", "Type": "Setpoint"},
        {"Codifier": "S9", "Type": "Proxy", "Sensor": {"Codifier": "SP"}},
    )
    network = kinds.load(str(path))
    with pytest.raises(ConfigError, match="S9 is an element that SP sends"):
        kinds.make("S9", network, str(path))


async def test_a_made_node_reads_its_config_again(config_file: Callable[..., Path]) -> None:
    path = config_file({"Codifier": "SP", "Type": "Setpoint", "Name": "before"})
    node = kinds.make("SP", kinds.load(str(path)), str(path))
    document = json.loads(path.read_text())
    document["Sensors"][0]["Name"] = "after"
    path.write_text(json.dumps(document))
    assert node._reload is not None
    assert (await node._reload()).sensor("SP").name == "after"
