"""The heating app's protocol: what it is said, in which order and form, and how it is answered."""

import json
import random
from typing import Any

import pytest

from jph.heating.plan.evaluation.wishes import hand_wishes
from jph.mqtt.door import Plan, Publish
from jph.wire.codec import Reading
from tests.jph.heating.plan.trees import WORKDAY, scheduler
from tests.jph.mqtt.apphouse import BASE, COMMAND, NOW_MS, AppHouse, room
from tests.support import SHARED_DATA

RECORDINGS = SHARED_DATA / "hc-protocol"
SERVER = f"{BASE}/serverdata"
PLACE = ("id", "node", "node_path", "node_key")


def house() -> AppHouse:
    rooms = [
        room("RS", "Salon", thermometers=("TS",), maximum=25.0),
        room("RC", "Chambre"),
        room("RB", "Bain"),
    ]
    return AppHouse(rooms, scheduler(WORKDAY, active="Workday"))


def reading(codifier: str, value: float) -> Reading:
    return Reading(0, 0, NOW_MS, "d", codifier, "", 0, 0, value)


def test_everything_is_said_at_connect_devices_before_states() -> None:
    found = house()
    found.said.clear()
    found.do(found.door.on_connect(NOW_MS))
    topics = [topic.removeprefix(f"{SERVER}/") for topic, _ in found.said]
    states = ["devices/RS", "devices/RC", "devices/RB"]
    assert topics == ["on_scheduler", "on_devices", "on_entities", *states, "is_alive"]
    assert found.kept("is_alive") == {"date": "2026-11-30T00:53:20.000000+00:00", "ver": "1.0"}


def test_temperatures_have_a_decimal_point() -> None:
    found = house()
    found.do(found.door.on_readings([reading("TS", 18)], NOW_MS))
    state = found.retained[f"{SERVER}/devices/RS"]
    assert b'"current_temp":18.0,"setpoint":19.0,"state":"true"' in state
    assert b'"min_temp":5.0,"max_temp":25.0' in state
    sets = [{"alias": "N", "devices": [{"device_name": "Salon", "setpoint": 20}]}]
    found.command("set_tempsets", {"temperature_sets": sets, "schedule_name": "Workday"})
    assert b'"setpoint":20.0' in found.retained[f"{SERVER}/on_scheduler"]


def test_an_answer_comes_before_what_the_command_changed() -> None:
    found = house()
    assert found.command("set_setpoint", {"device_name": "Salon", "setpoint": 20.5}) == {
        "cmd": "set_setpoint",
        "status": "success",
    }
    assert [topic for topic, _ in found.said] == [
        f"{BASE}/on_cmd_response",
        f"{SERVER}/devices/RS",
    ]
    assert found.kept("devices/RS")["setpoint"] == 20.5


def test_orders_in_a_set_are_said_as_temperatures_and_stay_orders() -> None:
    found = house()
    document = found.versions.document["scheduler"]
    document["temperature_sets"][0]["devices"][0]["setpoint"] = "eco"
    found.do(found.door.on_plan(found.plan(), NOW_MS))
    said = found.kept("on_scheduler")["temperature_sets"]
    assert said[0]["devices"][0] == {"device_name": "Salon", "setpoint": 15.5}
    said[0]["devices"][1]["setpoint"] = 18.0
    answer = found.command("set_tempsets", {"temperature_sets": said, "schedule_name": ""})
    assert answer["status"] == "success"
    kept = found.versions.document["scheduler"]["temperature_sets"][0]["devices"]
    assert [each["setpoint"] for each in kept] == ["eco", 18.0, 15.0]


def test_a_thermostat_becomes_a_device_and_goes_again() -> None:
    found = house()
    found.climate("climate.bureau/é", name="Bureau", setpoint=19.0, lowest=7.0, highest=28.0)
    assert found.kept("on_entities") == [{"name": "Bureau", "srventity": "climate.bureau/é"}]
    new = {"name": "Bureau \"/+#'", "srventity": "climate.bureau/é"}
    assert found.command("add_device", new)["status"] == "success"
    assert found.kept("on_devices")[-1] == {**new, "mqttid": "climate_bureau_"}
    assert found.kept("devices/climate_bureau_") == {
        "current_temp": 19.0,
        "setpoint": 19.0,
        "state": "true",
        "min_temp": 7.0,
        "max_temp": 28.0,
    }
    too_hot = {"device_name": new["name"], "setpoint": 95.0}
    assert found.command("set_setpoint", too_hot)["error"]["value"] == "95.0"
    assert found.command("delete_device", {"name": new["name"]})["status"] == "success"
    assert found.kept("devices/climate_bureau_") is None
    assert (f"{SERVER}/devices/climate_bureau_", None) in found.said


def test_a_room_of_the_config_is_not_deleted_or_renamed() -> None:
    found = house()
    for name, params in (
        ("delete_device", {"name": "Salon"}),
        ("set_device_name", {"old_name": "Salon", "new_name": "Séjour"}),
    ):
        assert found.command(name, params)["error"]["id"] == "REFERENCED_NODE"
    again = found.command("add_device", {"name": "Salon 2", "srventity": "RS"})
    assert again["error"]["id"] == "DUPLICATE_UNIQUE_KEY"


def test_a_state_of_a_device_that_is_gone_is_cleared() -> None:
    found = house()
    topic = f"{SERVER}/devices/old"
    effects = list(found.door.on_message(topic, b"{}", retained=True, now_ms=NOW_MS))
    assert effects == [Publish(topic, b"", retain=True, qos=1)]
    own = f"{SERVER}/devices/RS"
    assert not list(found.door.on_message(own, b"{}", retained=True, now_ms=NOW_MS))


def test_without_the_schedule_the_app_is_read_only() -> None:
    found = house()
    assert found.door.will() == Publish(f"{SERVER}/is_alive", b"", retain=True, qos=1)
    found.do(found.door.on_plan(Plan(found.versions.document, {}, alive=False), NOW_MS))
    assert found.kept("is_alive") is None
    answer = found.command("set_setpoint", {"device_name": "Salon", "setpoint": 20.0})
    assert answer["error"]["id"] == "EXCEPTION"


def test_an_answer_that_does_not_come_is_a_failure() -> None:
    found = house()
    setpoint = {"command": "set_setpoint", "params": {"device_name": "Salon", "setpoint": 20.0}}
    payload = json.dumps(setpoint).encode()
    take = found.door.on_message
    assert len(list(take(COMMAND, payload, retained=False, now_ms=NOW_MS))) == 1
    assert not list(take(COMMAND, payload, retained=False, now_ms=NOW_MS))
    found.said.clear()
    found.do(found.door.on_timer(NOW_MS + 9000))
    answers = [said["status"] for topic, said in found.said if topic == f"{BASE}/on_cmd_response"]
    assert answers == ["failure", "success"]


def test_a_retained_command_is_refused() -> None:
    found = house()
    command = {"command": "set_active_schedule", "params": {"schedule_name": ""}}
    assert found.raw(json.dumps(command).encode(), retained=True) == {}
    assert [each.reason for each in found.refused] == ["retained command"]
    assert not found.edits


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"hello", "MISSING_NODES"),
        (b"", "MISSING_NODES"),
        (b"[1]", "BAD_VALUE"),
        (b'{"command":1,"params":{}}', "BAD_VALUE"),
        (b'{"command":"set_schedule","params":[]}', "BAD_VALUE"),
        (b'{"command":"set_devices_order","params":{}}', "BAD_VALUE"),
        (b"\xff\xfe", "MISSING_NODES"),
        (b'{"command":"\xff","params":{}}', "MISSING_NODES"),
        (b'{"command":"\\ud800","params":{}}', "MISSING_NODES"),
        (b"[" * 50_000, "MISSING_NODES"),
        (b'{"command":"set_schedule","params":' + b'{"a":' * 900 + b"1" + b"}" * 901, "BAD_VALUE"),
        (b" " * 1_000_000, "BAD_VALUE"),
        (b'{"command":"set_setpoint","params":{"device_name":"+/#","setpoint":20}}', "BAD_REF"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_hostile_payloads_are_refused(payload: bytes, kind: str) -> None:
    found = house()
    answer = found.raw(payload)
    assert answer["status"] == "failure"
    assert answer["error"]["id"].startswith(kind)
    assert len(found.refused) == 1
    assert not found.edits


def test_mutated_commands_never_break_the_door() -> None:
    """10,000 of them: each is an edit or is counted; answers to refusals have a limit."""
    found = house()
    chance = random.Random(15)
    sets = found.kept("on_scheduler")["temperature_sets"]
    good = [
        {"command": "set_schedule", "params": WORKDAY},
        {"command": "set_tempsets", "params": {"temperature_sets": sets, "schedule_name": ""}},
        {"command": "set_setpoint", "params": {"device_name": "Salon", "setpoint": 20.0}},
        {"command": "set_devices_order", "params": ["Bain", "Salon", "Chambre"]},
        {"command": "set_schedule_name", "params": {"old_name": "Workday", "new_name": "W"}},
    ]
    seeds = [json.dumps(each).encode() for each in good]
    answered = 0
    for _ in range(10_000):
        mutated = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(mutated))
            how = chance.randrange(3)
            if how == 0:
                mutated[at] = chance.randrange(256)
            elif how == 1:
                del mutated[at : at + chance.randint(1, 8)]
            else:
                mutated[at:at] = chance.choice((b"null", b"[]", b"-1e9", b'"', b"{", b"\x00"))
        before = len(found.edits)
        found.said.clear()
        effects = found.door.on_message(COMMAND, bytes(mutated), retained=False, now_ms=NOW_MS)
        found.do(effects)
        answered += any(topic == f"{BASE}/on_cmd_response" for topic, _ in found.said)
        del found.edits[before + 1 :]
    assert len(found.edits) + len(found.refused) == 10_000
    assert answered <= len(found.edits) + 101


@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings beside this checkout")
def test_refusals_are_those_of_the_server() -> None:
    text = (RECORDINGS / "errors.jsonl").read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    published = (line for line in lines if line.get("topic", "").endswith("/on_scheduler"))
    tree: dict[str, Any] = json.loads(next(published)["payload"])
    tree["schedules"] = [each for each in tree["schedules"] if each["alias"] != "Essai"]
    found = AppHouse(scheduler=tree)
    names = ("Salon", "Chambre", "Bain", "Garage")
    devices = [{"name": name, "srventity": name.lower()} for name in names]
    found.versions.document["devices"][:] = devices
    for name in names:
        found.climate(name.lower(), name=name, setpoint=19.0, lowest=5.0, highest=30.0)
    found.do(found.door.on_plan(found.plan(), NOW_MS))
    ours = {"beyond max_temp: not refused"}
    note, command, wanted, judged = "", None, None, 0
    for line in [*lines, {"note": "the end"}]:
        if "note" in line:
            if command is not None and wanted is not None:
                answer = found.raw(command.encode())
                error, said = answer.get("error"), wanted.get("error")
                if note in ours:
                    assert answer["status"] == "failure"
                else:
                    assert (answer["cmd"], answer["status"]) == (wanted["cmd"], wanted["status"])
                    expected = [(said or {}).get(key) for key in PLACE]
                    assert [(error or {}).get(key) for key in PLACE] == expected, note
                    judged += 1
            note, command, wanted = line["note"], None, None
        elif line["topic"].endswith("/command"):
            command = line["payload"]
        elif line["topic"].endswith("/on_cmd_response"):
            wanted = json.loads(line["payload"])
    assert judged >= 30


@pytest.mark.parametrize(
    ("rule", "end_ms"),
    [(4, NOW_MS + 4 * 3_600_000), ("timeslot_change", NOW_MS + 1), ("setpoint_change", None)],
)
def test_a_setpoint_ends_by_the_rule_for_manual_mode(rule: int | str, end_ms: int | None) -> None:
    found = house()
    found.command("set_scheduler_settings", {"manual_mode_reset_event": rule})
    found.command("set_setpoint", {"device_name": "Salon", "setpoint": 21.0})
    assert hand_wishes(found.versions.document, "Salon")[0].end_ms == end_ms
    found.command("set_active_schedule", {"schedule_name": ""})
    assert not hand_wishes(found.versions.document, "Salon")
