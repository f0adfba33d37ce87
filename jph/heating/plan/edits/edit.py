"""The fifteen edits of the heating control app: document in, document or refusal out. Pure.

A document is `{"devices": [{"name", "srventity"}, …], "scheduler": {…}}`; further keys are kept.
`set_setpoint` is no edit of the document: it is a hand wish, checked here and carried out by the
caller.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from jph.heating.plan.document.check import (
    SCHEDULER,
    SCHEDULES,
    SETS,
    Tree,
    check_scheduler,
    empty_list,
    schedule_named,
    setpoint_of,
    slot_lists,
)
from jph.heating.plan.document.refusal import (
    PlanRefusedError,
    RefusalId,
    bad_reference,
    bad_value,
    duplicate,
    missing,
)

DEVICES: Final = "/devices"
ENTITIES: Final = "/entities"
_LONGEST_NAME: Final = 200
Edit = Callable[[Tree, Any, "Entities"], Tree]


class Entities:
    """What the document's devices may be: entities by id, and devices of the configuration.

    Attributes:
        ids: the entities that a device can be made of.
        fixed: names of devices that the configuration has, which cannot be deleted here.
    """

    def __init__(self, ids: Collection[str] = (), fixed: Collection[str] = ()) -> None:
        self.ids = ids
        self.fixed = fixed


def entities_in(verb: str, params: object) -> list[str]:
    """Return the entities that exist, which an edit that chooses one brings in `entities`."""
    known = params.get("entities") if isinstance(params, dict) else None
    if verb not in ("add_device", "set_device_entity") or not isinstance(known, list):
        return []
    return [each for each in known if isinstance(each, str)]


def apply_edit(
    document: Tree, verb: str, params: object, entities: Entities, topic: str = "command"
) -> Tree:
    """Return the document after an edit; the one passed in stays as it is.

    Raises:
        PlanRefusedError: the edit is refused; nothing of it is kept.
    """
    if verb == "set_setpoint":
        checked_setpoint(document, params, topic)
        return document
    known = _VERBS.get(verb)
    if known is None:
        raise bad_value(topic, f"command: {verb}", "There is no such command")
    keys, edit = known
    if keys is None:
        if not isinstance(params, list):
            raise bad_value(verb, params, "A list of names is expected")
    elif not isinstance(params, dict):
        raise bad_value(verb, params, "An object is expected")
    elif gone := [key for key in keys if key not in params]:
        raise missing(verb, gone)
    copy: Tree = _fresh(document)
    return edit(copy, params, entities)


def device_names(document: Tree) -> list[str]:
    """Return the devices' names in the order they are shown."""
    return [device["name"] for device in document["devices"]]


def checked_setpoint(
    document: Tree, params: object, topic: str = "command"
) -> tuple[str, float | str]:
    """Return device and setpoint of `set_setpoint`.

    Raises:
        PlanRefusedError: keys are missing, the device is unknown or the setpoint is no temperature.
    """
    if not isinstance(params, dict):
        raise bad_value("set_setpoint", params, "An object is expected")
    if gone := [key for key in ("setpoint", "device_name") if key not in params]:
        raise missing("set_setpoint", gone)
    value = setpoint_of(params["setpoint"], topic)
    if params["device_name"] not in device_names(document):
        raise bad_reference(DEVICES, params["device_name"], "device")
    return params["device_name"], value


def _fresh(tree: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a copy that edits may change."""
    if isinstance(tree, dict):
        return {key: _fresh(value) for key, value in tree.items()}
    return [_fresh(value) for value in tree] if isinstance(tree, list) else tree


def _verified(document: Tree) -> Tree:
    scheduler = check_scheduler(document["scheduler"], device_names(document))
    return {**document, "scheduler": scheduler}


def _device(document: Tree, name: object) -> Tree:
    listed: list[Tree] = document["devices"]
    for device in listed:
        if device["name"] == name:
            return device
    raise bad_reference(DEVICES, name, "device")


def _new_name(name: object, taken: Collection[str], path: str, what: str, key: str | None) -> str:
    """Check a name that a device, set or schedule is given."""
    if isinstance(name, str) and name in taken:
        raise duplicate(path, name, what, key)
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
        text = "A name of 1 to {most} characters is expected"
        raise bad_value(path, name, text, key, most=_LONGEST_NAME)
    return name


def _schedule(document: Tree, name: object) -> Tree:
    schedule = schedule_named(document["scheduler"], name)
    if schedule is None:
        raise bad_reference(SCHEDULES, name, "schedule")
    return schedule


def _ordered(items: list[Tree], names: list[Any], key: str, path: str, what: str) -> list[Tree]:
    """Return all items in the order of `names`, each once."""
    by_name = {item[key]: item for item in items}
    chosen: list[Tree] = []
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str) or name not in by_name:
            raise bad_reference(path, name, what)
        if name in seen:
            raise duplicate(path, name, what)
        seen.add(name)
        chosen.append(by_name[name])
    for name in by_name:
        if name not in seen:
            text = "The order lacks {name}"
            raise PlanRefusedError(
                RefusalId.MISSING_VALUE, path, text, values={"name": name}, value=name
            )
    return chosen


def _set_devices_order(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    document["devices"] = _ordered(document["devices"], params, "name", DEVICES, "device")
    return document


def _set_device_name(document: Tree, params: Any, entities: Entities) -> Tree:  # noqa: ANN401
    old, new = params["old_name"], params["new_name"]
    if new in device_names(document):
        raise duplicate(DEVICES, new, "device")
    device = _device(document, old)
    _refuse_fixed(old, entities)
    device["name"] = _new_name(new, (), DEVICES, "device", None)
    for tempset in _all_sets(document["scheduler"]):
        for entry in tempset["devices"]:
            if entry["device_name"] == old:
                entry["device_name"] = new
    for schedule in document["scheduler"]["schedules"]:
        for item in schedule["schedule_items"]:
            item["devices"] = [new if name == old else name for name in item["devices"]]
    return _verified(document)


def _add_device(document: Tree, params: Any, entities: Entities) -> Tree:  # noqa: ANN401
    if params["srventity"] not in entities.ids:
        raise bad_reference(ENTITIES, params["srventity"], "entity")
    name = _new_name(params["name"], device_names(document), DEVICES, "device", None)
    document["devices"].append({"name": name, "srventity": params["srventity"]})
    return document


def _set_device_entity(document: Tree, params: Any, entities: Entities) -> Tree:  # noqa: ANN401
    device = _device(document, params["name"])
    if params["new_srventity"] not in entities.ids:
        raise bad_reference(ENTITIES, params["new_srventity"], "entity")
    _refuse_fixed(params["name"], entities)
    device["srventity"] = params["new_srventity"]
    return document


def _delete_device(document: Tree, params: Any, entities: Entities) -> Tree:  # noqa: ANN401
    name = params["name"]
    device = _device(document, name)
    if name in entities.fixed or _is_used(document["scheduler"], name):
        raise _referenced(f"{DEVICES}/{name}", "{name} is still in use", name)
    document["devices"].remove(device)
    return document


def _refuse_fixed(name: str, entities: Entities) -> None:
    """Refuse to change a room of the configuration: its name and its element stand there."""
    if name in entities.fixed:
        raise _referenced(f"{DEVICES}/{name}", "{name} is a room of the configuration", name)


def _referenced(path: str, text: str, name: str, key: str | None = None) -> PlanRefusedError:
    """Refuse to take away what others use."""
    return PlanRefusedError(RefusalId.REFERENCED_NODE, path, text, key, {"name": name})


def _is_used(scheduler: Tree, name: str) -> bool:
    """Say whether a temperature set or a schedule names a device."""
    if any(e["device_name"] == name for s in _all_sets(scheduler) for e in s["devices"]):
        return True
    items = (item for s in scheduler["schedules"] for item in s["schedule_items"])
    return any(name in item["devices"] for item in items)


def _all_sets(scheduler: Tree) -> Iterator[Tree]:
    yield from scheduler.get("temperature_sets", ())
    for schedule in scheduler["schedules"]:
        yield from schedule.get("temperature_sets", ())


def _set_active_schedule(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    name = params["schedule_name"]
    document["scheduler"]["active_schedule"] = _schedule(document, name)["alias"] if name else None
    return document


def _set_schedule(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    alias = params.get("alias")
    named = str(alias) if alias else None
    if gone := [key for key in ("alias", "schedule_items") if params.get(key) is None]:
        raise missing(SCHEDULES, gone, named)
    name = _new_name(alias, (), SCHEDULES, "schedule", None)
    schedules = document["scheduler"]["schedules"]
    for position, schedule in enumerate(schedules):
        if schedule["alias"] == name:
            schedules[position] = params
            break
    else:
        schedules.append(params)
    verified = _verified(document)
    _refuse_no_slot(_schedule(verified, name))
    return verified


def _refuse_no_slot(schedule: Tree) -> None:
    """Refuse a list without a slot in what is written anew; older documents may have one."""
    for index, item in enumerate(schedule["schedule_items"]):
        for number, slots in enumerate(item["timeslots_sets"]):
            if not all(slot_lists(slots)):
                where = f"{SCHEDULES}['{schedule['alias']}']/schedule_items['{index}']"
                raise empty_list(f"{where}/timeslots_sets", str(number), "timeslots")


def _rename_schedule(document: Tree, old: object, new: object) -> None:
    schedule = _schedule(document, old)
    taken = [s["alias"] for s in document["scheduler"]["schedules"]]
    schedule["alias"] = _new_name(new, taken, SCHEDULES, "schedule", str(old))
    scheduler = document["scheduler"]
    if scheduler.get("active_schedule") == old:
        scheduler["active_schedule"] = new
    for other in scheduler["schedules"]:
        if other.get("parent_schedule") == old:
            other["parent_schedule"] = new


def _set_schedule_name(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    _rename_schedule(document, params["old_name"], params["new_name"])
    return _verified(document)


def _set_schedule_properties(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    if params["name"] != params["new_name"]:
        _rename_schedule(document, params["name"], params["new_name"])
    schedule = _schedule(document, params["new_name"])
    schedule["parent_schedule"] = params["parent"] or None
    return _verified(document)


def _delete_schedule(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    name = params["schedule_name"]
    scheduler = document["scheduler"]
    if any(s.get("parent_schedule") == name for s in scheduler["schedules"]):
        text = "{name} is the parent of another schedule"
        raise _referenced(SCHEDULES, text, str(name), str(name))
    scheduler["schedules"].remove(_schedule(document, name))
    if scheduler.get("active_schedule") == name:
        scheduler["active_schedule"] = None
    return document


def _set_schedules_order(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    scheduler = document["scheduler"]
    scheduler["schedules"] = _ordered(
        scheduler["schedules"], params, "alias", SCHEDULES, "schedule"
    )
    return document


def _owner_of_sets(document: Tree, name: object) -> Tree:
    """Return what holds the temperature sets: the document, or a schedule for its local ones."""
    scheduler: Tree = document["scheduler"]
    return scheduler if name in ("", None) else _schedule(document, name)


def _set_tempsets(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    _owner_of_sets(document, params["schedule_name"])["temperature_sets"] = params[
        "temperature_sets"
    ]
    return _verified(document)


def _set_tempset_name(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    old, new, where = params["old_name"], params["new_name"], params["schedule_name"]
    owner = _owner_of_sets(document, where)
    sets = owner.get("temperature_sets", [])
    path = f"{SCHEDULES}['{where}']/temperature_sets" if where else SETS
    tempset = next((s for s in sets if s["alias"] == old), None)
    if tempset is None:
        raise bad_reference(path, old, "temperature set")
    tempset["alias"] = _new_name(new, [s["alias"] for s in sets], path, "temperature set", None)
    _rename_inherited(sets, old, new)
    for schedule in [owner] if where else document["scheduler"]["schedules"]:
        local = schedule.get("temperature_sets", [])
        if where or all(s["alias"] != old for s in local):
            _rename_inherited(local, old, new)
            _rename_in_slots(schedule, old, new)
    return _verified(document)


def _rename_inherited(sets: list[Tree], old: str, new: str) -> None:
    for tempset in sets:
        for key in ("parent", "inherits"):
            if tempset.get(key) == old:
                tempset[key] = new


def _rename_in_slots(schedule: Tree, old: str, new: str) -> None:
    for item in schedule["schedule_items"]:
        for slots in item["timeslots_sets"]:
            for slot in (slot for slot_list in slot_lists(slots) for slot in slot_list):
                if slot["temperature_set"] == old:
                    slot["temperature_set"] = new


def _set_scheduler_settings(document: Tree, params: Any, _: Entities) -> Tree:  # noqa: ANN401
    if "manual_mode_reset_event" not in params:
        raise missing(SCHEDULER, ["manual_mode_reset_event"])
    settings = document["scheduler"].setdefault("settings", {})
    settings["manual_mode_reset_event"] = params["manual_mode_reset_event"]
    return _verified(document)


_VERBS: Final[dict[str, tuple[tuple[str, ...] | None, Edit]]] = {
    "set_devices_order": (None, _set_devices_order),
    "set_device_name": (("old_name", "new_name"), _set_device_name),
    "add_device": (("name", "srventity"), _add_device),
    "set_device_entity": (("name", "new_srventity"), _set_device_entity),
    "delete_device": (("name",), _delete_device),
    "set_active_schedule": (("schedule_name",), _set_active_schedule),
    "set_schedule": ((), _set_schedule),
    "set_schedule_name": (("old_name", "new_name"), _set_schedule_name),
    "set_schedule_properties": (("name", "new_name", "parent"), _set_schedule_properties),
    "delete_schedule": (("schedule_name",), _delete_schedule),
    "set_schedules_order": (None, _set_schedules_order),
    "set_tempsets": (("temperature_sets", "schedule_name"), _set_tempsets),
    "set_tempset_name": (("old_name", "new_name", "schedule_name"), _set_tempset_name),
    "set_scheduler_settings": ((), _set_scheduler_settings),
}
"""Verb → keys that its params need (None: a list of names), and the edit."""
VERBS: Final = ("set_setpoint", *_VERBS)
