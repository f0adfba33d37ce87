"""The programs of examples/: short, and run as their docstrings say."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import jph
from jph.config import model as config
from jph.gateway.node import Gateway
from jph.node.node import Node
from tests.jph.cli.programs import Program, control
from tests.jph.gateway import past
from tests.support import LIMIT_S, REPOSITORY, running, until

EXAMPLES = REPOSITORY / "examples"
PROGRAMS = sorted(EXAMPLES.rglob("*.py"))
CONSOLE: dict[str, Any] = {"Codifier": "CC", "Type": "ControlProgram", "Name": "Console"}


class Listener(Node):
    """Keeps what comes on the data bus."""

    def __init__(self, path: Path) -> None:
        super().__init__("LI", config.load(str(path)))
        self.values: list[tuple[str, jph.Reading]] = []

    def on_data(self, readings: Any) -> None:
        self.values += [(each.source, each) for each in readings if each.flag != "n"]

    def heard(self, codifier: str) -> list[Any]:
        return [reading.value for source, reading in self.values if source == codifier]


LISTENER = {"Codifier": "LI", "Type": "NestReader"}


@contextmanager
def example(name: str, path: Path, *words: str) -> Iterator[Program]:
    """Run an example with a config for the length of a block."""
    settings = {"JPH_CONFIG": str(path), "PYTHONPATH": str(REPOSITORY)}
    with Program(sys.executable, str(EXAMPLES / name), *words, **settings) as program:
        yield program


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_each_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


def test_there_are_five() -> None:
    assert len(PROGRAMS) == 5


async def test_the_sensor_sends(config_file: Callable[..., Path]) -> None:
    path = config_file(LISTENER, {"Codifier": "LA", "Type": "LoadAverage", "SensorInterval": 0.1})
    listener = Listener(path)
    async with running(listener):
        with example("sensor.py", path, "LA"):
            await until(lambda: listener.heard("LA"))
    assert all(value >= 0 for value in listener.heard("LA"))


async def test_the_rule_moves_the_actuator(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    state = tmp_path / "fan"
    state.write_text("0")
    path = config_file(
        LISTENER,
        CONSOLE,
        {
            "Codifier": "SW",
            "Type": "FileSwitch",
            "Control": "enabled",
            "SensorInterval": 0.1,
            "DataType": "bool",
            "Sensor": {"Path": str(state)},
        },
        {"Codifier": "RL", "Type": "FanRule", "Sensor": {"Temperature": "LI", "Fan": "SW"}},
    )
    listener = Listener(path)
    async with running(listener):
        with example("actuator.py", path, "SW"), example("rule.py", path, "RL"):
            for temperature, wanted in ((26.0, "1"), (24.0, "1"), (22.0, "0")):
                await until(lambda: listener.heard("SW"))
                await settles(listener, temperature, lambda w=wanted: state.read_text() == w)
    assert {0, 1} <= set(listener.heard("SW"))


async def settles(listener: Listener, temperature: float, holds: Callable[..., bool]) -> None:
    """Send a temperature again and again until `holds`: the rule may have just been started."""
    async with asyncio.timeout(LIMIT_S):
        listener.send(temperature)
        while not holds():
            listener.send(temperature)
            await asyncio.sleep(0.05)


async def test_the_package_is_a_kind_once_it_is_installed(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    count = tmp_path / "tips"
    count.write_text("15\n")
    gauge = {"Codifier": "RG", "Type": "RainGauge", "SensorInterval": 0.1}
    path = config_file(LISTENER, CONSOLE, {**gauge, "Sensor": {"File": str(count)}})
    listener = Listener(path)
    site = installed(tmp_path)
    modules = f"{site}{os.pathsep}{REPOSITORY}"
    words = [sys.executable, str(REPOSITORY / "control.py"), "--config", str(path), "run", "RG"]
    async with running(listener):
        with Program(*words, PYTHONPATH=modules):
            await until(lambda: listener.heard("RG"))
    assert listener.heard("RG")[0] == pytest.approx(3.0)
    assert control(path, "config", "check").returncode == 2  # where the package is not installed
    assert control(path, "config", "check", PYTHONPATH=modules).returncode == 0


def installed(tmp_path: Path) -> Path:
    """Return a folder as pip fills it: the module, and what its pyproject.toml registers."""
    import tomllib

    project = tomllib.loads((EXAMPLES / "rain" / "pyproject.toml").read_text())["project"]
    site = tmp_path / "site"
    info = site / "jph_rain-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: jph-rain\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in project["entry-points"]["jph.kinds"].items()]
    (info / "entry_points.txt").write_text("\n".join(["[jph.kinds]", *lines]))
    (site / "jph_rain.py").write_text((EXAMPLES / "rain" / "jph_rain.py").read_text())
    return site


async def test_the_history_is_printed(
    network: Callable[..., config.Network], sql: dict[str, Any], redis_url: str
) -> None:
    home = past.home(network, sql, redis_url)
    past.fill(sql, home)
    page = Gateway("CF", home)
    async with running(page):
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, str(EXAMPLES / "history.py"), page.url, "I1,RA", "26"],
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sum(" RA " in line and line.endswith(" °C") for line in lines) >= 26
    assert any("I1: 180 readings lost" in line for line in lines)
