"""Scripts written for the original library run unchanged."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import jph
from jph import compat
from jph.config.model import Network
from jph.errors import ConfigError
from jph.node import program
from jph.node.node import Node
from jph.wire.codec import Control, Reading
from tests.support import LIMIT_S, REPOSITORY, running, until

SENSORS = [
    {
        "Codifier": "A1",
        "Name": "Old script",
        "Type": "failsafeReader",
        "KeepAliveInterval": 0.05,
        "SensorInterval": 0.02,
        "Control": "enabled",
        "Sensor": {"URL": "http://192.0.2.1/X", "Proxy": [{"Codifier": "A2"}]},
    },
    {"Codifier": "A2", "Type": "Proxy", "Sensor": {"Codifier": "A1"}},
    {"Codifier": "EA", "Type": "ControlProgram"},
]

SCRIPT = """
import json, sys
import jph

channel = jph.jph(configURL=sys.argv[1], Codifier="A1")

def timer(timestamp, command, number):
    if not command and number is not None:
        raise ValueError(number)
    channel.sendData(21.5)
    channel.sendData(99, 0, "A1", True)
    channel.sendData(7, Codifier="A2", timestamp=1234)
    channel.sendData('{"value": 2}', isJson=True)
    if command:
        channel.sendData("%s %s" % (command, number))
    return jph.STATE.GOOD if timestamp else jph.STATE.WITHERRORS

def show(*words):
    print(json.dumps(words), flush=True)

def control(chnl, flag, source, to, timestamp, sequence, length, sender, data, isActive):
    if flag == "P":
        show(chnl, flag, source, to, length, len(sender), data, isActive)

def data(chnl, flag, source, to, timestamp, sequence, length, sender, value, isActive):
    if source == "EA":
        show(chnl, flag, source, to, length, len(sender), value, isActive)

channel.run(timeCallback=timer, ctrlCallback=control, dataCallback=data)
"""


class Ear(Node, type="Ear"):
    """A node that keeps what it hears of A1 and A2."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.control: list[Control] = []
        self.readings: list[Reading] = []

    def on_control(self, message: Control) -> None:
        self.control += [message] if message.source == "A1" else []

    def on_announcement(self, announcement: Reading) -> None:
        self.on_data([announcement])

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.readings += [r for r in readings if r.source != "EA"]


@contextlib.contextmanager
def script(config: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the script for the length of a block."""
    path = config.with_name("script.py")
    path.write_text(SCRIPT, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(path), f"file:{config}"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    ) as process:
        yield process
        process.kill()


async def test_a_script_and_its_callbacks(
    network: Callable[..., Network], config_file: Callable[..., Path]
) -> None:
    ear = Ear("EA", network(*SENSORS))
    async with running(ear):
        with script(config_file(*SENSORS)) as program:
            await _called_back(ear, program)
    sent = {(r.source, r.flag, r.value) for r in ear.readings}
    assert sent >= {("A1", "d", 21.5), ("A2", "i", 7), ("A1", "j", '{"value": 2}')}
    assert {r.timestamp_ms for r in ear.readings if r.source == "A2" and r.flag == "i"} == {1234}
    assert [str(m.flag) for m in ear.control[:2]] == ["N", "I"]


async def _called_back(ear: Ear, script: subprocess.Popen[str]) -> None:
    assert script.stdout is not None
    await until(lambda: len(ear.readings) > 6)
    ear.send_control("A", "A1", 2.5)
    ear.send_control("P", "A1", 77.25)
    assert json.loads(script.stdout.readline()) == [
        *("Ctrl=", "P", "EA", "A1", 9, 2, 77.25, True),
    ]
    ear.send("héllo")
    assert json.loads(script.stdout.readline())[:2] == ["Data=", "n"]
    assert json.loads(script.stdout.readline()) == [
        *("Data=", "s", "EA", "@@", 10, 2, "héllo", None),
    ]
    await until(lambda: any(r.value == "A 2.5" for r in ear.readings))
    await until(lambda: any(m.flag == "T" and m.number == 77.25 for m in ear.control))
    script.send_signal(signal.SIGTERM)
    assert script.wait(LIMIT_S) == 0


async def test_sending_without_running(
    network: Callable[..., Network],
    config_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JPH_CONFIG", str(config_file(*SENSORS)))
    monkeypatch.setenv("JPH_SENSOR", "A1")
    ear = Ear("EA", network(*SENSORS))
    async with running(ear):
        channel = jph.jph()
        channel.sendData(1.5)
        channel.sendCtrl("P", to="EA", timeComponent=3)
        await until(lambda: len(ear.readings) == 2)
        await until(lambda: ear.control)
        channel.close()
    assert [r.value for r in ear.readings][1:] == [1.5]
    assert [(m.flag, m.to, m.number) for m in ear.control] == [("P", "EA", 3.0)]


def test_what_the_config_says(config_file: Callable[..., Path]) -> None:
    channel = compat.jph(configURL=str(config_file(*SENSORS)), Codifier="A1")
    assert channel.getConfig()["Sensors"] == channel.getAllSensors() == SENSORS
    assert channel.getMySensor() == channel.getSensor("A1") == SENSORS[0]
    assert channel.getSensor("ZZ") is None
    assert channel.getMySensorElement("URL") == "http://192.0.2.1/X"
    assert channel.getMySensorElement("Pin") is None
    assert abs(channel.timeNow() - jph.timeNow()) < 10_000


def test_an_unknown_codifier(config_file: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="'A9' is not in the config"):
        jph.jph(str(config_file(*SENSORS)), "A9")


@pytest.mark.parametrize(
    ("callback", "taken"),
    [
        (lambda now: None, 1),
        (lambda now, command="", number=None: None, 3),
        (lambda *words: None, 3),
        (print, 3),
    ],
)
def test_a_timer_callback_gets_what_it_takes(callback: Any, taken: int) -> None:
    assert compat._arity(callback) == taken


def test_the_states_of_the_original() -> None:
    assert [state.name for state in jph.STATE] == ["GOOD", "WITHERRORS", "FAILED", "NOREADING"]


@pytest.mark.parametrize("value", ["1", "TRUE", "true"])
def test_a_silent_program_sends_no_log(
    value: str, config_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPH_SILENT", value)
    sent: list[object] = []
    monkeypatch.setattr(program, "send_log", lambda *arguments: sent.append(arguments))
    monkeypatch.setattr("jph.node.program.asyncio.run", lambda running: running.close())
    program.run(["EA"], str(config_file(*SENSORS)))
    assert sent == []
