"""`control.py schedule` against a real Schedule node: what people say and what comes of it."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jph.cli.commands.schedule import room_lines
from tests.jph.cli.programs import CONSOLE, Program, command, control

ELEMENTS = {"Answer": "SR", "State": "SK", "Document": "SD"}
SENSORS: list[dict[str, Any]] = [
    {
        "Codifier": "SC",
        "Type": "Schedule",
        "Control": "enabled",
        "SensorInterval": 1,
        "Sensor": ELEMENTS,
    },
    CONSOLE,
    *(
        {"Codifier": code, "Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "SC"}}
        for code in ("RB", "RS", *ELEMENTS.values())
    ),
]
ROOMS = [
    {"Codifier": "RB", "Name": {"en": "Bathroom", "fr": "Salle de bain"}},
    {"Codifier": "RS", "Name": "Salon", "Default": "eco"},
]
PLAN = """
protocols: {mqtt: []}
remote_control: []
devices:
- Salon: {entity: salon, protocol: {name: broker, params: {
    device_base_topic: a, on_current_temp_subtopic: b, on_setpoint_subtopic: c,
    on_state_subtopic: d, on_min_temp_subtopic: e, on_max_temp_subtopic: f,
    set_setpoint_subtopic: g}}}
scheduler:
  active_schedule: Week
  temperature_sets:
  - {alias: All, devices: [{device_name: Salon, setpoint: 18.5}]}
  schedules:
  - alias: Week
    schedule_items:
    - devices: [Salon]
      timeslots_sets:
      - {dates: ['1','2','3','4','5','6','7'], timeslots: [
          {start_time: '00:00:00', temperature_set: All}]}
"""


@pytest.fixture
def config(config_file: Callable[..., Path]) -> Iterator[Path]:
    """Run a Schedule node; return its config."""
    path = config_file(*SENSORS, Rooms=ROOMS)
    with Program(*command(path, "run", "SC")):
        while control(path, "schedule", "list").returncode != 0:
            pass  # a slow machine may not have started it
        yield path


def said(config: Path, *words: str) -> str:
    """Return what a command prints; it succeeds."""
    done = control(config, "schedule", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wishes_boosts_absences_and_undo(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(config, "list").splitlines() == [
        "Bathroom: comfort, its default",
        "Salon: eco, its default",
    ]
    assert "21 °C" in said(config, "set", "salle de bain", "21", "--for", "2h")
    assert "24 °C" in said(config, "boost", "Bathroom")
    became = "30 °C, not 99 °C: the room's Minimum and Maximum allow no other"
    assert said(config, "set", "Salon", "99") == f"Salon: {became}\n"
    said(config, "cancel", "salon")
    assert said(config, "list").startswith("Bathroom: 24 °C, by hand; ")
    said(config, "cancel", "bathroom")
    assert f"Bathroom: {became}" in said(config, "away", "--wish", "99")
    said(config, "home")
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # of this terminal; the plan is in Paris
    gone = said(config, "away", "2027-01-02T18:00", "--wish", "12,5")
    assert "18:00" in gone
    paris = datetime(2027, 1, 2, 18, tzinfo=ZoneInfo("Europe/Paris"))
    state = json.loads(said(config, "list", "--json"))
    assert state["away"]["until_ms"] == paris.timestamp() * 1000
    lines = said(config, "list").splitlines()
    assert lines[0].startswith("away until ")
    assert lines[1].startswith("Bathroom: 12.5 °C, away")
    assert said(config, "undo").startswith("taken back: away 12.5 (")
    assert "its default" in said(config, "list")
    layers = json.loads(said(config, "explain", "RB", "--json"))["rooms"]
    assert list(layers) == ["Bathroom"]


def test_a_plan_is_checked_and_edited(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot = {"start_time": "00:00", "temperature_set": "All"}
    week = {
        "devices": ["Salon"],
        "timeslots_sets": [{"dates": list("1234567"), "timeslots": [slot]}],
    }
    sets = [{"alias": "All", "devices": [{"device_name": "Salon", "setpoint": 18.5}]}]
    schedules = [{"alias": "Week", "schedule_items": [week]}]
    tree = {"active_schedule": "Week", "temperature_sets": sets, "schedules": schedules}
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"scheduler": tree}))
    assert said(config, "check", str(file)) == "no mistakes: 1 schedules, Week is active\n"
    monkeypatch.setenv("EDITOR", f"cp {tmp_path}/only.json")
    (tmp_path / "only.json").write_text(json.dumps(tree))
    assert "the plan is changed" in said(config, "edit")
    assert "Salon: 18.5 °C, by the schedule" in said(config, "list")
    slot["temperature_set"] = "None"
    for broken in (file, tmp_path / "only.json"):
        broken.write_text(json.dumps(tree))
    done = control(config, "schedule", "check", str(file))
    assert done.returncode == 1
    assert "None" in done.stderr
    done = control(config, "schedule", "edit")
    assert done.returncode == 1
    assert "Salon: 18.5 °C, by the schedule" in said(config, "list")
    result = json.loads(said(config, "list", "--json"))
    lines = room_lines("Salon", result)
    assert lines[0] == "Salon: the wish is 18.5 °C, by the schedule, Week · All."
    assert lines[1] == "No change is planned within a day."


def test_a_plan_of_the_heating_control_server_is_imported(config: Path, tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN, encoding="utf-8")
    said(config, "import", str(file))
    assert said(config, "show") == "Week (active)\n"
    assert "Salon: 18.5 °C, by the schedule" in said(config, "list")
    said(config, "use", "none")
    assert "Salon: eco, its default" in said(config, "list")
    kept = json.loads(said(config, "export"))["scheduler"]
    assert [each["alias"] for each in kept["schedules"]] == ["Week"]


MISTAKES = [
    (("set", "attic", "20"), "there is no room 'attic'; known: Bathroom, Salon"),
    (("set", "salon", "tropical"), "Expected a temperature above 0"),
    (("set", "salon", "20", "--for", "1h", "--next"), "give one of --for, --until, --next"),
    (("use", "Nowhere"), "There is no schedule called Nowhere"),
    (("skip", "salon"), "The plan of this room has no next change"),
    (("undo",), "There is no change to take back"),
]


def test_mistakes_are_answered_in_words(config: Path) -> None:
    for words, error in MISTAKES:
        done = control(config, "schedule", *words)
        assert done.returncode != 0, words
        assert error in done.stderr
        assert "Traceback" not in done.stderr


def test_without_a_schedule_node_the_command_says_so(config_file: Callable[..., Path]) -> None:
    done = control(config_file(CONSOLE), "schedule", "list", patience=1)
    assert done.returncode != 0
    assert "no node of the type Schedule" in done.stderr
