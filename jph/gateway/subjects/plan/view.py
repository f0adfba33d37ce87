"""Answers of the API of the plan, made from what the Schedule node tells. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from jph.config.house.rooms import Room
from jph.gateway.subjects.plan import rooms as view
from jph.gateway.subjects.plan.structs import (
    Change,
    Coming,
    Explained,
    Layer,
    PlanNow,
    SlotNow,
    WeekNow,
)
from jph.heating.plan.edits.week import week_of

Called = Callable[[Room], str]
_MOST_CHANGES: Final = 10
_LAYERS: Final = {
    "hand": "by hand",
    "absence": "away",
    "schedule": "by the plan",
    "default": "its default",
    "range": "lowest and highest wish of the room",
    "at most": "capped by a rule",
    "window": "a window is open",
    "frost floor": "frost floor",
}


def plan_now(report: Mapping[str, Any] | None, scene: view.Scene, said: str) -> PlanNow:
    """Return the rooms and their plan; `report` None: the Schedule node does not answer."""
    states = {} if report is None else report["rooms"]
    plan = {} if report is None else report.get("plan", {})
    coming = [] if report is None else report["coming"]
    listed = [
        view.room_now(
            room,
            scene.name(room),
            states.get(room.name),
            next((_coming(each) for each in coming if each["room"] == room.name), None),
            plan.get("rooms", {}).get(room.name, []),
            scene,
        )
        for room in scene.rooms
    ]
    waiting = sum(room.state == "waits" for room in listed)
    changes = [] if report is None else report["changes"]
    return PlanNow(
        known=report is not None,
        said=said,
        headline=view.headline(listed, scene.say),
        version=0 if report is None else report["value"],
        day_start=plan["days"][0] if plan else 0,
        day_end=plan["days"][-1] if plan else 0,
        away=None if report is None else report["away"],
        schedule=None if report is None else report.get("active"),
        rooms=listed,
        breaker=view.breaker_now(scene, waiting),
        changes=[
            Change(each["at_ms"], each["author"], change_text(each, scene))
            for each in reversed(changes[-_MOST_CHANGES:])
        ],
    )


def change_text(change: Mapping[str, Any], scene: view.Scene) -> str:
    """Return a change of the plan in the language of who asks."""
    if not change.get("text"):
        return str(change["what"])
    names = {room.name: scene.name(room) for room in scene.rooms}
    shown = {
        key: scene.degrees(value)
        if key == "wish"
        else scene.clock(value)
        if key in ("from", "until")
        else names.get(value, value)
        for key, value in change["values"].items()
    }
    return scene.say(change["text"], **shown)


def _coming(each: Mapping[str, Any]) -> Coming:
    return Coming(each["at_ms"], each["room"], each["wish"], each["by"])


def explained(room: Room, report: Mapping[str, Any], scene: view.Scene) -> Explained:
    """Return each layer of a room's wish, the strongest first, and the changes to come."""
    state = report["rooms"][room.name]
    return Explained(
        scene.name(room),
        [
            Layer(
                step["layer"],
                scene.say(_LAYERS[step["layer"]]),
                _text(step, scene),
                step["decides"],
            )
            for step in state["layers"]
        ],
        [_coming(each) for each in report["coming"] if each["room"] == room.name],
        [f"{facts.codifier} {facts.label}" for facts in view.facts_of(room, scene)],
    )


def _text(step: Mapping[str, Any], scene: view.Scene) -> str:
    wish, say = step["wish"], scene.say
    parts = [scene.degrees(wish["value"])]
    if wish["end_ms"]:
        parts.append(say("until {time}", time=scene.clock(wish["end_ms"])))
    parts += [say(text) for text in (wish["source"], wish["author"]) if text]
    return ", ".join(parts)


def week_now(
    room: Room, label: str, document: Mapping[str, Any], schedule: str | None, letter: str
) -> WeekNow:
    """Return the week of a room."""
    scheduler = document["scheduler"]
    found = week_of(scheduler, room.name, schedule)

    def days(week: str) -> dict[str, list[SlotNow]]:
        return {day: [SlotNow(**slot) for slot in slots] for day, slots in found[week].items()}

    return WeekNow(
        room=room.codifier,
        name=label,
        schedule=found["schedule"] or None,
        schedules=[each["alias"] for each in scheduler["schedules"]],
        own=found["own"],
        alternates=found["alternates"],
        now=letter,
        version=document["number"],
        a=days("A"),
        b=days("B"),
    )
