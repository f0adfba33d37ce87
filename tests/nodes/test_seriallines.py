"""Serial lines through a pseudo-terminal, and programs that print: values, away and back."""

import asyncio
import os
import sys
import tty
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import ConfigError
from nodes.command import Command
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.seriallines import SerialLines
from tests.jph.devices.serial.test_serial_formats import GOOD, TELEGRAM, with_crc
from tests.support import children, running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}
Values = dict[str, list[Any]]


@pytest.fixture
async def heard(network: MakeNetwork) -> AsyncIterator[Values]:
    """Yield what a console hears, by codifier."""
    values: Values = {"S1": [], "S2": []}

    def read(readings: Any) -> None:
        for reading in readings:
            if reading.flag != "n":
                values[reading.source].append(reading.value)

    async with on_bus(ListeningProgram("CC", network(CONSOLE))) as console:
        console.read = read
        yield values


def entries(kind: str, *elements: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    return [
        {"Codifier": "S1", "Type": kind, "SensorInterval": 0.05,
         "Sensor": {"Elements": list(elements), **settings}},
        {"Codifier": "S2", "Type": "Proxy", "Sensor": {"Codifier": "S1"}},
        CONSOLE,
    ]  # fmt: skip


class Line:
    """A pseudo-terminal behind a path, as a USB adapter that can be pulled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug()

    def plug(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        self._slave = slave

    def pull(self) -> None:
        self.path.unlink()
        os.close(self._slave)
        os.close(self.master)

    def write(self, data: bytes) -> None:
        os.write(self.master, data)


async def test_a_display_that_is_pulled_and_comes_back(
    network: MakeNetwork, heard: Values, tmp_path: Path
) -> None:
    line = Line(tmp_path / "port")
    watts = {"Codifier": "S1", "Path": "sensor3.watts"}
    degrees = {"Codifier": "S2", "Path": "sensor3.temperature"}
    made = network(*entries("CurrentCost", watts, degrees, Device=str(line.path)))
    message = f"\ufffd{GOOD}\r\n".encode()

    async def say_until(count: int) -> None:
        while len(heard["S2"]) < count:
            line.write(message)
            await asyncio.sleep(0.02)

    async with running(SerialLines("S1", made)):
        await say_until(1)
        line.pull()
        line.plug()
        await say_until(len(heard["S2"]) + 1)
    line.pull()
    assert set(heard["S1"]) == {723.0}
    assert set(heard["S2"]) == {26.4}


async def test_telegrams_of_a_meter(network: MakeNetwork, heard: Values, tmp_path: Path) -> None:
    line = Line(tmp_path / "port")
    power = {"Codifier": "S1", "Key": "1-0:1.7.0", "Filter": [{"Scale": 1000}]}
    gas = {"Codifier": "S2", "Key": "0-1:24.2.1"}
    made = network(*entries("DSMR", power, gas, Device=str(line.path), BaudRate=115_200))
    async with running(SerialLines("S1", made)):
        while not heard["S2"]:
            line.write(with_crc(TELEGRAM).replace(b"01.193", b"99.999") + with_crc(TELEGRAM))
            await asyncio.sleep(0.02)
    line.pull()
    assert set(heard["S1"]) == {1193.0}
    assert set(heard["S2"]) == {12785.123}


def script(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "program.py"
    path.write_text(text)
    return [sys.executable, "-S", str(path)]


async def test_a_program_once(
    network: MakeNetwork, heard: Values, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = script(tmp_path, """import sys; print('{"a": 4.5, "b": nan}')""")
    made = network(
        *entries("Command", {"Codifier": "S1", "Path": "a"}, {"Codifier": "S2", "Path": "b"},
                 Run=run, Timeout=60)
    )  # fmt: skip
    async with running(Command("S1", made)):
        await until(lambda: heard["S1"])
        script(tmp_path, "import sys; sys.exit('broken pump')")
        await until(lambda: "status 1: broken pump" in caplog.text)
    assert set(heard["S1"]) == {4.5}
    assert heard["S2"] == []


async def test_a_program_that_runs_on_and_its_children_end_with_the_node(
    network: MakeNetwork, heard: Values, tmp_path: Path
) -> None:
    run = script(
        tmp_path,
        "import subprocess, time\n"
        "subprocess.Popen(['sleep', '600'])\n"
        'print(\'{"model": "A", "t": 1}\', \'noise\', \'{"model": "B", "t": 2}\', sep=\'\\n\','
        " flush=True)\ntime.sleep(600)\n",
    )
    element = {"Codifier": "S1", "Path": "t", "When": "model == 'B'"}
    made = network(*entries("Command", element, Run=run, Mode="lines"))
    async with running(Command("S1", made)):
        await until(lambda: heard["S1"])
        (program,) = (p for p in children(os.getpid()) if "program.py" in _command(p))
        (child,) = children(program)
    assert heard["S1"] == [2.0]
    await until(lambda: not _lives(program) and not _lives(child))


async def test_a_program_that_is_missing_or_too_slow(
    network: MakeNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    element = {"Codifier": "S1", "Path": "t"}
    slow = network(*entries("Command", element, Run=["sleep", "600"], Timeout=0.05))
    async with running(Command("S1", slow)):
        await until(lambda: "it runs longer than 0.05 s" in caplog.text)
    missing = network(*entries("Command", element, Run=[str(tmp_path / "no")], Mode="lines"))
    async with running(Command("S1", missing)):
        await until(lambda: "No such file" in caplog.text)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("Command", {}), ("Command", {"Run": []}), ("Command", {"Run": ["a\0"]}), ("DSMR", {}),
     ("SerialLines", {"Device": "/dev/x", "Format": "yaml"}),
     ("SerialLines", {"Device": "/dev/x", "BaudRate": 1})],
)  # fmt: skip
def test_settings_that_cannot_be(network: MakeNetwork, kind: str, settings: dict[str, Any]) -> None:
    node = Command if kind == "Command" else SerialLines
    with pytest.raises(ConfigError, match=r"Sensors\[S1\]"):
        node("S1", network(*entries(kind, **settings)))
