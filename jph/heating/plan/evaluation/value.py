"""The value that the schedule in force gives a device at a local time. Pure."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jph.heating.plan.document.check import Tree, schedule_named

Week = Callable[[datetime.date], str]
"""Returns the letter of a date's week, A or B."""


class Scheduled(NamedTuple):
    """The value of a device: °C or the word of an order, and where it comes from."""

    value: float | str
    start: str
    schedule: str
    temperature_set: str


def scheduled_values(scheduler: Tree, at: datetime.datetime, week: Week) -> dict[str, Scheduled]:
    """Return the value of each device that has one at local wall time `at`.

    A device without a slot today, or without a value in that slot's set, has the value of the
    parent schedule, along the whole chain.
    """
    found: dict[str, Scheduled] = {}
    for schedule in chain_of(scheduler, scheduler.get("active_schedule")):
        sets = [*schedule.get("temperature_sets", ()), *scheduler.get("temperature_sets", ())]
        for item in schedule["schedule_items"]:
            slot = slot_at(item, at, week)
            if slot is None:
                continue
            for device in item["devices"]:
                value = value_in_set(sets, slot["temperature_set"], device)
                if value is not None and device not in found:
                    found[device] = Scheduled(
                        value, slot["start_time"], schedule["alias"], slot["temperature_set"]
                    )
    return found


def chain_of(scheduler: Tree, name: str | None) -> Iterator[Tree]:
    """Yield a schedule, its parent and so on; a circle ends where it closes."""
    seen: set[str] = set()
    while name and name not in seen:
        seen.add(name)
        schedule = schedule_named(scheduler, name)
        if schedule is None:
            return
        yield schedule
        name = schedule.get("parent_schedule")


def slots_of_day(item: Tree, date: datetime.date, week: Week) -> list[Tree]:
    """Return the slots of an item that hold on a date, in order of time."""
    day = str(date.isoweekday())
    for slots in item["timeslots_sets"]:
        if day in slots["dates"]:
            key = "timeslots" if "timeslots" in slots else f"timeslots_{week(date)}"
            return list(slots[key])
    return []


def slot_at(item: Tree, at: datetime.datetime, week: Week) -> Tree | None:
    """Return the slot of an item that holds at a local time: the last one that has begun."""
    time = at.time().isoformat("microseconds")
    begun = [slot for slot in slots_of_day(item, at.date(), week) if slot["start_time"] <= time]
    return begun[-1] if begun else None


def value_in_set(
    sets: list[Tree], name: str, device: str, seen: frozenset[str] = frozenset()
) -> Any:  # noqa: ANN401 - °C or the word of an order
    """Return the value of a device in the sets of a name, local ones first; None without one.

    A set without the device is followed to the set it inherits from, then to the next set of the
    same name, so a local set hides a global one device by device.
    """
    if name in seen:
        return None
    for tempset in sets:
        if tempset["alias"] != name:
            continue
        for entry in tempset["devices"]:
            if entry["device_name"] == device:
                return entry["setpoint"]
        if inherited := tempset.get("inherits"):
            value = value_in_set(sets, inherited, device, seen | {name})
            if value is not None:
                return value
    return None
