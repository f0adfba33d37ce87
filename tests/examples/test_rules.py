"""The rules in examples/rules: good configs, and each obeys as its first line says."""

import json
from pathlib import Path
from typing import Any

import pytest

from jph.config.validation import read_struct
from jph.expressions.outputs import Outputs
from jph.node import kinds
from jph.wire.codec import Quality
from nodes.expression import ExpressionSettings, compiled, make_outputs
from tests.support import REPOSITORY

RULES = sorted((REPOSITORY / "examples" / "rules").glob("*.json"))


def rule(name: str) -> Outputs:
    """Return the outputs of the rule in a file."""
    path = REPOSITORY / "examples" / "rules" / f"{name}.json"
    network = kinds.parse(path.read_bytes(), path.name, references_too=True)
    node = next(sensor for sensor in network.sensors if sensor.type == "Expression")
    settings = read_struct(ExpressionSettings, node.sensor, "", [])
    assert settings is not None
    outputs, problems = compiled(node, settings, network)
    assert problems == []
    return make_outputs(outputs, settings, network)


def result(outputs: Outputs, now_s: float, **inputs: Any) -> object:
    """Return the last output after these inputs."""
    for codifier, value in inputs.items():
        outputs.take(codifier, value, now_s, Quality.GOOD)
    return outputs.run(now_s)[-1].value


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_each_is_a_good_config(path: Path) -> None:
    assert json.loads(path.read_text(encoding="utf-8"))["_"]
    kinds.parse(path.read_bytes(), path.name, references_too=True)


def test_motion_keeps_the_light_on_for_five_minutes() -> None:
    light = rule("motion-light")
    assert result(light, 0, M1=0) == 0
    assert result(light, 10, M1=1) == 1
    assert result(light, 300, M1=0) == 1
    assert result(light, 350, M1=0) == 1
    assert result(light, 601, M1=0) == 0


def test_a_known_badge_releases_the_relay() -> None:
    door = rule("badge-relay")
    assert result(door, 0) == 0
    assert result(door, 1, B1="anna") == 1
    assert result(door, 7) == 0
    assert result(door, 8, B1="mallory") == 0


def test_drier_air_outside_starts_the_fan() -> None:
    fan = rule("dew-point-fan")
    assert result(fan, 0) == 0
    assert result(fan, 1, T1=14.0, H1=80.0, T2=9.0, H2=60.0) == 1
    assert result(fan, 2, T2=9.0, H2=76.0) == 1
    assert result(fan, 3, T2=12.0, H2=95.0) == 0
