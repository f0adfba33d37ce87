"""Template files of the original: placeholders, Python 2's habits, rights of the file, a run."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import DeviceError
from jph.expressions.language import FUNCTIONS, compile_expression, evaluate
from jph.expressions.templates import fill, largest, smallest
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.pythontemplate import PythonTemplate, read_own_file
from nodes.setpoint import Setpoint
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}
READINGS: dict[str, dict[str, Any]] = {
    "C4": {"Value": 21.5, "DTimestamp": 1234},
    "FI": {"Value": 1},
    "T1": {"Value": "a'b"},
}
CONFIG: dict[str, dict[str, Any]] = {"FJ": {"Symbol": "C", "Sensor": {"Default": "35"}}}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("x={{ C4 }}", "x=21.5"),
        ("{{C4}}{{ C4|DTimestamp }}", "21.51234"),
        ("x={{ C4|redis|Value }}", "x=21.5"),
        ("x={{ FJ|config|Sensor }}['Default']", "x={'Default': '35'}['Default']"),
        ("u='{{ FJ|config|Symbol }}'", "u='C'"),
        ("x=0{{ FI }}", "x=1"),
        ("x=10{{ FI }}", "x=101"),
        ("x={{ ZZ }}, {{ C4|Nothing }}, {{ C4|other|Value }}", "x=None, None, None"),
        ("x={{ T1 }}", 'x="a\'b"'),
        ("x={{ C4", "x={{ C4"),
    ],
)
def test_placeholders(text: str, filled: str) -> None:
    assert fill(text, READINGS, CONFIG) == filled


def test_a_text_on_the_bus_is_no_code() -> None:
    text = fill("x = {{ T1 }}", {"T1": {"Value": "1); raise SystemExit(1"}}, {})
    names: dict[str, Any] = {}
    exec(text, names)
    assert names["x"] == "1); raise SystemExit(1"


def test_none_is_the_smallest() -> None:
    assert smallest([3, None, 1]) is None
    assert smallest(3, 1) == 1
    assert largest([3, None, 1]) == 3
    assert largest(None, None) is None


def test_only_a_file_of_ones_own_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("x = 1")
    path.chmod(0o644)
    assert read_own_file(path) == "x = 1"
    path.chmod(0o664)
    with pytest.raises(DeviceError, match="other users may write it"):
        read_own_file(path)
    path.chmod(0o644)
    tmp_path.chmod(0o777)
    with pytest.raises(DeviceError, match="its folder"):
        read_own_file(path)
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        with pytest.raises(DeviceError, match="belongs to user 12345"):
            read_own_file(path)
    with pytest.raises(DeviceError, match="no regular file"):
        read_own_file(tmp_path)


DEW = """
T, H = {{ N2 }}, {{ N3 }}
if min([{{ N2|DTimestamp }}, {{ N3|DTimestamp }}]) is not None:
    g = math.log(H / 100) + 17.625 * T / (243.04 + T)
    channel.sendData(243.04 * g / (17.625 - g), Codifier="FO")
    channel.sendCtrl(to="FK", flag="A", timeComponent=0{{ N2 }} / 2)
"""


async def test_a_file_computes_as_an_expression_does(
    network: MakeNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "fan.py"
    path.write_text("1 / 0\n")
    path.chmod(0o600)
    point = {"Type": "Setpoint", "Control": "enabled", "SensorInterval": 0.05}
    made = network(
        {"Codifier": "N2", **point, "Sensor": {"Default": 21}},
        {"Codifier": "N3", **point, "Sensor": {"Default": 55}},
        {"Codifier": "FK", **point},
        {"Codifier": "FL", "Type": "PythonNinja", "SensorInterval": 0.05,
         "Sensor": {"Filename": str(path), "Proxy": [{"Codifier": "FO"}]}},
        {"Codifier": "FO", "Type": "Proxy", "Sensor": {"Codifier": "FL"}},
        CONSOLE,
    )  # fmt: skip
    heard: dict[str, Any] = {}
    nodes = [Setpoint(code, made) for code in ("N2", "N3", "FK")]
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(*nodes, PythonTemplate("FL", made)):
            await until(lambda: "line 1: ZeroDivisionError" in caplog.text)
            path.write_text(DEW)
            await until(lambda: "FO" in heard and heard.get("FK") == 10.5)
    expression = compile_expression("dew_point(N2, N3)", {"N2": "number", "N3": "number"})
    expected = evaluate(expression, {**FUNCTIONS, "N2": 21.0, "N3": 55.0})
    assert heard["FO"] == pytest.approx(expected, abs=1e-6)
    assert math.isfinite(heard["FL"])
