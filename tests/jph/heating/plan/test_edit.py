"""Edits of a document: what is accepted, and what is refused with its place."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.edits.edit import VERBS, Entities, apply_edit, device_names
from tests.jph.heating.plan.trees import WORKDAY, document, item, slot, tempset, week

ENTITIES = Entities(ids={"climate_garage"}, fixed={"Chambre"})
CHILD = week("Child", item("Bain", timeslots=[slot("00:00", "Day")]), parent_schedule="Workday")


def edited(verb: str, params: object) -> dict[str, Any]:
    """Return a document with two schedules after an edit."""
    return apply_edit(document(WORKDAY, CHILD, active="Child"), verb, params, ENTITIES)


def refused(verb: str, params: object) -> tuple[str, str]:
    """Return id and path of a refusal; the document stays as it was."""
    before = document(WORKDAY, CHILD, active="Child")
    kept = copy.deepcopy(before)
    with pytest.raises(PlanRefusedError) as error:
        apply_edit(before, verb, params, ENTITIES, "topic")
    assert before == kept
    answer = error.value.as_answer()
    assert json.dumps(answer)
    return answer["id"], answer["node_path"]


def test_a_renamed_device_is_renamed_everywhere() -> None:
    found = edited("set_device_name", {"old_name": "Salon", "new_name": "Séjour"})
    assert device_names(found) == ["Séjour", "Chambre", "Bain"]
    assert "Salon" not in json.dumps(found, ensure_ascii=False)


def test_a_renamed_schedule_stays_active_and_keeps_its_children() -> None:
    found = edited("set_schedule_name", {"old_name": "Workday", "new_name": "Base"})
    assert found["scheduler"]["schedules"][1]["parent_schedule"] == "Base"
    found = edited("set_schedule_name", {"old_name": "Child", "new_name": "Enfant"})
    assert found["scheduler"]["active_schedule"] == "Enfant"


def test_a_renamed_set_is_renamed_in_slots_but_not_where_a_local_one_hides_it() -> None:
    hiding = {**copy.deepcopy(WORKDAY), "temperature_sets": [tempset("Day", Salon=20.0)]}
    before = document(hiding, CHILD)
    params = {"old_name": "Day", "new_name": "Jour", "schedule_name": ""}
    found = apply_edit(before, "set_tempset_name", params, ENTITIES)["scheduler"]
    starts = [s["schedule_items"][0]["timeslots_sets"][0] for s in found["schedules"]]
    assert [s["timeslots"][-1]["temperature_set"] for s in starts] == ["Day", "Jour"]


def test_unknown_keys_are_kept() -> None:
    coloured = {**WORKDAY, "GUI": {"iconColor": "0xFF000099"}, "remark": "kept"}
    found = edited("set_schedule", coloured)["scheduler"]["schedules"][0]
    assert (found["GUI"], found["remark"]) == ({"iconColor": "0xFF000099"}, "kept")


def test_a_deleted_active_schedule_leaves_none() -> None:
    assert (
        edited("delete_schedule", {"schedule_name": "Child"})["scheduler"]["active_schedule"]
        is None
    )


def test_orders_take_each_name_once() -> None:
    found = edited("set_devices_order", ["Bain", "Salon", "Chambre"])
    assert device_names(found) == ["Bain", "Salon", "Chambre"]
    assert refused("set_devices_order", ["Bain", "Salon"])[0] == "MISSING_VALUE"
    assert refused("set_devices_order", ["Bain", "Salon", "Salon"])[0] == "DUPLICATE_UNIQUE_KEY"
    assert refused("set_schedules_order", ["Child", "Child"])[0] == "DUPLICATE_UNIQUE_KEY"


@pytest.mark.parametrize(
    ("verb", "params", "answer"),
    [
        ("turn_on", {}, ("BAD_VALUE", "topic")),
        ("set_setpoint", {"device_name": "Salon"}, ("MISSING_NODES", "set_setpoint")),
        ("set_setpoint", {"device_name": "X", "setpoint": 20}, ("BAD_REFERENCE", "/devices")),
        ("set_setpoint", {"device_name": "Salon", "setpoint": True}, ("BAD_VALUE", "topic")),
        ("set_setpoint", {"device_name": "Salon", "setpoint": 1e400}, ("BAD_VALUE", "topic")),
        (
            "add_device",
            {"name": "Bain", "srventity": "climate_garage"},
            ("DUPLICATE_UNIQUE_KEY", "/devices"),
        ),
        ("add_device", {"name": "", "srventity": "climate_garage"}, ("BAD_VALUE", "/devices")),
        ("add_device", {"name": "G", "srventity": "climate_x"}, ("BAD_REFERENCE", "/entities")),
        ("delete_device", {"name": "Salon"}, ("REFERENCED_NODE", "/devices/Salon")),
        ("delete_device", {"name": "Chambre"}, ("REFERENCED_NODE", "/devices/Chambre")),
        (
            "delete_schedule",
            {"schedule_name": "Workday"},
            ("REFERENCED_NODE", "/scheduler/schedules"),
        ),
        (
            "set_schedule_properties",
            {"name": "Workday", "new_name": "Workday", "parent": "Child"},
            ("CIRCULAR_REF", "/scheduler/schedules['Workday']"),
        ),
        (
            "set_scheduler_settings",
            {"manual_mode_reset_event": 2.5},
            ("BAD_VALUE", "/scheduler.settings.manual_mode_reset_event"),
        ),
        ("set_scheduler_settings", {}, ("MISSING_NODES", "/scheduler")),
        (
            "set_tempsets",
            {"temperature_sets": [], "schedule_name": ""},
            (
                "BAD_REFERENCE",
                "/scheduler/schedules['Workday']/schedule_items['0']/timeslots_sets['0']"
                "/timeslots['0']/temperature_set",
            ),
        ),
    ],
)
def test_refusals_name_their_place(verb: str, params: object, answer: tuple[str, str]) -> None:
    assert refused(verb, params) == answer


def test_a_failing_parent_does_not_keep_the_new_name() -> None:
    params = {"name": "Child", "new_name": "Other", "parent": "Nowhere"}
    assert refused("set_schedule_properties", params)[0] == "BAD_REFERENCE"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "alias",
                    "devices",
                    "device_name",
                    "setpoint",
                    "schedule_items",
                    "timeslots_sets",
                    "dates",
                    "timeslots",
                    "start_time",
                    "temperature_set",
                    "parent_schedule",
                    "name",
                    "new_name",
                    "old_name",
                    "parent",
                    "schedule_name",
                    "temperature_sets",
                    "srventity",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(st.sampled_from(VERBS), JSON)
def test_any_json_is_accepted_or_refused(verb: str, params: object) -> None:
    before = document(WORKDAY, CHILD, active="Child")
    path: object = ""
    try:
        apply_edit(before, verb, params, ENTITIES)
    except PlanRefusedError as error:
        path = error.as_answer()["node_path"]
    assert isinstance(path, str)


@given(st.text(min_size=1, max_size=30).filter(str.strip))
def test_names_may_hold_any_character(name: str) -> None:
    found = edited("set_device_name", {"old_name": "Salon", "new_name": name})
    if name not in ("Chambre", "Bain"):
        assert device_names(found)[0] == name
