"""The pool's node on a real bus: what it says, the switch, silence, and a restart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.devices.filtration import FiltrationMemory, PumpRun
from jph.errors import ConfigError
from jph.node import kinds
from jph.wire.codec import Flag, Quality, Reading
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.pool import Mode, Pool, PoolSettings, StoredPool, restore, store
from tests.support import running, until

MakeNetwork = Callable[..., Network]
ELEMENTS = {"Mode": "PM", "Planned": "PH", "Done": "PD", "State": "PS"}


def entries(**settings: Any) -> list[dict[str, Any]]:
    """Return a pool, its elements, a thermometer and a console."""
    pool = {"Temperature": "TW", **ELEMENTS, **settings}
    return [
        {"Codifier": "PO", "Type": "Pool", "SensorInterval": 0.05, "Sensor": pool},
        *(
            {"Codifier": c, "Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "PO"}}
            for c in ELEMENTS.values()
        ),
        {"Codifier": "CC", "Type": "ControlProgram"},
        {"Codifier": "TW", "Type": "Proxy", "Symbol": "°C", "Sensor": {"Codifier": "CC"}},
    ]


class Ear:
    """What a console heard last of each codifier."""

    def __init__(self, console: ListeningProgram) -> None:
        self.last: dict[str, Any] = {}
        console.read = self._read

    def _read(self, readings: list[Reading]) -> None:
        for each in readings:
            if each.flag != "n":
                text = each.flag == "j"
                self.last[each.source] = json.loads(str(each.value)) if text else each.value


async def test_it_plans_by_the_waters_temperature(network: MakeNetwork) -> None:
    house = network(*entries(Middle="12:00"))
    async with on_bus(ListeningProgram("CC", house)) as console, running(Pool("PO", house)):
        ear = Ear(console)
        await until(lambda: ear.last.get("PH") == 8)
        assert ear.last["PS"]["why"] == "unknown"
        console.send(24.0, codifier="TW")
        await until(lambda: ear.last["PH"] == 12)
        console.send(55.0, codifier="TW", quality=Quality.IMPLAUSIBLE)
        console.send("hot", codifier="TW")
        console.send(float("nan"), codifier="TW")
        console.send(22.5, codifier="TW")
        await until(lambda: ear.last["PS"]["temperature"] == 22.5)
        state = ear.last["PS"]
        assert (state["why"], state["warmest"], state["mode"]) == ("temperature", 24, "auto")
        assert ear.last["PM"] == Mode.AUTO


async def test_the_switch_is_obeyed_at_once_and_kept(network: MakeNetwork, state: Path) -> None:
    house = network(*entries())
    async with on_bus(ListeningProgram("CC", house)) as console:
        ear = Ear(console)
        async with running(Pool("PO", house)):
            await until(lambda: ear.last.get("PM") == Mode.AUTO)
            console.send_control(Flag.SET, "PM", Mode.ON)
            await until(lambda: ear.last["PO"] == 1 and ear.last["PM"] == Mode.ON)
            await until(lambda: ear.last["PS"]["runs"])
            console.send_control(Flag.SET, "PM", 7)
            console.send_control(Flag.SET, "PH", 3)
            console.send_control(Flag.SET, "PM", Mode.OFF)
            await until(lambda: ear.last["PO"] == 0 and ear.last["PM"] == Mode.OFF)
            assert ear.last["PS"]["ahead"] is None
        ear.last.clear()
        async with running(Pool("PO", house)):
            await until(lambda: ear.last.get("PM") == Mode.OFF)
            assert ear.last["PO"] == 0
            assert ear.last["PS"]["runs"]
            console.send_control(Flag.SET, "PM", Mode.AUTO)
            await until(lambda: ear.last["PM"] == Mode.AUTO)


async def test_frozen_water_is_kept_moving(network: MakeNetwork) -> None:
    house = network(*entries())
    async with on_bus(ListeningProgram("CC", house)) as console, running(Pool("PO", house)):
        ear = Ear(console)
        await until(lambda: ear.last)
        console.send(0.2, codifier="TW")
        await until(lambda: ear.last["PO"] == 1 and ear.last["PS"]["why"] == "frost")


async def test_a_still_pipe_does_not_count(network: MakeNetwork) -> None:
    house = network(*entries(SettleMinutes=5))
    async with on_bus(ListeningProgram("CC", house)) as console, running(Pool("PO", house)):
        ear = Ear(console)
        await until(lambda: ear.last)
        console.send(38.0, codifier="TW")
        await until(lambda: ear.last["PS"]["temperature"] == 38)
        assert ear.last["PS"]["why"] == "unknown"


@pytest.mark.parametrize("content", [b"", b"[]", b'{"mode": 9, "memory": []}', b"\xff"])
def test_a_file_that_cannot_be_used_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "PO.json"
    assert restore(path) is None
    path.write_bytes(content)
    assert restore(path) is None


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "pool" / "PO.json"
    kept = StoredPool(1, FiltrationMemory("2026-07-10", 26.5, None, 3_600_000, (PumpRun(1, 2),)))
    store(path, kept)
    assert restore(path) == kept


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({}, "Temperature"),
        ({"Temperature": "TW", "Middle": "noon"}, "Middle"),
        ({"Temperature": "TW", "TimeZone": "Mars/Base"}, "TimeZone"),
        ({"Temperature": "TW", "Least": 9, "Most": 3}, "Least"),
        ({"Temperature": "TW", "Divisor": 0}, "Divisor"),
    ],
)
def test_settings_that_are_wrong_are_told(
    network: MakeNetwork, settings: dict[str, Any], wrong: str
) -> None:
    house = network({"Codifier": "PO", "Type": "Pool", "Sensor": settings})
    with pytest.raises(ConfigError, match=wrong):
        Pool.check_settings(house.sensor("PO"))


def test_codifiers_that_are_not_there_are_told(network: MakeNetwork) -> None:
    house = network(*entries(Temperature="XX", Planned="TW"))
    paths = [problem.path for problem in Pool.check_network(house)]
    assert paths == ["Sensors[PO].Sensor.Temperature", "Sensors[PO].Sensor.Planned"]
    assert Pool.check_network(network(*entries())) == []
    assert kinds.find("Pool") is Pool
    assert PoolSettings(temperature="TW").rule().divisor == 2
