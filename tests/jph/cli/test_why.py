"""`why` against a bus on which shedder, card and meter speak, and on which none does."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from jph.cli.commands.why import choose
from jph.cli.main import cli
from jph.config.model import Network
from jph.errors import ConfigError
from jph.heating.explain.facts import Evidence
from jph.node.node import Node
from jph.wire.codec import Json, Value
from tests.jph.heating.explain.tellinghouse import ledger, load_house, story, telling_house
from tests.support import LIMIT_S

WIRE = {"ordered": 0, "by": "CC", "at_ms": 1_795_000_000_000, "applied": 1, "verified": 1}
CAUSE = {"since_ms": 1_795_000_000_000, "current": 36, "limit": 30, "reason": "overrun"}
OLD = {"S1": 0b1, "S2": 0, "I1": 28, "I2": 12, **{f"1{n}": 0 for n in range(1, 9)}}
TOLD: dict[str, Value] = {
    **OLD,
    "E1": story(-1, {"11": CAUSE}),
    "E2": story(-1),
    "K1": ledger(w11=WIRE),
}


@contextlib.contextmanager
def speaking(network: Network, values: Mapping[str, Value]) -> Iterator[None]:
    """Say these values over and over, in a thread of its own."""

    class Speaker(Node):
        async def on_timer(self, now_ms: int) -> None:
            self.send_many(values.items())
            spoke.set()

    sensors = [
        msgspec.structs.replace(s, sensor_interval=0.05) if s.codifier == "TI" else s
        for s in network.sensors
    ]
    node = Speaker("TI", msgspec.structs.replace(network, sensors=sensors))
    spoke = threading.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(node.run()))
    thread.start()
    try:
        assert spoke.wait(LIMIT_S)
        yield
    finally:
        loop.call_soon_threadsafe(node.stop)
        thread.join(LIMIT_S)
        loop.close()


@pytest.fixture
def network() -> Network:
    return telling_house()


def ask(network: Network, tmp_path: Path, *words: str) -> Result:
    path = tmp_path / "config.json"
    path.write_bytes(msgspec.json.encode(network))
    return CliRunner().invoke(cli, ["--config", str(path), "--patience", "20", "why", *words])


def test_a_heater_is_explained(network: Network, tmp_path: Path) -> None:
    with speaking(network, TOLD):
        done = ask(network, tmp_path, "11")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "11 (Living room): ordered comfort, but shed: it gets off."
    assert lines[1].startswith("  The order is from CC (Console), at ")
    assert ": phase 1 drew 36 A, its limit 30 A (overrun)." in lines[2]


def test_older_programs_are_explained_too(network: Network, tmp_path: Path) -> None:
    with speaking(network, OLD):
        done = ask(network, tmp_path, "--wait", "3", "11")
    assert done.exit_code == 0, done.output
    assert "Phase 1 draws 28 A now, its limit is 30 A" in done.stdout
    assert "SH does not report it" in done.stdout


def test_without_a_name_everything_shed_is_told(network: Network, tmp_path: Path) -> None:
    with speaking(network, TOLD):
        told = ask(network, tmp_path).stdout
        told_json = json.loads(ask(network, tmp_path, "--json").stdout)
    assert told.splitlines() == [
        "Phase 1 holds back 1 heater: Living room.",
        "Phase 1 draws 28 A now, its limit is 30 A; no trip is near.",
        "Phase 2 draws 12 A now, its limit is 30 A; no trip is near.",
        "`why HEATER`, `why ROOM` or `why PHASE` explains each.",
    ]
    assert [heater["codifier"] for heater in told_json["heaters"]] == ["11"]
    assert told_json["heaters"][0]["cause"]["current_a"] == 36
    assert len(told_json["heaters"][0]["sentences"]) == 6
    assert [phase["phase"] for phase in told_json["phases"]] == [1, 2]
    assert told_json["phases"][0]["shed"] == {"11": 1}


def test_a_load_beside_the_heaters_is_explained(tmp_path: Path) -> None:
    load = {"ordered": 1, "reported": 1, "reason": "off-peak", "by": "06:00", "kwh": [1.2, 0.1]}
    with speaking(load_house(), {"LS": Json(json.dumps({"loads": {"WH": load}}))}):
        lines = ask(load_house(), tmp_path, "water", "heater").stdout.splitlines()
        content = json.loads(ask(load_house(), tmp_path, "--json", "loads").stdout)
    assert lines == [
        "WH (Water heater): ordered on.",
        "  It has not had what it needs, and these are off-peak hours.",
        "  It has taken 1.2 kWh (± 0.1) since 06:00.",
    ]
    assert [each["codifier"] for each in content["loads"]] == ["WH", "EV"]
    assert content["loads"][1]["why"] == ["EV (Car): its shedder does not tell of it."]


def test_a_room_is_told_with_its_phase_once(network: Network, tmp_path: Path) -> None:
    with speaking(network, TOLD):
        lines = ask(network, tmp_path, "living", "room").stdout.splitlines()
    assert [line.split(":")[0] for line in lines if line[:1] == "1"] == [
        "11 (Living room)",
        "12 (Living room)",
    ]
    assert [line for line in lines if "Phase" in line] == lines[-1:]


def test_nothing_shed_is_said(network: Network, tmp_path: Path) -> None:
    with speaking(network, {**TOLD, "S1": 0}):
        lines = ask(network, tmp_path).stdout.splitlines()
    assert lines[0] == "Nothing is shed."
    assert len(lines) == 3


def test_a_silent_shedder_is_said(network: Network, tmp_path: Path) -> None:
    with speaking(network, {"11": 0}):
        lines = ask(network, tmp_path, "--wait", "2").stdout.splitlines()
    assert "What is shed on phase 1 is not known." in lines


def test_silence_is_a_failure(network: Network, tmp_path: Path) -> None:
    done = ask(network, tmp_path, "--wait", "0.05")
    assert done.exit_code == 1
    assert "no node reports heaters" in done.stderr


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("12", "12"),
        ("living room", "11 12"),
        ("LIVING", "11 12"),
        ("kitchen", "13"),
        ("phase 2", "15 16 17 18"),
        ("L2", "15 16 17 18"),
        ("1", "11 12 13 14"),
        ("", "11 12 13 14 15 16 17 18"),
    ],
)
def test_what_may_be_asked_for(network: Network, what: str, expected: str) -> None:
    assert [h.codifier for h in choose(Evidence(network), what)] == expected.split()


def test_what_there_is_not_names_what_there_is(network: Network, tmp_path: Path) -> None:
    done = ask(network, tmp_path, "cellar")
    assert done.exit_code == 2
    assert "'cellar' is no heater, room or phase; rooms: Hall, Kitchen, Living room" in done.stderr


def test_a_house_without_heaters(network: Network) -> None:
    bare = msgspec.structs.replace(
        network, sensors=[s for s in network.sensors if s.codifier == "CC"]
    )
    with pytest.raises(ConfigError, match="no heaters"):
        choose(Evidence(bare), "11")
