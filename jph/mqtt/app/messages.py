"""Messages of the heating app's protocol: what it gets, in the forms that it reads. Pure.

The app reads a whole number as another type than a temperature, so every temperature has a decimal
point.
"""

import datetime
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from jph.heating.plan.document.check import Tree
from jph.heating.plan.document.refusal import PlanRefusedError, bad_value, missing
from jph.heating.plan.evaluation.wish import Degrees, degrees_of

LARGEST: Final = 60_000
"""Bytes of a command; larger ones cannot travel to the Schedule node."""
_DEEPEST: Final = 40
_NO_LEVEL: Final = re.compile(r"[^A-Za-z0-9_-]+")


def json_of(content: object) -> bytes:
    """Return JSON; floats have a decimal point."""
    return msgspec.json.encode(content)


def command_of(payload: bytes, topic: str) -> tuple[str, Any]:
    """Return name and params of a command.

    Raises:
        PlanRefusedError: it is none; the path is the topic.
    """
    if len(payload) > LARGEST:
        raise bad_value(topic, f"{len(payload)} bytes", f"A command has up to {LARGEST} bytes")
    try:
        content = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise missing(topic, ["command", "params"]) from None
    if not isinstance(content, dict):
        raise bad_value(topic, type(content).__name__, "A command is an object")
    if gone := [key for key in ("command", "params") if content.get(key) is None]:
        raise missing(topic, gone)
    name = content["command"]
    if not isinstance(name, str):
        raise bad_value(topic, f"command: {name}"[:200], "The name of a command is a text")
    if _depth(content["params"]) > _DEEPEST:
        raise bad_value(topic, "params", "The parameters are nested too deeply")
    return name, content["params"]


def _depth(tree: object) -> int:
    """Return how deep JSON is nested, up to one more than is taken."""
    level, deep = [tree], 0
    while level and deep <= _DEEPEST:
        deep += 1
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    return deep


def response(name: str, refused: PlanRefusedError | None = None) -> bytes:
    """Return the answer to a command."""
    if refused is None:
        return json_of({"cmd": name, "status": "success"})
    return failure(name, refused.as_answer())


def failure(name: str, error: Mapping[str, Any]) -> bytes:
    """Return the answer to a command that is refused; the app knows no templates of sentences."""
    known = {key: value for key, value in error.items() if key not in ("text", "values")}
    return json_of({"cmd": name, "status": "failure", "error": known})


def alive(now_ms: int, zone: datetime.tzinfo | None, version: str) -> bytes:
    """Return the sign of life, its time with its offset."""
    moment = datetime.datetime.fromtimestamp(now_ms / 1000, datetime.UTC)
    shown = moment.astimezone(zone).isoformat(timespec="microseconds")
    return json_of({"date": shown, "ver": version})


def state(
    temperature: float, setpoint: float, lowest: float | None, highest: float | None, *, here: bool
) -> bytes:
    """Return the state of a device."""
    return json_of(
        {
            "current_temp": float(temperature),
            "setpoint": float(setpoint),
            "state": "true" if here else "false",
            "min_temp": None if lowest is None else float(lowest),
            "max_temp": None if highest is None else float(highest),
        }
    )


def mqtt_ids(devices: Sequence[Tree]) -> dict[str, str]:
    """Return name → last level of the topic of each device, made of its entity."""
    found: dict[str, str] = {}
    for device in devices:
        plain = _NO_LEVEL.sub("_", str(device["srventity"]))[:60] or "device"
        number, unique = 2, plain
        while unique in found.values():
            number, unique = number + 1, f"{plain}_{number}"
        found[str(device["name"])] = unique
    return found


def unique_names(entities: Mapping[str, str]) -> list[Tree]:
    """Return entities (id → name) as the app reads them: it shows one of those of one name."""
    used: set[str] = set()
    listed = []
    for entity, name in entities.items():
        shown = name if name and name not in used else f"{name or entity} ({entity})"
        used.add(shown)
        listed.append({"name": shown, "srventity": entity})
    return listed


def scheduler_for_app(scheduler: Tree, degrees: Degrees) -> Tree:
    """Return the scheduler part of the document with every key that the app needs."""
    shown = {**scheduler, "temperature_sets": _sets(scheduler, degrees)}
    shown["schedules"] = [
        {**each, "temperature_sets": _sets(each, degrees)} for each in scheduler["schedules"]
    ]
    return shown


def _sets(owner: Tree, degrees: Degrees) -> list[Tree]:
    return [
        {
            **each,
            "devices": [
                {**entry, "setpoint": float(degrees_of(entry["setpoint"], degrees))}
                for entry in each["devices"]
            ],
        }
        for each in owner.get("temperature_sets") or ()
    ]


def with_words(params: Any, scheduler: Tree, degrees: Degrees) -> Any:  # noqa: ANN401 - JSON
    """Return params of `set_tempsets` or `set_schedule` with the words that the app got as °C.

    The app sends back all sets for every small edit; an order that a set holds stays a word.
    """
    if not isinstance(params, dict) or not isinstance(params.get("temperature_sets"), list):
        return params
    words = _words(scheduler, params.get("schedule_name") or params.get("alias"))
    if not words:
        return params

    def entry_of(alias: object, entry: Any) -> Any:  # noqa: ANN401
        if not isinstance(entry, dict):
            return entry
        key = (str(alias), str(entry.get("device_name")))
        word = words.get(key)
        same = word is not None and entry.get("setpoint") == degrees_of(word, degrees)
        return {**entry, "setpoint": word} if same else entry

    sets = [
        {**each, "devices": [entry_of(each.get("alias"), entry) for entry in each["devices"]]}
        if isinstance(each, dict) and isinstance(each.get("devices"), list)
        else each
        for each in params["temperature_sets"]
    ]
    return {**params, "temperature_sets": sets}


def _words(scheduler: Tree, schedule: object) -> dict[tuple[str, str], str]:
    """Return (set, device) → word, of the global sets or of those of a schedule."""
    owners: list[Tree] = [scheduler]
    if schedule:
        owners = [each for each in scheduler["schedules"] if each["alias"] == schedule]
    return {
        (str(each["alias"]), str(entry["device_name"])): entry["setpoint"]
        for owner in owners
        for each in owner.get("temperature_sets") or ()
        for entry in each["devices"]
        if isinstance(entry["setpoint"], str)
    }


def gone(topics: Collection[str], known: Collection[str]) -> Iterator[str]:
    """Yield the topics of devices that are gone."""
    yield from sorted(set(topics) - set(known))
