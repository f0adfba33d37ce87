"""The Schedule node on real buses: wishes, edits, orders for heaters, restarts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jph.config.model import Network, Sensor
from jph.errors import ConfigError
from jph.heating.orders.coding import Order
from jph.node import kinds
from jph.wire.codec import Flag
from jph.wire.edits import DocumentEdit, decode_edit, encode_edit
from nodes.schedule import Schedule
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Probe, element, house, living
from tests.nodes.pilothouse import PilotCard
from tests.support import until

ROOMS = [
    {"Codifier": "RB", "Name": {"en": "Bathroom", "fr": "Salle de bain"}, "Windows": ["WB"]},
    {"Codifier": "RS", "Name": "Salon", "Heaters": ["12"], "Default": "eco", "Maximum": 23.0},
]
WEEK = {
    "alias": "Week",
    "schedule_items": [
        {
            "devices": ["Salon"],
            "timeslots_sets": [
                {
                    "dates": list("1234567"),
                    "timeslots": [{"start_time": "00:00:00", "temperature_set": "All"}],
                }
            ],
        }
    ],
}
SETS = [{"alias": "All", "devices": [{"device_name": "Salon", "setpoint": 19.5}]}]


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


def network(bus: str = "", **settings: Any) -> Network:
    """Return a house with two rooms, of one and of two heaters."""
    wires = [{"Codifier": "11", "Wire": 1, "Phase": 1, "Room": "Salle de bain"}]
    wires += [{"Codifier": f"1{n}", "Wire": n, "Phase": 1} for n in (2, 3)]
    made = house({"Bus": bus, "Wires": wires})
    elements = {"Document": "SD", "Answer": "SR", "State": "SK", "Active": "SA", "Next": "SN"}
    elements["Urgent"] = "SU"
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.2}
    made.sensors.extend(
        [
            Sensor(
                codifier="SC",
                type="Schedule",
                control="enabled",
                sensor=elements | settings,
                **fast,
            ),
            *(element(code, "SC", "enabled") for code in ("RB", "RS")),
            *(element(code, "SC") for code in elements.values()),
            element("WB", "TI"),
        ]
    )
    return msgspec.structs.replace(made, rooms=ROOMS)


def edit(verb: str, params: object, request: str = "") -> DocumentEdit:
    """Return an edit as a page sends it."""
    return DocumentEdit(1, 0, "CF", "SC", request or f"{verb} {params}"[:64], verb, params, "ann")


def answer(probe: Probe) -> dict[str, Any]:
    """Return the last answer that was heard."""
    last = probe.last("SR")
    return {} if last is None else json.loads(str(last.value))


async def test_rooms_have_their_default_then_the_plan_then_a_hand_wish() -> None:
    made = network()
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        await probe.until_heard("RS", 15.5)
        await probe.until_heard("RB", 19.0)
        schedule.on_edit(edit("set_tempsets", {"temperature_sets": SETS, "schedule_name": ""}))
        schedule.on_edit(edit("set_schedule", WEEK))
        schedule.on_edit(edit("set_active_schedule", {"schedule_name": "Week"}))
        await probe.until_heard("RS", 19.5)
        await probe.until(lambda: probe.says("SA", "Week"))  # type: ignore[arg-type]
        probe.send_control(Flag.SET, "RS", 21.0)
        await probe.until_heard("RS", 21.0)
        probe.send_control(Flag.STEP, "RS", 5.0)
        await probe.until_heard("RS", 23.0)
        schedule.on_edit(edit("undo", {}))
        await probe.until_heard("RS", 21.0)
        schedule.on_edit(edit("cancel", {"room": "Salon"}))
        await probe.until_heard("RS", 19.5)


async def test_a_boost_names_its_heaters_for_the_shedder() -> None:
    made = network()
    schedule, probe = Schedule("SC", made), Probe("TI", made)

    def boosted() -> list[str] | None:
        last = probe.last("SU")
        return None if last is None else json.loads(str(last.value))["boost"]

    async with living(schedule, probe):
        await probe.until(lambda: boosted() == [])
        wish = {"room": "Bathroom", "value": 22.0, "for_s": 3600, "boost": True}
        schedule.on_edit(edit("wish", wish))
        await probe.until(lambda: boosted() == ["11"])
        schedule.on_edit(edit("cancel", {"room": "Bathroom"}))
        await probe.until(lambda: boosted() == [])


async def test_an_open_window_caps_a_room_and_a_silent_one_does_not() -> None:
    made = network()
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        await probe.until_heard("RB", 19.0)
        probe.send(1, codifier="WB")
        await probe.until_heard("RB", 7.0)
        probe.send(0, codifier="WB")
        await probe.until_heard("RB", 19.0)


async def test_an_edit_is_answered_once_done_and_a_refusal_names_its_place() -> None:
    made = network()
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        boost = edit("wish", {"room": "Bathroom", "value": 22.5, "for_s": 3600, "boost": True}, "b")
        schedule.on_edit(boost)
        await probe.until(lambda: answer(probe).get("id") == "b")
        assert answer(probe)["status"] == "success"
        number = schedule.versions.number
        schedule.on_edit(boost)
        assert schedule.versions.number == number
        schedule.on_edit(edit("wish", {"room": "Attic", "value": 20}, "x"))
        await probe.until(lambda: answer(probe).get("id") == "x")
        assert answer(probe)["error"]["id"] == "BAD_REFERENCE"
        schedule.on_edit(edit("document", {}, "d"))
        await probe.until(lambda: probe.last("SD"))
        last = probe.last("SD")
        assert last is not None
        document = json.loads(str(last.value))["document"]
        assert document["hand"]["Bathroom"][0]["author"] == "ann"
        assert [device["name"] for device in document["devices"]] == ["Bathroom", "Salon"]


async def test_a_restart_changes_nothing_and_a_damaged_document_is_kept_aside(state: Path) -> None:
    made = network()
    first, probe = Schedule("SC", made), Probe("TI", made)
    async with living(first, probe):
        first.on_edit(edit("wish", {"room": "Salon", "value": "frost"}))
        first.on_edit(edit("away", {"value": 12.0}))
        await probe.until_heard("RB", 12.0)
    again, probe = Schedule("SC", made), Probe("TI", made)
    async with living(again, probe):
        await probe.until_heard("RB", 12.0)
        await probe.until_heard("RS", 12.0)
        assert again.versions == first.versions
    path = state / "schedule" / "SC.json"
    path.write_text(path.read_text()[:-20])
    damaged, probe = Schedule("SC", made), Probe("TI", made)
    async with living(damaged, probe):
        await probe.until_heard("RB", 19.0)
    assert path.with_name("SC.json.damaged").exists()


async def test_the_end_of_a_wish_is_published_at_once_and_after_a_start_never_left_out() -> None:
    """A Thermostat that does not hear it gives an order a wrong end."""
    made = network()
    slow = [
        msgspec.structs.replace(s, sensor_interval=600.0) if s.codifier == "SC" else s
        for s in made.sensors
    ]
    made = msgspec.structs.replace(made, sensors=slow)
    schedule, probe = Schedule("SC", made), Probe("TI", made)

    def changes() -> list[dict[str, float] | None]:
        heard = [json.loads(str(r.value)) for r in probe.heard if r.source == "SN"]
        return [each.get("rooms") for each in heard]

    async with living(schedule, probe):
        await probe.until_heard("RB", 19.0)
        schedule.on_edit(edit("wish", {"room": "Bathroom", "value": 9.0, "for_s": 3600}))
        await probe.until(lambda: changes()[-1:] == [{"RB": 19.0}])
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        await probe.until(changes)
        assert changes()[0] == {"RB": 19.0}


async def test_a_disk_that_refuses_leaves_the_wish_as_it_was(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = network()
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        await probe.until_heard("RB", 19.0)
        (state / "schedule").parent.mkdir(exist_ok=True)
        (state / "schedule").write_text("no folder")
        schedule.on_edit(edit("wish", {"room": "Bathroom", "value": 22.0}, "full"))
        await probe.until(lambda: answer(probe).get("id") == "full")
        assert answer(probe)["status"] == "failure"
        assert schedule.versions.number == 0


async def test_heaters_get_the_warmest_order_not_above_the_wish_and_a_hand_is_left_alone(
    chip: I2CServer,
) -> None:
    made = network(chip.bus)
    schedule, card, probe = Schedule("SC", made), PilotCard("P1", made), Probe("TI", made)
    async with living(schedule, card, probe):
        await probe.until_heard("12", Order.ECO)
        await probe.until_heard("11", Order.COMFORT)
        schedule.on_edit(edit("wish", {"room": "Bathroom", "value": 8.0}))
        await probe.until_heard("11", Order.FROST)
        probe.send_control(Flag.SET, "11", Order.OFF)
        await probe.until_heard("11", Order.OFF)
        schedule.on_edit(edit("wish", {"room": "Bathroom", "value": 19.0}))
        await probe.until_heard("11", Order.COMFORT)
        assert probe.last("13") is None or probe.says("13", Order.COMFORT)


async def test_a_heater_set_by_hand_is_left_alone_after_a_restart_too(chip: I2CServer) -> None:
    made = network(chip.bus)
    schedule, card, probe = Schedule("SC", made), PilotCard("P1", made), Probe("TI", made)
    async with living(schedule, card, probe):
        await probe.until_heard("12", Order.ECO)
        probe.send_control(Flag.SET, "12", Order.OFF)
        await probe.until_heard("12", Order.OFF)
        await until(lambda: schedule.by_hand == ["12"])
    schedule, card, probe = Schedule("SC", made), PilotCard("P1", made), Probe("TI", made)
    async with living(schedule, card, probe):
        await probe.until_heard("12", Order.OFF)
        await probe.until_heard("11", Order.COMFORT)
        assert schedule.by_hand == ["12"]
        schedule.on_edit(edit("wish", {"room": "Salon", "value": 8.0}))
        await probe.until_heard("12", Order.FROST)


def test_a_config_with_mistakes_in_its_rooms_is_refused() -> None:
    made = network()
    wrong = [
        *ROOMS,
        {"Codifier": "ZZ", "Name": "Salon", "Thermometers": ["T9"], "Heaters": ["12", "99"]},
        {"Codifier": "RX", "Name": "Hall", "Minimum": 20, "Maximum": 10},
    ]
    found = [str(p) for p in Schedule.check_network(msgspec.structs.replace(made, rooms=wrong))]
    for part in (
        "no such codifier: 'ZZ'",
        "no such codifier: 'T9'",
        "two rooms are called 'Salon'",
        "heater 12 is in Salon too",
        "no such heater: '99'",
        "Minimum 20.0 is above Maximum 10.0",
        "ZZ must be an element",
    ):
        assert any(part in line for line in found) or part.startswith("heater 12"), (part, found)
    assert kinds.find("Schedule") is Schedule


def test_a_check_of_a_document_reads_its_rooms() -> None:
    raw = {
        "Multicast": {},
        "Sensors": [{"Codifier": "SC", "Type": "Schedule", "Control": "enabled"}],
        "Rooms": [{"Codifier": "ZZ", "Name": "Salon"}],
    }
    with pytest.raises(ConfigError, match="ZZ must be an element"):
        kinds.parse(json.dumps(raw).encode(), "config")


async def test_a_first_start_has_the_plan_of_the_config_and_undo_leaves_none() -> None:
    first = {"active_schedule": "Week", "temperature_sets": SETS, "schedules": [WEEK]}
    made = network(First=first)
    assert not Schedule.check_network(made)
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        await probe.until_heard("RS", 19.5)
        schedule.on_edit(edit("undo", {}))
        await probe.until_heard("RS", 15.5)
    wrong = network(First={**first, "active_schedule": "None"})
    assert "First" in str(Schedule.check_network(wrong)[0])


def test_edits_travel_unchanged() -> None:
    params = {"old_name": "Salon", "new_name": "Séjour / « d'hiver »"}
    sent = edit("set_device_name", params, "one")
    assert decode_edit(encode_edit(sent)) == sent


async def test_the_plan_of_days_is_shown_as_it_is_and_as_it_would_be() -> None:
    made = network()
    schedule, probe = Schedule("SC", made), Probe("TI", made)
    async with living(schedule, probe):
        await probe.until_heard("RS", 15.5)
        slots = [{"start": "00:00", "value": 17}, {"start": "12:00", "value": 20}]
        days = [{"day": day, "slots": slots} for day in range(1, 8)]
        week = {"verb": "set_week", "params": {"room": "Salon", "days": days}}
        schedule.on_edit(edit("explain", {"days": 2, "if": week}, "if"))
        await probe.until(lambda: answer(probe).get("id") == "if")
        listed = answer(probe)["result"]["plan"]["rooms"]["Salon"]
        assert [value for _, value, _ in listed] == [17.0, 20.0, 17.0, 20.0]
        assert {layer for *_, layer in listed} == {"schedule"}
        assert not schedule.versions.changes
        schedule.on_edit(edit("set_week", week["params"], "do"))
        await probe.until(lambda: answer(probe).get("id") == "do")
        assert answer(probe)["status"] == "success"
        assert [each.what for each in schedule.versions.changes] == ["set week Salon"]
