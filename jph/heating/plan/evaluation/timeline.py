"""Moments in UTC at which scheduled values change. Pure."""

import datetime
from collections.abc import Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from jph.heating.plan.conditions.calendar import ONE_DAY, instant_of, wall_time
from jph.heating.plan.document.check import Tree
from jph.heating.plan.evaluation.value import (
    Scheduled,
    Week,
    chain_of,
    scheduled_values,
    slots_of_day,
)


class Change(NamedTuple):
    """What a device has from a moment on; None: nothing is scheduled."""

    at: datetime.datetime
    device: str
    value: Scheduled | None


def values_at(
    scheduler: Tree, moment: datetime.datetime, zone: ZoneInfo, week: Week
) -> dict[str, Scheduled]:
    """Return the value of each device at a moment."""
    return scheduled_values(scheduler, wall_time(moment, zone), week)


def moments(
    scheduler: Tree,
    start: datetime.datetime,
    end: datetime.datetime,
    zone: ZoneInfo,
    week: Week,
) -> list[datetime.datetime]:
    """Return the moments after `start` and up to `end` at which a slot begins."""
    found: set[datetime.datetime] = set()
    schedules = list(chain_of(scheduler, scheduler.get("active_schedule")))
    day = start.astimezone(zone).date() - ONE_DAY
    while day <= end.astimezone(zone).date():
        times = {datetime.time(0)}
        for schedule in schedules:
            for item in schedule["schedule_items"]:
                times |= {
                    datetime.time.fromisoformat(slot["start_time"])
                    for slot in slots_of_day(item, day, week)
                }
        found |= {instant_of(day, time, zone) for time in times}
        day += ONE_DAY
    return sorted(moment for moment in found if start < moment <= end)


def changes(
    scheduler: Tree,
    start: datetime.datetime,
    end: datetime.datetime,
    zone: ZoneInfo,
    week: Week,
) -> Iterator[Change]:
    """Yield each change of a device's value after `start`, in order of time."""
    now = values_at(scheduler, start, zone, week)
    for moment in moments(scheduler, start, end, zone, week):
        then = values_at(scheduler, moment, zone, week)
        for device in sorted({*now, *then}):
            old, new = now.get(device), then.get(device)
            if (old and old.value) != (new and new.value):
                yield Change(moment, device, new)
        now = then


def next_slot(
    scheduler: Tree,
    device: str,
    start: datetime.datetime,
    end: datetime.datetime,
    zone: ZoneInfo,
    week: Week,
) -> datetime.datetime | None:
    """Return when the slot of a device changes after `start`, be its value the same or not."""
    now = values_at(scheduler, start, zone, week).get(device)
    for moment in moments(scheduler, start, end, zone, week):
        then = values_at(scheduler, moment, zone, week).get(device)
        if (now and (now.start, now.schedule)) != (then and (then.start, then.schedule)):
            return moment
    return None
