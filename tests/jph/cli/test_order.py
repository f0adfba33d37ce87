"""`order` against a real card, against none, and against a configuration that forbids it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.i2cserver import I2CServer
from tests.jph.cli.programs import CONSOLE, Document, Program, command, control, element

WriteConfig = Callable[..., Path]


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def config(config_file: WriteConfig, chip: I2CServer) -> Path:
    """Write a card with two heaters in the salon and one in the kitchen, and the console."""
    wires = [
        {"Codifier": "11", "Wire": 1, "Phase": 1, "Room": "Salon", "Name": "Fenêtre"},
        {"Codifier": "12", "Wire": 2, "Phase": 2, "Room": "Salon", "Name": "Porte"},
        {"Codifier": "13", "Wire": 3, "Phase": 2, "Room": "Cuisine"},
    ]
    wires[0] |= {"SolidState": True, "Applied": "A1"}
    return config_file(
        card("P1", wires, Bus=chip.bus, Shed={"1": "S1", "2": "S2"}),
        *(element(code, "P1", Control="enabled") for code in ("11", "12", "13")),
        element("A1", "P1"),
        CONSOLE,
        {"Codifier": "SH", "Type": "Setpoint", "Name": "Shedder", "Sensor": {"Default": 0}},
        *(element(code, "SH") for code in ("S1", "S2")),
    )


def card(code: str, wires: list[dict[str, Any]], **settings: Any) -> Document:
    return {
        "Codifier": code,
        "Type": "PilotCard",
        "Name": "Card",
        "KeepAliveInterval": 0.5,
        "SensorInterval": 0.2,
        "TimeoutWarning": 2,
        "Sensor": {"Wires": wires, **settings},
    }


@pytest.fixture
def running_card(config: Path, tmp_path: Path) -> Iterator[Program]:
    """Run the card and wait until it speaks."""
    with Program(*command(config, "run", "P1"), JPH_STATE=str(tmp_path / "state")) as program:
        heard = control(config, "watch", "--bus", "data", "--from", "11", "--count", "1")
        assert heard.returncode == 0
        yield program


@pytest.mark.usefixtures("running_card")
def test_one_heater_a_room_a_phase_and_all(config: Path, chip: I2CServer) -> None:
    done = control(config, "order", "11", "eco")
    assert (done.returncode, done.stdout) == (0, "11 (Salon Fenêtre): eco\n"), done.stderr
    assert chip.latches == (0b11, 0)
    done = control(config, "order", "SALON", "hors-gel")
    assert done.stdout == "11 (Salon Fenêtre): frost\n12 (Salon Porte): frost\n"
    assert chip.latches == (0b1010, 0)
    done = control(config, "order", "phase", "2", "off")
    assert done.stdout == "12 (Salon Porte): off\n13 (Cuisine): off\n"
    assert chip.latches == (0b01_01_10, 0)
    done = control(config, "order", "all", "confort")
    assert (done.returncode, done.stdout.count(": comfort\n")) == (0, 3)
    assert chip.latches == (0, 0)


@pytest.mark.usefixtures("running_card")
def test_an_order_with_an_end(config: Path, state: Path) -> None:
    assert control(config, "order", "11", "eco").returncode == 0
    done = control(config, "order", "11", "comfort", "--for", "1h")
    assert (done.returncode, done.stdout) == (0, "11 (Salon Fenêtre): comfort\n"), done.stderr
    kept = json.loads((state / "orders" / "P1.json").read_text())["11"]
    assert kept["before"]["order"] == 3
    assert abs(kept["until_ms"] - kept["at_ms"] - 3_600_000) < 10_000
    for wrong in ("8000000", "0", "soon"):
        assert control(config, "order", "11", "comfort", "--for", wrong).returncode == 2


@pytest.mark.usefixtures("running_card")
def test_json_tells_each_heater(config: Path) -> None:
    done = control(config, "order", "--json", "salon", "fenetre", "comfort", "-1")
    (shown,) = json.loads(done.stdout)
    assert done.returncode == 0
    assert shown.pop("timestamp_ms") > 1_600_000_000_000
    assert shown == {
        "codifier": "11",
        "room": "Salon",
        "name": "Fenêtre",
        "wanted": "comfort-1",
        "ordered": "comfort-1",
        "applied": "comfort-1",
        "stale": False,
        "followed": True,
        "refused": None,
    }


@pytest.mark.usefixtures("running_card")
def test_a_relay_is_refused_and_the_others_told(config: Path) -> None:
    done = control(config, "order", "salon", "comfort-2", patience=3)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first == "11 (Salon Fenêtre): comfort-2"
    assert second.startswith("12 (Salon Porte): refused, comfort-2 would wear out its relay")
    assert done.stderr == "control.py: not done: 12\n"
    done = control(config, "order", "13", "comfort-2")
    assert done.returncode == 2
    assert "not declared SolidState" in done.stderr


@pytest.mark.usefixtures("running_card")
def test_a_chip_that_is_away_is_told(config: Path, chip: I2CServer) -> None:
    chip.absent = True
    stale = control(config, "watch", "--bus", "data", "--from", "P1", "--count", "2")
    assert stale.returncode == 0
    done = control(config, "order", "13", "eco")
    assert done.returncode == 1
    assert done.stdout == "13 (Cuisine): eco from when its card finds its chip again\n"


def test_a_shed_heater_keeps_the_order_for_later(config: Path, tmp_path: Path) -> None:
    document = json.loads(config.read_text(encoding="utf-8"))
    document["Sensors"][0]["Sensor"] |= {"Hold": 0, "Share": 0}  # no masks: off at once
    config.write_text(json.dumps(document), encoding="utf-8")
    with Program(*command(config, "run", "P1"), JPH_STATE=str(tmp_path / "state")):
        words = ("watch", "--bus", "data", "--from", "A1", "--count", "1")
        assert "1" in control(config, *words).stdout
        done = control(config, "order", "11", "eco")
        expected = "11 (Salon Fenêtre): eco, but off for now: it is shed\n"
        assert (done.returncode, done.stdout) == (0, expected)


def test_nobody_answers(config: Path) -> None:
    done = control(config, "order", "salon", "eco", patience=1)
    assert done.returncode == 1
    assert done.stdout == "11 (Salon Fenêtre): no answer\n12 (Salon Porte): no answer\n"
    assert done.stderr == "control.py: not done: 11 12\n"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["salom", "eco"], "near: Salon"),
        (["14", "eco"], "near: "),
        (["salon", "warm"], "'warm' is no order; the orders are comfort"),
        (["eco"], "name a target"),
    ],
)
def test_what_is_not_understood(config: Path, words: list[str], shown: str) -> None:
    done = control(config, "order", *words)
    assert done.returncode == 2
    assert shown in done.stderr


def test_without_control_it_is_not_even_sent(config: Path) -> None:
    document = json.loads(config.read_text(encoding="utf-8"))
    next(s for s in document["Sensors"] if s["Codifier"] == "13").pop("Control")
    config.write_text(json.dumps(document), encoding="utf-8")
    done = control(config, "order", "cuisine", "eco")
    assert done.returncode == 2
    assert '"Control": "enabled"' in done.stderr
