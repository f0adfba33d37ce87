"""Checks the scheduler part of the document and puts its values into one form. Pure.

Checks run in the order of the heating control app's server, so that a tree with several mistakes
is refused for the same one.
"""

import datetime
import math
from collections.abc import Collection, Iterator
from typing import Any, Final

from jph.heating.orders.coding import Order
from jph.heating.plan.document.refusal import (
    PlanRefusedError,
    RefusalId,
    bad_reference,
    bad_value,
    duplicate,
    missing,
)

Tree = dict[str, Any]
DAYS: Final = ("1", "2", "3", "4", "5", "6", "7")
"""Monday to Sunday."""
RESET_EVENTS: Final = ("timeslot_change", "setpoint_change")
_LONGEST_RESET_H: Final = 24
_HIGHEST_C: Final = 100.0
_ORDERS: Final = "comfort, comfort-1, comfort-2, eco, frost, off"
_DEEPEST: Final = 32
SCHEDULER: Final = "/scheduler"
SETS: Final = f"{SCHEDULER}/temperature_sets"
SCHEDULES: Final = f"{SCHEDULER}/schedules"
_RESET_PATH: Final = "/scheduler.settings.manual_mode_reset_event"


def check_scheduler(scheduler: object, devices: Collection[str]) -> Tree:
    """Return a checked copy: times as HH:MM:SS, setpoints as floats, slots in order of time.

    `devices` are the names that sets and schedules may use. Unknown keys are kept.

    Raises:
        PlanRefusedError: the first mistake.
    """
    tree: Tree = _copy(_object(scheduler, SCHEDULER))
    _need(tree, SCHEDULER, active_schedule=True, schedules=True)
    tree["schedules"] = _list(tree["schedules"] or [], SCHEDULES)
    tree["settings"] = _settings(tree.get("settings"))
    tree["active_schedule"] = _active(tree)
    _check_sets(tree, None, tree, devices)
    names: set[str] = set()
    for schedule in tree["schedules"]:
        _check_schedule(schedule, tree, devices, names)
    for schedule in tree["schedules"]:
        _check_circle(schedule, tree["schedules"])
    return tree


def schedule_named(scheduler: Tree, name: object) -> Tree | None:
    """Return the schedule of a name."""
    return next((s for s in scheduler["schedules"] if _get(s, "alias") == name), None)


def slot_lists(slots: Tree) -> Iterator[list[Tree]]:
    """Yield the lists of slots of one set of slots: one, or those of weeks A and B."""
    for key in ("timeslots", "timeslots_A", "timeslots_B"):
        if key in slots:
            yield slots[key]


def _copy(tree: Any, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Copy JSON that is not nested too deeply."""
    if depth > _DEEPEST:
        raise bad_value(SCHEDULER, "…", "The document is nested too deeply")
    if isinstance(tree, dict):
        return {key: _copy(value, depth + 1) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_copy(value, depth + 1) for value in tree]
    return tree


def _get(tree: object, key: str) -> Any:  # noqa: ANN401 - JSON
    return tree.get(key) if isinstance(tree, dict) else None


def _object(value: object, path: str, key: str | None = None) -> Tree:
    if not isinstance(value, dict):
        raise bad_value(path, value, "An object is expected here", key)
    return value


def _list(value: object, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise bad_value(path, value, "A list is expected here")
    return value


def _need(tree: Tree, path: str, key: str | None = None, **keys: bool) -> None:
    """Refuse an object without these keys; those that are True may be null."""
    gone = [
        name
        for name, may_be_null in keys.items()
        if name not in tree or (tree[name] is None and not may_be_null)
    ]
    if gone:
        raise missing(path, gone, key)


def _alias(tree: Tree, path: str) -> str:
    name = tree["alias"]
    if not isinstance(name, str) or not name:
        raise bad_value(path, name, "A name is expected here")
    return name


def _settings(settings: object) -> Tree:
    """Return the settings with the rule that ends manual mode in its one form."""
    tree = _object(settings or {}, f"{SCHEDULER}/settings")
    event = tree.get("manual_mode_reset_event")
    if (not event and event != 0) or event in RESET_EVENTS:
        return {**tree, "manual_mode_reset_event": event or "setpoint_change"}
    return {**tree, "manual_mode_reset_event": reset_hours(event)}


def reset_hours(event: object) -> int:
    """Return after how many hours manual mode ends, 1 to 24."""
    hours = int(event) if isinstance(event, str) and event.strip().isdecimal() else event
    if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= _LONGEST_RESET_H:
        text = "Manual mode ends after 1 to {most} hours, or at one of: {events}"
        events = ", ".join(RESET_EVENTS)
        raise bad_value(_RESET_PATH, event, text, most=_LONGEST_RESET_H, events=events)
    return hours


def _active(tree: Tree) -> str | None:
    name = tree["active_schedule"] or None
    if name is not None and schedule_named(tree, name) is None:
        raise bad_reference(f"{SCHEDULER}/active_schedule", name, "schedule")
    return name


def _check_sets(
    parent: Tree, schedule: Tree | None, scheduler: Tree, devices: Collection[str]
) -> None:
    """Check the temperature sets of a schedule, or the global ones."""
    if "temperature_sets" not in parent:
        if schedule is None:
            parent["temperature_sets"] = []
        return
    path = SETS if schedule is None else f"{SCHEDULES}['{schedule['alias']}']/temperature_sets"
    seen: set[str] = set()
    for entry in _list(parent["temperature_sets"], path):
        tempset = _object(entry, path)
        alias = tempset.get("alias")
        _need(tempset, path, str(alias) if alias else None, alias=False, devices=False)
        name = _alias(tempset, path)
        if name in seen:
            raise duplicate(path, name, "temperature set")
        seen.add(name)
        place = f"{path}['{name}']"
        _check_inheritance(tempset, place, schedule, scheduler)
        for index, device in enumerate(_list(tempset["devices"], f"{place}/devices")):
            _check_device_value(_object(device, f"{place}/devices"), place, index, devices)


def _check_inheritance(tempset: Tree, place: str, schedule: Tree | None, scheduler: Tree) -> None:
    """Write the set that a set inherits from under both keys: documented, and read by the app."""
    name = tempset.get("inherits") or tempset.get("parent")
    if not name:
        return
    if schedule is not None and not _find_set(name, schedule, scheduler):
        raise bad_reference(f"{place}/parent", name, "temperature set")
    tempset["parent"] = tempset["inherits"] = name


def _check_device_value(device: Tree, place: str, index: int, devices: Collection[str]) -> None:
    _need(device, f"{place}/devices", str(index), device_name=False, setpoint=False)
    path = f"{place}/devices['{index}']"
    if device["device_name"] not in devices:
        raise bad_reference(f"{path}/device_name", device["device_name"], "device")
    device["setpoint"] = setpoint_of(device["setpoint"], f"{path}/setpoint")


def setpoint_of(value: object, path: str) -> float | str:
    """Return a temperature, °C, or the word of an order."""
    if isinstance(value, str) and (order := order_word(value)):
        return order
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 < number <= _HIGHEST_C:
        text = "Expected a temperature above 0 and up to {most} °C, or an order: {orders}"
        raise bad_value(path, value, text, most=f"{_HIGHEST_C:g}", orders=_ORDERS)
    return number


def order_word(text: str) -> str | None:
    """Return the word of an order that a text stands for, in English or French; None if none."""
    try:
        return Order.named(text).word
    except ValueError:
        return None


def _find_set(name: object, schedule: Tree | None, scheduler: Tree) -> bool:
    """Say whether a schedule, or the document, has a temperature set of this name."""
    own = (schedule or {}).get("temperature_sets") or []
    common = scheduler.get("temperature_sets") or []
    return any(_get(s, "alias") == name for s in (*_as_list(own), *_as_list(common)))


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _check_schedule(
    entry: object, scheduler: Tree, devices: Collection[str], names: set[str]
) -> None:
    """Check one schedule; `names` are those before it."""
    schedule = _object(entry, SCHEDULES)
    alias = schedule.get("alias")
    _need(schedule, SCHEDULES, str(alias) if alias else None, alias=False, schedule_items=False)
    name = _alias(schedule, SCHEDULES)
    if name in names:
        raise duplicate(SCHEDULES, name, "schedule", name)
    names.add(name)
    _check_sets(schedule, schedule, scheduler, devices)
    items = _list(schedule["schedule_items"], f"{SCHEDULES}['{name}']/schedule_items")
    if not items:
        raise empty_list(SCHEDULES, name, "schedule_items")
    _check_parent(schedule, scheduler)
    used: set[str] = set()
    for index, item in enumerate(items):
        _check_item(_object(item, f"{SCHEDULES}['{name}']/schedule_items"), schedule, index, used)
        _check_item_devices(item, schedule, index, devices)
        days: set[str] = set()
        for number, slots in enumerate(item["timeslots_sets"]):
            _check_slots(slots, (schedule, scheduler), (index, number), days)
    _check_times(schedule)


def empty_list(path: str, key: str, child: str) -> PlanRefusedError:
    """Refuse an empty list."""
    text, values = "{child} of {key} must not be empty", {"child": child, "key": key}
    return PlanRefusedError(RefusalId.EMPTY_LIST, path, text, key, values, child_node=child)


def _check_parent(schedule: Tree, scheduler: Tree) -> None:
    if "parent_schedule" not in schedule:
        return
    parent = schedule["parent_schedule"]
    if parent in (None, ""):
        del schedule["parent_schedule"]
    elif schedule_named(scheduler, parent) is None:
        path = f"{SCHEDULES}['{schedule['alias']}']"
        raise bad_reference(path, parent, "schedule", "parent_schedule")


def _check_item(item: Tree, schedule: Tree, index: int, used: set[str]) -> None:
    """Check the keys of an item, and that none of its devices stands in another one."""
    path = f"{SCHEDULES}['{schedule['alias']}']/schedule_items"
    _need(item, path, str(index), devices=False, timeslots_sets=False)
    _list(item["timeslots_sets"], f"{path}['{index}']/timeslots_sets")
    for device in _list(item["devices"], f"{path}['{index}']/devices"):
        if str(device) in used:
            raise duplicate(f"{SCHEDULES}/schedule_items/devices", device, "device")
        used.add(str(device))


def _check_item_devices(item: Tree, schedule: Tree, index: int, devices: Collection[str]) -> None:
    path = f"{SCHEDULES}['{schedule['alias']}']/schedule_items"
    if not item["devices"]:
        raise empty_list(path, str(index), "devices")
    for device in item["devices"]:
        if device not in devices:
            raise bad_reference(f"{path}['{index}']/devices", device, "device")


def _check_slots(
    entry: object, owner: tuple[Tree, Tree], place: tuple[int, int], days: set[str]
) -> None:
    """Check one set of slots of an item; `days` are those of the sets before it."""
    schedule, scheduler = owner
    index, number = place
    path = f"{SCHEDULES}['{schedule['alias']}']/schedule_items['{index}']/timeslots_sets"
    slots = _object(entry, path, str(number))
    _need(slots, path, str(number), dates=False)
    if ("timeslots" in slots) == ("timeslots_A" in slots and "timeslots_B" in slots):
        raise missing(path, ["timeslots[_A|_B]"])
    inside = f"{path}['{number}']"
    _check_days(_list(slots["dates"], f"{inside}/dates"), f"{inside}/dates", days)
    for slot_list in slot_lists(slots):
        _check_slot_list(slot_list, inside, schedule, scheduler)


def _check_days(dates: list[Any], path: str, days: set[str]) -> None:
    for position, day in enumerate(dates):
        if day not in DAYS:
            raise bad_value(
                path, day, "A day is 1 (Monday) to 7 (Sunday), as a text", str(position)
            )
        if day in days:
            raise duplicate(path, day, "day")
        days.add(day)


def _check_slot_list(slot_list: object, inside: str, schedule: Tree, scheduler: Tree) -> None:
    for position, entry in enumerate(_list(slot_list, f"{inside}/timeslots")):
        slot = _object(entry, f"{inside}/timeslots")
        _need(slot, f"{inside}/timeslots", start_time=False, temperature_set=False)
        if not _find_set(slot["temperature_set"], schedule, scheduler):
            # The protocol always writes position 0 here; `position` has the real one.
            path = f"{inside}/timeslots['0']/temperature_set"
            name = slot["temperature_set"]
            raise bad_reference(path, name, "temperature set", position=position)


def _check_times(schedule: Tree) -> None:
    """Put the start of each slot into one form, the first at midnight, and sort the slots."""
    for item in schedule["schedule_items"]:
        for slots in item["timeslots_sets"]:
            for slot_list in slot_lists(slots):
                for slot in slot_list[:1]:
                    slot["start_time"] = "00:00:00"
                for slot in slot_list:
                    slot["start_time"] = start_of(slot["start_time"], schedule["alias"])
                slot_list.sort(key=lambda slot: str(slot["start_time"]))


def start_of(value: object, alias: str) -> str:
    """Return the start of a slot as HH:MM:SS.

    YAML 1.1 reads 16:30:30 without quotation marks as a number of base sixty: it is turned back.
    """
    try:
        if isinstance(value, datetime.time):
            return value.replace(tzinfo=None).isoformat("seconds")
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 86_400:
            return (datetime.datetime.min + datetime.timedelta(seconds=value)).strftime("%H:%M:%S")
        if isinstance(value, str):
            moment = datetime.time.fromisoformat(value)
            return moment.replace(tzinfo=None).isoformat("seconds")
    except ValueError:
        pass
    path = f"{SCHEDULES}['{alias}']/schedule_items/timeslots_sets/timeslots"
    raise bad_value(path, value, "A time of day HH:MM:SS before 24:00 is expected")


def _check_circle(schedule: Tree, schedules: list[Tree]) -> None:
    by_name = {s["alias"]: s for s in schedules}
    chain = [schedule["alias"]]
    while parent := by_name[chain[-1]].get("parent_schedule"):
        if parent in chain:
            raise PlanRefusedError(
                RefusalId.CIRCULAR_REF,
                f"{SCHEDULES}['{schedule['alias']}']",
                "These schedules inherit from each other: {names}",
                values={"names": ", ".join(chain)},
                aliases=chain,
            )
        chain.append(parent)
