"""`control.py probe`: the answer, each value, each filter step; nothing is sent."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from jph.cli.main import cli

ConfigFile = Callable[..., Path]


def entries(tmp_path: Path) -> list[dict[str, Any]]:
    (tmp_path / "a").write_text("21530")
    (tmp_path / "b").write_text("warm")
    described = [
        {"Codifier": "F1", "File": "a", "Factor": 0.001,
         "Filter": [{"Range": [0, 10]}, {"Round": 1}]},
        {"Codifier": "F2", "File": "b"},
    ]  # fmt: skip
    return [
        {"Codifier": "F1", "Type": "Files", "Symbol": "°C", "Name": "Cellar",
         "Sensor": {"Path": str(tmp_path), "Elements": described}},
        {"Codifier": "F2", "Type": "Proxy", "Name": "x", "Sensor": {"Codifier": "F1"}},
        {"Codifier": "CC", "Type": "ControlProgram"},
    ]  # fmt: skip


def test_each_step_is_shown(config_file: ConfigFile, tmp_path: Path) -> None:
    path = str(config_file(*entries(tmp_path)))
    shown = CliRunner().invoke(cli, ["--config", path, "probe", "F1"])
    assert shown.exit_code == 0, shown.output
    lines = [line.strip() for line in shown.output.splitlines()]
    assert f"answer: {tmp_path}/a: 21530" in lines
    assert "F1: 21.53" in lines
    assert "Range        21.53 is outside 0 to 10" in lines
    assert "Round        21.5" in lines
    assert "sent as implausible: 21.5 °C" in lines
    assert "not sent: expected a number such as -3.25, found 'warm'" in lines


def test_one_element_and_a_node_without_elements(config_file: ConfigFile, tmp_path: Path) -> None:
    path = str(config_file(*entries(tmp_path)))
    shown = CliRunner().invoke(cli, ["--config", path, "probe", "F2"])
    assert "F2: warm" in shown.output
    assert "F1:" not in shown.output
    refused = CliRunner().invoke(cli, ["--config", path, "probe", "CC"])
    assert refused.exit_code == 2
    assert "no elements that can be probed" in refused.output


def test_the_originals_config_is_known_or_answered(config_file: ConfigFile) -> None:
    """Each kind of the original is known, or one line says what replaces it."""
    kinds = {
        "failsafeReader": {"URL": "http://192.168.0.8/X", "Field": "FlowPerSecond"},
        "ADCpiReader": {"Pin": "2"},
        "ADAfruitReader": {"Pin": "21"},
        "DwarfpoolReader": {"URL": "http://dwarfpool.com/eth/api?wallet=1", "Server": "AQUA"},
        "NestReader": {"Field": "nestAway", "Password": "~/.nestpassword"},
        "jphCalcHistory": {},
        "ZwavePower": {"node": 2, "index": 4, "instance": 1},
        "PythonNinja": {"Filename": "pytemplates/mixtemp.py"},
        "fanControl": {},
    }
    sensors = [
        {"Codifier": f"A{index}", "Type": kind, "Name": kind, "Sensor": settings}
        for index, (kind, settings) in enumerate(kinds.items())
    ]
    path = str(config_file(*sensors, {"Codifier": "CC", "Type": "ControlProgram", "Name": "C"}))
    shown = CliRunner().invoke(cli, ["--config", path, "config", "check", "--json"])
    assert shown.exit_code == 0, shown.output
    warnings = {each["path"]: each["message"] for each in json.loads(shown.output)["warnings"]}
    for index, kind in enumerate(kinds):
        answered = warnings.get(f"Sensors[A{index}].Type", "")
        if kind == "NestReader":
            assert "no longer" in answered
        else:
            assert answered == ""
