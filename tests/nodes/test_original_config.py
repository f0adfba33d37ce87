"""The whole config of the original network against simulated devices, and its formulas twice."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.asyncio.server import serve

import nodes.files
import nodes.gpio
from jph.config import model as config
from jph.config.model import Network
from jph.expressions.language import compile_expression
from jph.expressions.outputs import Output, Outputs
from jph.expressions.templates import fill, largest, smallest
from jph.node import kinds
from jph.node.node import Node
from jph.wire.codec import Quality
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.pythontemplate import compiled
from tests.nodes.test_files import tree
from tests.nodes.test_gpio import pwm_chip
from tests.nodes.test_zwave import FakeServer, node, value
from tests.support import REPOSITORY, SHARED_DATA, running, until
from tests.webserver import web_server

ORIGINAL = SHARED_DATA / "config" / "multi-sensor.json"
OURS = REPOSITORY / "tests" / "data" / "original"
STORES = {"Flask", "jphPostgreSQL", "postgresCalcHandler", "jphRedis", "jphCalcHistory"}
"""Kinds that need a store; their own tests run them."""
MakeDocument = Callable[..., dict[str, Any]]
TEMPLATES = ("mixtemp", "fancontrol")


@contextlib.contextmanager
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Simulate the files of the kernel and the boards; yield the address of the boards."""
    for number, pin in ((0, 21), (1, 20)):
        values = {"in_temp_input": f"{21500 + pin}", "in_humidityrelative_input": "55000"}
        device = tree(tmp_path / f"iio:device{number}", name="dht11", **values)
        cells = b"".join(n.to_bytes(4, "big") for n in (7, pin, 0))
        tree(device / "of_node")
        (device / "of_node" / "gpios").write_bytes(cells)
    inputs = {f"in_voltage{n}_raw": str(1000 + 20 * n) for n in range(4)}
    scale = {"in_voltage_scale": "0.001", "name": "mcp3424"}
    tree(tmp_path / "1-0068" / "iio:device2", **inputs, **scale)
    tree(tmp_path / "thermal" / "thermal_zone0", temp="48312")
    pwm_chip(tmp_path / "pwmchip0")
    templates = tree(tmp_path / "pytemplates")
    for name in TEMPLATES:
        (templates / f"{name}.py").write_text((OURS / f"{name}.py.txt").read_text())
        (templates / f"{name}.py").chmod(0o600)
    monkeypatch.setattr(nodes.files, "IIO", str(tmp_path / "iio:device*"))
    monkeypatch.setattr(nodes.files, "I2C", str(tmp_path))
    monkeypatch.setattr(nodes.gpio, "PWM_CHIPS", str(tmp_path / "pwmchip*"))
    with web_server() as board:
        board.json("/X", '{"FlowPerSecond": 30, "LitersPerSecond": 2.5, "Power": 1, "Mode": 2,}')
        board.json("/Y", '{"FlowPerSecond": 28, "LitersPerSecond": 1.5, "Mode": inf}')
        yield board.url


def adapted(raw: dict[str, Any], ours: dict[str, Any], url: str, zwave: str, path: Path) -> Network:
    """Return the config with the addresses of the simulated devices; nothing else is changed."""
    text = json.dumps(raw["Sensors"]).replace("http://192.168.0.8", url)
    text = text.replace("/sys/class", str(path)).replace("pytemplates/", f"{path}/pytemplates/")
    sensors = json.loads(text)
    for sensor in sensors:
        sensor["SensorInterval"] = 0.1 if "SensorInterval" in sensor else 60
        if sensor["Type"] == "ZwavePower":
            sensor["Sensor"]["Server"] = zwave
    return config.parse(json.dumps({**ours, "Sensors": sensors}).encode())


@pytest.mark.skipif(not ORIGINAL.is_file(), reason="no original config beside this checkout")
async def test_every_node_runs_or_says_what_replaces_it(
    document: MakeDocument,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = json.loads(ORIGINAL.read_text())
    zwave = FakeServer(*(
        node(n, value(49, "Power", 10.0 * n), value(50, "value", 11.0 * n, 66049),
             value(50, "value", 1.0, 65537))
        for n in (2, 3, 4)
    ))  # fmt: skip
    async with serve(zwave.serve, "127.0.0.1", 0) as listening:
        port = next(iter(listening.sockets or ())).getsockname()[1]
        with devices(tmp_path, monkeypatch) as url:
            made = adapted(raw, document(), url, f"ws://127.0.0.1:{port}", tmp_path)
            await _run_whole(made, caplog)


async def _run_whole(made: Network, caplog: pytest.LogCaptureFixture) -> None:
    running_here: list[Node] = []
    for sensor in made.nodes():
        kind = kinds.find(sensor.type)  # each kind is known
        kind.check_settings(sensor)
        if sensor.type not in STORES and sensor.type != "ControlProgram":
            running_here.append(kind(sensor.codifier, made))
    heard: dict[str, Any] = {}
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(*running_here):
            silent = {"Y3", "N1", "N2", "N3", "N4", "N5", "N6", "FO", "FP", "FT", "PL", "C3"}
            silent |= {"M1", "M2", "M3", "M4"}  # inactive, as C3
            codes = {
                s.codifier
                for s in made.sensors
                if made.sensor(s.parent or s.codifier).type not in STORES
            } - {"CC", "CK", "ZC"}
            await until(lambda: heard.keys() >= codes - silent)
    assert heard.keys() <= codes - silent  # nothing is invented
    assert heard["W7"] == 40.0
    assert heard["F1"] == pytest.approx(21.521)
    assert "use Http with OAuth" in caplog.text  # N1
    assert "Y3: no value" in caplog.text


def by_template(name: str, readings: dict[str, Any]) -> dict[str, float]:
    sent: dict[str, float] = {}

    def send(data: float, Codifier: str) -> None:  # noqa: N803
        sent[Codifier] = data

    times = {code: {"Value": v, "DTimestamp": 1000} for code, v in readings.items()}
    text = fill((OURS / f"{name}.py.txt").read_text(), times, SETPOINTS)
    names: dict[str, Any] = {
        "sendData": send,
        "sendCtrl": lambda **_: None,
        "timeNow": lambda: 2000,
    }
    names |= {"math": math, "min": smallest, "max": largest, "json": json}
    exec(compiled(text, name), {**names, "log": SimpleNamespace()})
    return sent


SETPOINTS = {code: {"Sensor": {"Default": text}} for code, text in (("FJ", "35"), ("FG", "6"))}


def by_expressions(name: str, readings: dict[str, Any]) -> dict[str, float]:
    described = json.loads((OURS / "expressions.json").read_text())[name]
    codes = {*ALL, *(each["Codifier"] for each in described)}
    types = dict.fromkeys(codes, "number")
    outputs = [
        Output(
            each["Codifier"],
            [compile_expression(text, types) for text in (each["Value"], *each.get("Else", ()))],
            each.get("Min"),
            each.get("Max"),
            each.get("First"),
        )
        for each in described
    ]
    own = {each.codifier for each in outputs}
    found = Outputs(outputs, types, dict.fromkeys(codes - own, 60.0))
    for code, number in readings.items():
        found.take(code, number, 1.0, Quality.GOOD)
    return {r.codifier: float(r.value) for r in found.run(2.0) if r.value is not None}


ALL = {
    "A1": 41.5, "A2": 38.25, "A3": 30.125, "A4": 36.75, "A5": 37.5, "X2": 2.5, "Y2": 1.25,
    "W1": 120.0, "W4": 340.5, "W7": 512.25, "M2": 21.5, "M4": 22.25, "FG": 6.0, "FH": 80.0,
    "FI": 1.0, "FJ": 35.0, "FK": 42.0, "N2": 21.5, "N3": 55.0,
}  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize(
    ("without", "changed"),
    [
        ((), {}),
        ((), {"A4": 39.0}),  # above the band
        ((), {"A4": 20.0, "A5": 21.0}),  # below it
        ((), {"FI": 0.0}),
        (("A4", "X2", "W7", "M2", "N3"), {}),
        (("A4", "A5", "A1", "M4"), {}),  # no temperature is known
    ],
)
def test_a_template_and_expressions_give_the_same_numbers(
    name: str, without: tuple[str, ...], changed: dict[str, float]
) -> None:
    readings = {code: n for code, n in (ALL | changed).items() if code not in without}
    one, other = by_template(name, readings), by_expressions(name, readings)
    if without:  # templates ask for all inputs of a block, expressions for their own
        other = {code: number for code, number in other.items() if code in one}
    assert one == pytest.approx(other, abs=1e-6)
    assert one
