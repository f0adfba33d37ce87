"""The week of one room: read from the document, and written into it as one change. Pure.

A person thinks in times and temperatures; the document has slots that name temperature sets. A
temperature that no set gives the room becomes a set of its own schedule, named after the value. A
room that shares its slots with other rooms gets slots of its own.
"""

import datetime
from collections.abc import Iterator
from typing import Any, Final

from jph.heating.plan.document.check import (
    DAYS,
    Tree,
    check_scheduler,
    schedule_named,
    setpoint_of,
)
from jph.heating.plan.document.refusal import bad_reference, bad_value, duplicate
from jph.heating.plan.evaluation.value import chain_of, value_in_set

FIRST_SCHEDULE: Final = "Week"
_WEEKS: Final = ("A", "B")
_MOST_SLOTS: Final = 48


def week_of(scheduler: Tree, room: str, schedule: str | None = None) -> Tree:
    """Return the slots of a room by week and day: `{"A": {"1": [{start, value, set}]}, "B": …}`.

    `own` is whether the schedule itself has slots of the room; otherwise a parent's are returned.
    `schedule` is the active one by default; None if there is none.
    """
    name = schedule if schedule is not None else scheduler.get("active_schedule")
    found: Tree = {"schedule": name, "own": False, "alternates": False}
    found |= {letter: {day: [] for day in DAYS} for letter in _WEEKS}
    for position, each in enumerate(chain_of(scheduler, name)):
        item = next((i for i in each["schedule_items"] if room in i["devices"]), None)
        if item is None:
            continue
        sets = [*each.get("temperature_sets", ()), *scheduler.get("temperature_sets", ())]
        for slots in item["timeslots_sets"]:
            found["alternates"] |= "timeslots" not in slots
            for letter in _WEEKS:
                listed = slots.get("timeslots", slots.get(f"timeslots_{letter}", []))
                for day in slots["dates"]:
                    found[letter][day] = [_shown(slot, sets, room) for slot in listed]
        return found | {"own": position == 0}
    return found


def _shown(slot: Tree, sets: list[Tree], room: str) -> Tree:
    name = slot["temperature_set"]
    return {
        "start": slot["start_time"][:5],
        "value": value_in_set(sets, name, room),
        "set": name,
    }


def with_week(document: Tree, params: Tree, rooms: tuple[str, ...]) -> Tree:
    """Return the document with the week of a room.

    `params`: `room`; `schedule`, else the active one, else a new one; `days`, a list of
    `{"day": 1, "week": "A" | "B" | "", "slots": [{"start": "06:15", "value": 21}]}`.

    Raises:
        PlanRefusedError: a slot, a day or a name is wrong; nothing has changed.
    """
    room = params.get("room")
    if room not in rooms:
        raise bad_reference("/rooms", room, "room")
    scheduler: Tree = {**document["scheduler"]}
    name = params.get("schedule") or scheduler.get("active_schedule") or FIRST_SCHEDULE
    before = schedule_named(scheduler, name)
    if before is None and params.get("schedule"):
        raise bad_reference("/scheduler/schedules", name, "schedule")
    days = _days(params.get("days"))
    sets = [dict(each) for each in (before or {}).get("temperature_sets", ())]
    common = scheduler.get("temperature_sets", [])
    item = {
        "devices": [room],
        "timeslots_sets": list(_slot_sets(days, sets, common, str(room))),
    }
    others = list(_without(before, str(room)))
    schedule = {**(before or {"alias": name}), "schedule_items": [*others, item]}
    if sets:
        schedule["temperature_sets"] = sets
    kept = scheduler["schedules"]
    if before is None:
        scheduler["schedules"] = [*kept, schedule]
        scheduler["active_schedule"] = name
    else:
        scheduler["schedules"] = [schedule if each is before else each for each in kept]
    devices = [device["name"] for device in document["devices"]]
    return {**document, "scheduler": check_scheduler(scheduler, devices)}


def _without(schedule: Tree | None, room: str) -> Iterator[Tree]:
    """Yield the items of a schedule without a room; an item of this room alone is left out."""
    for item in (schedule or {}).get("schedule_items", ()):
        devices = [name for name in item["devices"] if name != room]
        if devices:
            yield {**item, "devices": devices}


def _days(listed: object) -> dict[tuple[str, str], list[tuple[str, float | str]]]:
    """Return the slots by day and week, both weeks if the day names none."""
    found: dict[tuple[str, str], list[tuple[str, float | str]]] = {}
    if not isinstance(listed, list):
        raise bad_value("/week", listed, "A list of days is expected")
    for entry in listed:
        day = str(entry.get("day")) if isinstance(entry, dict) else ""
        week = entry.get("week") or "" if isinstance(entry, dict) else ""
        if day not in DAYS or week not in ("", *_WEEKS):
            raise bad_value("/week", day, "A day is 1 (Monday) to 7 (Sunday), of week A or B")
        path = f"/week/{day}{week}"
        slots = _slots(entry.get("slots"), path)
        for letter in (week,) if week else _WEEKS:
            if (day, letter) in found:
                raise duplicate("/week", f"{day}{letter}", "day")
            found[day, letter] = slots
    return found


def _slots(listed: object, path: str) -> list[tuple[str, float | str]]:
    if not isinstance(listed, list) or len(listed) > _MOST_SLOTS:
        text = "A list of at most {most} slots is expected"
        raise bad_value(path, "", text, most=_MOST_SLOTS)
    found: dict[str, float | str] = {}
    for position, slot in enumerate(listed):
        place = f"{path}/slots['{position}']"
        if not isinstance(slot, dict):
            raise bad_value(place, slot, "A slot is an object with start and value")
        start = _start(slot.get("start"), place)
        if start in found:
            raise duplicate(f"{place}/start", start[:5], "slots")
        found[start] = setpoint_of(slot.get("value"), f"{place}/value")
    ordered = sorted(found.items())
    if ordered and ordered[0][0] != "00:00:00":
        sentence = "The first slot of a day begins at 00:00"
        raise bad_value(f"{path}/slots['0']/start", ordered[0][0][:5], sentence)
    return ordered


def _start(value: object, place: str) -> str:
    """Return a time of day as HH:MM:SS."""
    try:
        return datetime.time.fromisoformat(str(value)).replace(tzinfo=None).isoformat("seconds")
    except ValueError:
        raise bad_value(f"{place}/start", value, "A time of day HH:MM is expected") from None


def _slot_sets(
    days: dict[tuple[str, str], list[tuple[str, float | str]]],
    sets: list[Tree],
    common: list[Tree],
    room: str,
) -> Iterator[Tree]:
    """Yield the sets of slots: days that are the same stand together. `sets` gets new sets."""
    grouped: dict[Any, list[str]] = {}
    for day in DAYS:
        pair = tuple(tuple(days.get((day, letter), ())) for letter in _WEEKS)
        if any(pair):
            grouped.setdefault(pair, []).append(day)
    for pair, dates in grouped.items():
        a, b = (
            [
                {"start_time": start, "temperature_set": _set_for(value, sets, common, room)}
                for start, value in slots
            ]
            for slots in pair
        )
        lists = {"timeslots": a} if pair[0] == pair[1] else {"timeslots_A": a, "timeslots_B": b}
        yield {"dates": dates, **lists}


def _set_for(value: float | str, sets: list[Tree], common: list[Tree], room: str) -> str:
    """Return the name of a set that gives the room a value; a new one if there is none."""
    both = [*sets, *common]
    for each in both:
        if value_in_set(both, each["alias"], room) == value:
            return str(each["alias"])
    name = value if isinstance(value, str) else f"{value:g}°"
    if any(e["device_name"] == room for s in sets if s["alias"] == name for e in s["devices"]):
        name = f"{name} {room}"
    entry = {"device_name": room, "setpoint": value}
    for position, each in enumerate(sets):
        if each["alias"] == name:
            sets[position] = {**each, "devices": [*each["devices"], entry]}
            return name
    sets.append({"alias": name, "devices": [entry]})
    return name
