"""Names each change of the document: a template with values, so that a page can say it. Pure.

The keys of the values are the names of the template: `room` and `schedule` are names, `wish` is °C
or the word of an order, `from` and `until` are moments, ms since 1970.
"""

from collections.abc import Mapping
from typing import Any, Final

from jph.heating.plan.document.check import Tree
from jph.heating.plan.evaluation.wishes import absence_of, hand_wishes

FIRST_PLAN: Final = "first plan of the config"
_SIMPLE: Final = {
    "home": "at home again",
    "import": "schedules imported from a file",
    "set_scheduler": "schedules edited",
}
_OF_A_ROOM: Final = {
    "cancel": "{room}: back to the plan",
    "skip": "{room}: skips the next change",
    "advance": "{room}: begins the next slot",
    "set_week": "{room}: a new week",
}


def change_of(verb: str, params: Any, document: Tree) -> tuple[str, dict[str, Any]]:  # noqa: ANN401
    """Return template and values of a change; `document` is the one after it."""
    given: Mapping[str, Any] = params if isinstance(params, Mapping) else {}
    room = given.get("room", given.get("device_name"))
    if verb in ("wish", "set_setpoint"):
        return _wish(str(room), document)
    if verb in _SIMPLE:
        return _SIMPLE[verb], {}
    if verb == "away":
        return _away(document)
    if verb == "quiet":
        return "quiet night: {count} rooms at their night wishes", {
            "count": sum(bool(wishes) for wishes in document.get("hand", {}).values())
        }
    if verb in _OF_A_ROOM and room is not None:
        return _OF_A_ROOM[verb], {"room": room}
    if verb == "cancel":
        return "every room: back to the plan", {}
    if verb == "set_active_schedule":
        name = document["scheduler"]["active_schedule"]
        if not name:
            return "no schedule is followed", {}
        return "schedule {schedule} is followed", {"schedule": name}
    return "edit of the app: {verb}", {"verb": verb.replace("_", " ")}


def _wish(room: str, document: Tree) -> tuple[str, dict[str, Any]]:
    """Return the words of the newest hand wish of a room."""
    wishes = hand_wishes(document, room)
    if not wishes:
        return "{room}: back to the plan", {"room": room}
    wish = wishes[-1]
    values: dict[str, Any] = {"room": room, "wish": wish.value}
    if wish.end_ms is None:
        return "{room}: {wish}", values
    text = "{room}: boost, {wish} until {until}" if wish.boost else "{room}: {wish} until {until}"
    return text, values | {"until": wish.end_ms}


def _away(document: Tree) -> tuple[str, dict[str, Any]]:
    absence = absence_of(document)
    assert absence is not None
    values: dict[str, Any] = {"wish": absence.value, "from": absence.start_ms}
    if absence.until_ms is None:
        return "away from {from}, {wish}", values
    return "away from {from} to {until}, {wish}", values | {"until": absence.until_ms}
