"""JSON text of a configuration: encodings, repeated keys, comments, keys that no program reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config.document import read
from jph.errors import ConfigError
from jph.node import kinds
from tests.jph.cli.programs import CONSOLE, control, setpoint


def test_a_repeated_key_is_named_wherever_it_is() -> None:
    text = '{"A": 1, "A": 2, "Sensors": [{"Codifier": "C1", "B": {"C": 1, "C": 1}}, {"D":1,"D":2}]}'
    raw, problems = read(text.encode(), "config")
    assert raw["A"] == 2
    assert [problem.path for problem in problems] == ["A", "Sensors[C1].B.C", "Sensors[1].D"]
    assert "'C' is there twice" in problems[1].message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings(encoding: str) -> None:
    assert read('{"Name": "Salon été"}'.encode(encoding), "config") == ({"Name": "Salon été"}, [])


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('{\n "A": [1, 2,]\n}', "line 2 column"),
        ('{"A": 1,}', "comma"),
        ("", "empty"),
        ('{"A": 1', "ends too early"),
    ],
)
def test_what_is_not_json_names_the_place(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        read(text.encode(), "config")


def test_unread_keys_are_warnings_and_comments_are_none(
    config_file: Callable[..., Path], document: Callable[..., dict[str, Any]]
) -> None:
    sensor = setpoint("SP", Colour="red", __comment="the living room", _old=1)
    sensor["Sensor"]["Invert"] = True
    config = config_file(sensor, CONSOLE, Extra={"a": 1}, __comment="a house")
    done = control(config, "config", "check")
    assert done.returncode == 0
    paths = [line.split(": ")[1] for line in done.stderr.splitlines()]
    assert sorted(paths) == ["Extra", "Sensors[SP].Colour", "Sensors[SP].Sensor.Invert"]
    raw = json.dumps(document(setpoint("SP"), CONSOLE)).encode()
    assert list(kinds.unread_keys(raw, kinds.parse(raw, "config"))) == []


def test_a_repeated_key_is_refused_by_the_command(
    config_file: Callable[..., Path],
) -> None:
    config = config_file(setpoint("SP"), CONSOLE)
    config.write_text(config.read_text().replace('"Sensors":', '"Sensors": [], "Sensors":', 1))
    done = control(config, "config", "check")
    assert done.returncode == 2
    assert "Sensors: the key 'Sensors' is there twice" in done.stderr
