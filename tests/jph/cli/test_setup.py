"""`setup` against a simulated meter and chip; what it writes passes `config check`."""

import json
import os
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jph.cli.main import cli
from jph.cli.setup import finding
from jph.cli.setup.document import FoundChip, FoundMeter, Wanted, document
from jph.node import kinds
from tests.i2cserver import I2CServer
from tests.jph.devices.tic.frames import HISTORIQUE_THREE, even, frame

THREE = FoundMeter(
    "/dev/ttyUSB0",
    "historique",
    frozenset(f"{name}_{n}" for name in ("CURRENT", "WARNING") for n in (1, 2, 3))
    | {"APPARENT_POWER", "SUBSCRIBED_CURRENT", "TARIFF_PERIOD"},
    30.0,
)
SINGLE = FoundMeter("/dev/ttyAMA0", "standard", frozenset({"CURRENT_1", "APPARENT_POWER"}))
SQL = {"Host": "/var/run/postgresql", "Port": 5432, "Database": "jph", "User": "jph"}


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted([THREE], interface="eth0", redis_url="redis://127.0.0.1:6379/0", sql=SQL),
        Wanted([SINGLE], [FoundChip(1, 32)], cards=True),
        Wanted([THREE], [FoundChip(1, 32), FoundChip(1, 33)], cards=True),
        Wanted([], [FoundChip(1, 32)], cards=True),
        Wanted([THREE], [FoundChip(1, 32)]),
    ],
)
def test_each_document_passes_the_check(wanted: Wanted) -> None:
    made = document(wanted)
    network = kinds.parse(json.dumps(made).encode(), "setup", references_too=True)
    assert list(kinds.unread_keys(json.dumps(made).encode(), network)) == []
    types = [node.type for node in network.nodes()]
    assert types.count("PilotCard") == (len(wanted.chips) if wanted.cards else 0)
    assert ("Shedding" in types) is bool(wanted.cards and wanted.chips and wanted.meters)
    assert ("Teleinfo" in types) is bool(wanted.meters)


def test_a_chip_alone_is_never_driven() -> None:
    made = document(Wanted([THREE], [FoundChip(1, 32)]))
    assert "PilotCard" not in [entry["Type"] for entry in made["Sensors"]]


def test_ports_are_listed_once_by_their_stable_name(tmp_path: Path) -> None:
    (tmp_path / "serial" / "by-id").mkdir(parents=True)
    for name in ("ttyUSB0", "ttyUSB1", "ttyAMA0", "tty1"):
        (tmp_path / name).touch()
    stable = tmp_path / "serial" / "by-id" / "usb-FTDI"
    stable.symlink_to(tmp_path / "ttyUSB1")
    found = finding.serial_ports(tmp_path)
    assert found == [str(stable), *(str(tmp_path / n) for n in ("ttyUSB0", "ttyAMA0"))]
    (tmp_path / "i2c-1").touch()
    (tmp_path / "i2c-10").touch()
    assert finding.i2c_buses(tmp_path) == [1, 10]


@pytest.fixture
def meter() -> Iterator[str]:
    """Yield the path of a line on which a meter sends frame after frame."""
    master, slave = os.openpty()
    tty.setraw(slave)
    ended = threading.Event()
    content = even(frame(HISTORIQUE_THREE))

    def send() -> None:
        os.set_blocking(master, False)
        while not ended.wait(0.02):
            try:
                os.write(master, content)
            except OSError:  # nothing reads now
                continue

    thread = threading.Thread(target=send)
    thread.start()
    yield os.ttyname(slave)
    ended.set()
    thread.join()
    os.close(master)
    os.close(slave)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["setup", "--yes", "--embedded", *words])


def test_a_meter_and_a_chip_become_a_configuration(meter: str, tmp_path: Path) -> None:
    chip = I2CServer(tmp_path / "i2c.sock", 0x21)
    out = tmp_path / "etc" / "config.json"
    try:
        done = run("--out", str(out), "--serial", meter, "--i2c", chip.bus, "--cards")
    finally:
        chip.close()
    assert done.exit_code == 0, done.output
    assert "a meter in mode historique, 3 phases" in done.output
    assert "an MCP23017 at address 33" in done.output
    assert chip.writes == []
    entries: dict[str, Any] = {e["Codifier"]: e for e in json.loads(out.read_text())["Sensors"]}
    assert entries["TI"]["Sensor"]["Device"] == meter
    assert entries["P1"]["Sensor"]["Address"] == 0x21
    assert entries["SH"]["Sensor"]["Phases"][0]["Limit"] == 20
    assert {"I1", "I2", "I3", "W1", "IS", "S3"} <= entries.keys()
    assert CliRunner().invoke(cli, ["--config", str(out), "config", "check"]).exit_code == 0
    again = run("--out", str(out), "--serial", meter)
    assert again.exit_code == 1
    assert "exists already" in again.output


def test_a_silent_port_is_named_and_is_no_meter(tmp_path: Path) -> None:
    master, slave = os.openpty()
    out = tmp_path / "config.json"
    done = run(
        "--out", str(out), "--serial", os.ttyname(slave), "--seconds", "1", "--i2c", "unix:/no"
    )
    os.close(master)
    os.close(slave)
    assert done.exit_code == 0, done.output
    assert "nothing in 1 s, at both speeds" in done.output
    assert "Teleinfo" not in out.read_text()
