"""`set` against a real pilot card, with its chip and without."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.i2cserver import I2CServer
from tests.jph.cli.programs import CONSOLE, Document, Program, command, control, element

WriteConfig = Callable[..., Path]


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    """Serve a chip."""
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


def card(bus: str) -> list[Document]:
    """Return a card with one heater, the first of phase 1."""
    wires = [{"Codifier": "11", "Wire": 1, "Phase": 1, "Room": "Hall", "Name": "Wall"}]
    settings = {"Bus": bus, "Address": 0x20, "Wires": wires, "Shed": {"1": "S1"}}
    return [
        {"Codifier": "P1", "Type": "PilotCard", "Name": "Card", "Sensor": settings}
        | {"SensorInterval": 0.2},
        element("11", "P1", Name="Heater", Control="enabled"),
        {"Codifier": "SH", "Type": "Shedding", "Name": "Shedder"}
        | {"Sensor": {"Phases": [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30}]}},
        element("S1", "SH"),
        {"Codifier": "TI", "Type": "Teleinfo", "Name": "Meter"}
        | {"Sensor": {"Device": "/dev/null", "Proxy": [{"Codifier": "I1", "Field": "IINST1"}]}},
        element("I1", "TI"),
        CONSOLE,
    ]


@pytest.fixture
def config(config_file: WriteConfig, chip: I2CServer) -> Path:
    return config_file(*card(chip.bus))


@pytest.fixture
def running(config: Path) -> Iterator[Program]:
    with Program(*command(config, "run", "P1")) as program:
        heard = control(config, "watch", "--bus", "data", "--from", "11", "--count", "1")
        assert heard.returncode == 0
        yield program


def test_an_order_is_taken_or_refused(running: Program, config: Path) -> None:
    done = control(config, "set", "11", "3")
    assert (done.returncode, done.stdout) == (0, "11 (Heater): 3\n"), done.stderr
    done = control(config, "set", "11", "7", patience=3)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "control.py: 11 refuses 7: it says 3\n"
    done = control(config, "set", "--json", "11", "7", patience=3)
    told = json.loads(done.stdout)
    assert (done.returncode, told["value"], told["done"]) == (1, 3, False)


def test_a_chip_that_does_not_answer_is_told(config_file: WriteConfig, tmp_path: Path) -> None:
    config = config_file(*card(f"unix:{tmp_path}/none.sock"))
    with Program(*command(config, "run", "P1")):
        heard = control(config, "watch", "--from", "11", "--flag", "i", "--count", "1")
        assert "(stale)" in heard.stdout
        done = control(config, "set", "11", "2", patience=3)
        assert done.returncode == 1
        assert "the chip does not answer: the order is kept, the wire not set" in done.stderr
        table = control(config, "status", "--wait", "4").stdout
        assert "stale" in next(line for line in table.splitlines() if "Heater" in line)
