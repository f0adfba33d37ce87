"""The setpoint on a real bus, and its bounds and memory alone."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import ConfigError
from jph.node.node import Node
from jph.wire.codec import Flag, Reading, Value
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.setpoint import Setpoint, SetpointSettings, bounded, restore, store
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "Codifier": "SP",
        "Type": "Setpoint",
        "Control": "enabled",
        "SensorInterval": 60,
        "Sensor": {"Default": "20", "Min": 5, "Max": 30},
        **changes,
    }


class Ear:
    """What a console hears of SP's values."""

    def __init__(self, console: ListeningProgram) -> None:
        self.values: list[Value] = []
        self.console = console
        console.read = self._read

    def _read(self, readings: list[Reading]) -> None:
        self.values += [r.value for r in readings if r.source == "SP" and r.flag != "n"]

    async def order(self, flag: str, number: float, value: float) -> Value:
        """Give an order and return the value that follows, which must become `value`."""
        self.console.send_control(flag, "SP", number)
        await until(lambda: self.values and self.values[-1] == value)
        return self.values[-1]


async def test_it_says_sets_steps_and_stays_in_bounds(network: MakeNetwork) -> None:
    house = network(entry(), CONSOLE)
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(Setpoint("SP", house)):
            await until(lambda: ear.values)
            assert ear.values == [20.0]
            assert await ear.order(Flag.SET, 21.5, 21.5) == 21.5
            assert await ear.order(Flag.STEP, -0.5, 21.0) == 21.0
            assert await ear.order(Flag.SET, 99, 30.0) == 30.0
            assert await ear.order(Flag.STEP, -99, 5.0) == 5.0


async def test_it_continues_where_it_was(network: MakeNetwork, state: Path) -> None:
    house = network(entry(), CONSOLE)
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(Setpoint("SP", house)):
            await ear.order(Flag.SET, 17.5, 17.5)
        assert json.loads((state / "setpoints" / "SP.json").read_text()) == {"value": 17.5}
        ear.values.clear()
        async with running(Setpoint("SP", house)):
            await until(lambda: ear.values)
    assert ear.values[0] == 17.5


async def test_an_integer_stays_one(network: MakeNetwork) -> None:
    house = network(entry(DataType="integer"), CONSOLE)
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(Setpoint("SP", house)):
            value = await ear.order(Flag.SET, 6.7, 7)
    assert value == 7
    assert isinstance(value, int)


async def test_what_is_no_value_or_not_allowed_changes_nothing(network: MakeNetwork) -> None:
    house = network(entry(), entry(Codifier="SQ", Control=""), CONSOLE)
    allowed, forbidden = Setpoint("SP", house), Setpoint("SQ", house)
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(allowed, forbidden):
            console.send_control(Flag.SET, "SP", float("nan"))
            console.send_control(Flag.SET, "SQ", 25)
            console.send_control(Flag.SET, "ZZ", 25)
            assert await ear.order(Flag.SET, 22, 22.0) == 22.0  # behind them, in order
    assert forbidden.value == 20.0


async def test_new_bounds_hold_after_a_reload(network: MakeNetwork) -> None:
    narrower = network(entry(Sensor={"Default": 20, "Max": 18}), CONSOLE)

    async def reload() -> Network:
        return narrower

    node = Setpoint("SP", network(entry(), CONSOLE), reload)
    async with on_bus(ListeningProgram("CC", narrower)) as console, running(node):
        console.send_control(Flag.RELOAD, "SP")
        await until(lambda: node.value == 18.0)


@pytest.mark.parametrize(
    ("value", "low", "high", "kept"),
    [(7, None, None, 7), (7, 8, None, 8), (7, None, 6, 6), (7, 5, 9, 7)],
)
def test_bounds(value: float, low: float | None, high: float | None, kept: float) -> None:
    assert bounded(value, SetpointSettings(min=low, max=high)) == kept


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"value": "x"}', '{"value": NaN}'])
def test_a_useless_memory_is_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "SP.json"
    if content is not None:
        path.write_text(content)
    assert restore(path) is None


def test_memory(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "SP.json"
    for value in (19.25, -3.0):
        store(path, value)
        assert restore(path) == value
    assert [found.name for found in path.parent.iterdir()] == ["SP.json"]


@pytest.fixture
def no_memory(state: Path) -> None:
    """Leave no place to write setpoints to."""
    state.mkdir()
    (state / "setpoints").write_text("in the way")


@pytest.mark.usefixtures("no_memory")
async def test_a_full_disk_is_told_and_survived(
    network: MakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    house = network(entry(), CONSOLE)
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(Setpoint("SP", house)):
            assert await ear.order(Flag.SET, 22, 22.0) == 22.0
    assert "will not survive a restart" in caplog.text


async def test_a_dragged_slider_is_logged_where_it_begins_and_where_it_ends(
    network: MakeNetwork, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    now_s = [100.0]
    monkeypatch.setattr("nodes.setpoint.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    house = network(entry(), CONSOLE)
    node = Setpoint("SP", house)

    def told() -> list[str]:
        return [message for message in caplog.messages if "sets" in message]

    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(node):
            for number in range(10, 25):
                await ear.order(Flag.SET, number, number)
            await node.on_timer(0)
            assert told() == ["CC sets 10"]
            now_s[0] += 11
            await node.on_timer(0)
            await node.on_timer(0)
    assert told() == ["CC sets 10", "CC sets 24"]


async def test_many_values_at_once_cost_few_writes(
    network: MakeNetwork, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    writes: list[float] = []

    def counted(path: Path, value: float) -> None:
        writes.append(value)
        store(path, value)

    monkeypatch.setattr("nodes.setpoint.store", counted)
    house = network(entry(Sensor={"Default": 20}), CONSOLE)
    node = Setpoint("SP", house)
    async with on_bus(ListeningProgram("CC", house)) as console, running(node):
        for number in range(200):
            console.send_control(Flag.SET, "SP", 100 + number)
        await until(lambda: node.value == 299)
    assert len(writes) < 50
    assert restore(state / "setpoints" / "SP.json") == 299


@pytest.mark.parametrize("wanted", [1e308, -1e308, 1e10, float("inf")])
async def test_an_absurd_value_is_refused(network: MakeNetwork, wanted: float) -> None:
    house = network(entry(Sensor={"Default": 20}), CONSOLE)
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(Setpoint("SP", house)):
            console.send_control(Flag.SET, "SP", wanted)
            assert await ear.order(Flag.STEP, 1, 21) == 21
    assert set(ear.values) == {20, 21}


@pytest.mark.parametrize(
    "settings", [{"Default": "warm"}, {"Default": "nan"}, {"Min": 9, "Max": 5}, {"Min": "low"}]
)
def test_settings_that_cannot_be(network: MakeNetwork, settings: dict[str, Any]) -> None:
    house = network(entry(Sensor=settings))
    with pytest.raises(ConfigError, match=r"Sensors\[SP\]\.Sensor"):
        Setpoint("SP", house)


def test_it_is_the_originals_control_sensor_too() -> None:
    assert issubclass(Setpoint, Node)
    assert Setpoint.types == ("Setpoint", "controlSensor")
