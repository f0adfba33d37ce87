"""The week of a room, written and read back; conflicts name their place."""

from typing import Any

import pytest

from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.document.versions import empty_document
from jph.heating.plan.edits.week import week_of, with_week
from jph.heating.plan.evaluation.value import value_in_set

ROOMS = ("Bathroom", "Salon")
NIGHT, MORNING = {"start": "00:00", "value": 17.0}, {"start": "06:15", "value": 22.0}


def document() -> dict[str, Any]:
    return empty_document([{"name": name, "srventity": name} for name in ROOMS])


def week(room: str, *slots: dict[str, Any], **more: Any) -> dict[str, Any]:
    days = [{"day": day, "slots": list(slots)} for day in range(1, 8)]
    return {"room": room, "days": days} | more


def test_the_first_week_makes_a_schedule_and_is_read_back() -> None:
    made = with_week(document(), week("Bathroom", NIGHT, MORNING), ROOMS)
    assert made["scheduler"]["active_schedule"] == "Week"
    read = week_of(made["scheduler"], "Bathroom")
    assert read["own"]
    assert not read["alternates"]
    assert read["B"]["7"] == [NIGHT | {"set": "17°"}, MORNING | {"set": "22°"}]
    assert week_of(made["scheduler"], "Salon")["A"]["1"] == []


def test_a_room_leaves_slots_that_it_shared_and_the_others_keep_theirs() -> None:
    shared = {"devices": list(ROOMS), "timeslots_sets": [{"dates": ["1"], "timeslots": [
        {"start_time": "00:00:00", "temperature_set": "Day"}]}]}  # fmt: skip
    sets = [{"alias": "Day", "devices": [{"device_name": r, "setpoint": 19.0} for r in ROOMS]}]
    before = document()
    before["scheduler"] |= {
        "active_schedule": "S",
        "schedules": [{"alias": "S", "schedule_items": [shared]}],
        "temperature_sets": sets,
    }
    made = with_week(before, week("Bathroom", {"start": "00:00", "value": 19}, MORNING), ROOMS)
    scheduler = made["scheduler"]
    assert [item["devices"] for item in scheduler["schedules"][0]["schedule_items"]] == [
        ["Salon"],
        ["Bathroom"],
    ]
    assert week_of(scheduler, "Bathroom")["A"]["1"][0]["set"] == "Day"
    assert value_in_set(scheduler["temperature_sets"], "Day", "Salon") == 19.0
    assert before["scheduler"]["schedules"][0]["schedule_items"] == [shared]


def test_weeks_alternate() -> None:
    days = [
        {"day": 1, "week": "A", "slots": [NIGHT]},
        {"day": 1, "week": "B", "slots": [NIGHT, MORNING]},
    ]
    made = with_week(document(), {"room": "Salon", "days": days}, ROOMS)
    read = week_of(made["scheduler"], "Salon")
    assert read["alternates"]
    assert [len(read[letter]["1"]) for letter in "AB"] == [1, 2]


@pytest.mark.parametrize(
    ("params", "path"),
    [
        (week("Attic", NIGHT), "/rooms"),
        (week("Salon", NIGHT, MORNING, MORNING), "/week/1/slots['2']/start"),
        (week("Salon", MORNING), "/week/1/slots['0']/start"),
        (week("Salon", {"start": "25:00", "value": 3}), "/week/1/slots['0']/start"),
        (week("Salon", {"start": "00:00", "value": 999}), "/week/1/slots['0']/value"),
        (week("Salon", NIGHT, schedule="Nowhere"), "/scheduler/schedules"),
        ({"room": "Salon", "days": [{"day": 8, "slots": []}]}, "/week"),
        ({"room": "Salon", "days": [{"day": 1}, {"day": 1}]}, "/week/1"),
    ],
)
def test_a_conflict_is_refused_with_its_place(params: dict[str, Any], path: str) -> None:
    with pytest.raises(PlanRefusedError) as refused:
        with_week(document(), params, ROOMS)
    assert refused.value.path == path
