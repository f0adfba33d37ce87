"""Every command that changes the document: the app's edits, and wishes, absences and undo. Pure."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from jph.heating.plan.document.check import Tree, check_scheduler
from jph.heating.plan.document.original_yaml import document_of
from jph.heating.plan.document.refusal import PlanRefusedError, bad_reference, bad_value, missing
from jph.heating.plan.document.versions import Versions
from jph.heating.plan.edits.changes import change_of
from jph.heating.plan.edits.edit import VERBS, Entities, apply_edit, checked_setpoint
from jph.heating.plan.edits.week import with_week
from jph.heating.plan.evaluation.planner import Coming
from jph.heating.plan.evaluation.wish import Wish
from jph.heating.plan.evaluation.wishes import (
    Absence,
    with_absence,
    with_wish,
    without_absence,
    without_wishes,
)

OWN_VERBS: Final = (
    "wish",
    "cancel",
    "skip",
    "advance",
    "away",
    "home",
    "quiet",
    "undo",
    "import",
    "set_week",
    "set_scheduler",
    "document",
)
"""Verbs beside the app's fifteen."""
_NEXT: Final = "next"
_RULE: Final = "rule"
_MOST_OF_A_NIGHT: Final = 48
_FIRST_MS: Final = 946_684_800_000
_LAST_MS: Final = 4_102_444_800_000
ComingOf = Callable[[str, int], list[Coming]]
"""Returns the next changes of a room, at most so many."""


class Scene(msgspec.Struct, frozen=True):
    """What commands need to know beside the document.

    Attributes:
        rooms: names of the rooms.
        entities: what devices may be.
        now_ms: the time.
        coming: the next changes of a room by the plan alone.
        planned: room → value of the plan now, without hand wishes.
        next_slot: room → when its slot changes, ms since 1970.
        night_ms: a moment in the middle of this night, or of the next one by day.
    """

    rooms: tuple[str, ...]
    entities: Entities
    now_ms: int
    coming: ComingOf
    planned: Callable[[str], float | str]
    next_slot: Callable[[str], int | None] = lambda _: None
    night_ms: int = 0


def carry_out(
    versions: Versions,
    verb: str,
    params: Any,  # noqa: ANN401 - JSON
    author: str,
    scene: Scene,
) -> Versions:
    """Return the versions after a command.

    Raises:
        PlanRefusedError: it is refused; nothing has changed.
    """
    if verb == "undo":
        undone = versions.undone()
        if undone is None:
            raise bad_value("undo", "", "There is no change to take back")
        return undone[0]
    document = _changed(versions.document, verb, params, author, scene)
    if document == versions.document:
        return versions
    worded = change_of(verb, params, document)
    return versions.with_change(document, scene.now_ms, author, words_of(verb, params), worded)


def _changed(document: Tree, verb: str, params: Any, author: str, scene: Scene) -> Tree:  # noqa: ANN401
    if verb == "set_setpoint":
        room, value = checked_setpoint(document, params)
        wish = Wish(value, author, scene.now_ms, _end_of_manual(document, room, scene))
        return with_wish(document, room, wish, scene.rooms)
    if verb in VERBS:
        edited = apply_edit(document, verb, params, scene.entities)
        return edited if verb != "set_active_schedule" else without_wishes(edited)
    if not isinstance(params, dict):
        raise bad_value(verb, params, "An object is expected")
    own = _OWN.get(verb)
    if own is None:
        known, text = ", ".join((*OWN_VERBS, *VERBS)), "There is no such command; known: {known}"
        raise bad_value("command", f"command: {verb}", text, known=known)
    return own(document, params, author, scene)


def _end_of_manual(document: Tree, room: str, scene: Scene) -> int | None:
    """Return when the app's setpoint ends: after hours, at the next slot or the next value."""
    rule = document["scheduler"].get("settings", {}).get("manual_mode_reset_event")
    if isinstance(rule, int):
        return scene.now_ms + rule * 3_600_000
    if rule == "timeslot_change":
        return scene.next_slot(room)
    coming = scene.coming(room, 1)
    return coming[0].at_ms if coming else None


def _wish(document: Tree, params: Tree, author: str, scene: Scene) -> Tree:
    room = _room(params, scene)
    if "value" not in params:
        raise missing("wish", ["value"])
    wish = Wish(
        params["value"],
        author,
        scene.now_ms,
        _end(document, params, room, scene),
        params.get("boost") is True,
    )
    return with_wish(document, room, wish, scene.rooms)


def _end(document: Tree, params: Tree, room: str, scene: Scene) -> int | None:
    """Return the end of a wish: a moment, a time to last, the next change of the plan, or none.

    `rule` is the document's rule for the end of manual mode.
    """
    until, seconds = params.get("until_ms"), params.get("for_s")
    if until == _RULE:
        return _end_of_manual(document, room, scene)
    if until == _NEXT:
        coming = scene.coming(room, 1)
        return coming[0].at_ms if coming else None
    if seconds is not None:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise bad_value("wish/for_s", seconds, "A number of seconds above 0 is expected")
        return scene.now_ms + round(min(seconds, 1e9) * 1000)
    if until is None:
        return None
    return _moment(until, "wish/until_ms")


def _moment(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not _FIRST_MS < value < _LAST_MS:
        raise bad_value(path, value, "A moment in ms since 1970, from 2000 to 2100, is expected")
    return value


def _room(params: Tree, scene: Scene) -> str:
    room = params.get("room")
    if room not in scene.rooms:
        raise bad_reference("/rooms", room, "room")
    return str(room)


def _cancel(document: Tree, params: Tree, _: str, scene: Scene) -> Tree:
    return without_wishes(document, [_room(params, scene)] if "room" in params else None)


def _skip(document: Tree, params: Tree, author: str, scene: Scene) -> Tree:
    """Keep the present value over the next change of the plan, until the one after it."""
    room = _room(params, scene)
    coming = scene.coming(room, 2)
    if not coming:
        raise bad_value("skip", room, "The plan of this room has no next change")
    end_ms = coming[1].at_ms if len(coming) > 1 else None
    wish = Wish(scene.planned(room), author, scene.now_ms, end_ms, source="skips the next change")
    return with_wish(document, room, wish, scene.rooms)


def _advance(document: Tree, params: Tree, author: str, scene: Scene) -> Tree:
    """Begin the next slot of the plan now."""
    room = _room(params, scene)
    coming = scene.coming(room, 1)
    if not coming:
        raise bad_value("advance", room, "The plan of this room has no next change")
    next_one = coming[0]
    wish = Wish(
        next_one.decision.value, author, scene.now_ms, next_one.at_ms, source="the next slot, early"
    )
    return with_wish(document, room, wish, scene.rooms)


def _away(document: Tree, params: Tree, author: str, scene: Scene) -> Tree:
    until = params.get("until_ms")
    start = params.get("from_ms", scene.now_ms)
    absence = Absence(
        params.get("value", "frost"),
        _moment(start, "away/from_ms"),
        None if until is None else _moment(until, "away/until_ms"),
        author,
    )
    return with_absence(document, absence, scene.now_ms)


def _quiet(document: Tree, _: Tree, author: str, scene: Scene) -> Tree:
    """Give each room the wish of its night now, until its plan next changes after the night.

    A room whose plan has no change after the night is left alone.
    """
    for room in scene.rooms:
        coming = scene.coming(room, _MOST_OF_A_NIGHT)
        night = [each for each in coming if each.at_ms <= scene.night_ms]
        value = night[-1].decision.value if night else scene.planned(room)
        end_ms = next((each.at_ms for each in coming if each.at_ms > scene.night_ms), None)
        if end_ms is not None:
            wish = Wish(value, author, scene.now_ms, end_ms, source="quiet night")
            document = with_wish(document, room, wish, scene.rooms)
    return document


def _home(document: Tree, _: Tree, __: str, ___: Scene) -> Tree:
    return without_absence(document)


def _import(document: Tree, params: Tree, _: str, scene: Scene) -> Tree:
    """Replace schedules and sets by those of a parsed file of the heating control server."""
    found = document_of(params.get("tree"))
    strangers = [d["name"] for d in found["devices"] if d["name"] not in scene.rooms]
    kept = [d for d in document["devices"] if d["name"] in scene.rooms]
    listed = [d for d in found["devices"] if d["name"] in strangers]
    return {**document, "devices": [*kept, *listed], "scheduler": found["scheduler"]}


def _set_scheduler(document: Tree, params: Tree, _: str, scene: Scene) -> Tree:
    """Replace schedules and sets; `before` is what the editor began with.

    An editor is open for minutes, so what others have changed meanwhile is not overwritten.
    """
    names = [*scene.rooms, *(device["name"] for device in document["devices"])]
    scheduler = check_scheduler(params.get("scheduler"), names)
    if params.get("before", document["scheduler"]) != document["scheduler"]:
        raise bad_value("set_scheduler/before", "", "The plan has changed since it was read")
    return {**document, "scheduler": scheduler}


def _set_week(document: Tree, params: Tree, _: str, scene: Scene) -> Tree:
    return with_week(document, params, scene.rooms)


def _same(document: Tree, _: Tree, __: str, ___: Scene) -> Tree:
    return document


_OWN: Final[dict[str, Callable[[Tree, Tree, str, Scene], Tree]]] = {
    "wish": _wish,
    "cancel": _cancel,
    "skip": _skip,
    "advance": _advance,
    "away": _away,
    "home": _home,
    "quiet": _quiet,
    "import": _import,
    "set_week": _set_week,
    "set_scheduler": _set_scheduler,
    "document": _same,
}


def words_of(verb: str, params: Any) -> str:  # noqa: ANN401 - JSON
    """Return a change in words, for the list of changes."""
    if not isinstance(params, dict):
        return verb.replace("_", " ")
    names = ("room", "device_name", "value", "setpoint", "schedule_name", "alias", "name")
    shown = [str(params[name]) for name in names if isinstance(params.get(name), str | int | float)]
    return " ".join([verb.replace("_", " "), *shown])


def answer_of(request: str, verb: str, error: PlanRefusedError | None, number: int) -> Tree:
    """Return the answer to a command, as the `Answer` element carries it."""
    answer: Tree = {"value": number, "id": request, "cmd": verb, "status": "success"}
    if error is not None:
        answer |= {"status": "failure", "error": error.as_report()}
    return answer
