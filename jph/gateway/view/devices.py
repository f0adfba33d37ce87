"""Devices of the house by group, each with the widget that shows it. Pure."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from jph.config.model import Network, Sensor
from jph.gateway.live.board import Board, Row
from jph.gateway.view.figures import unit_of
from jph.gateway.view.widgets import Control, control_of

PERCENT: Final = (0.0, 100.0)
_TEXTS: Final = frozenset({"text", "string", "json"})
_MOTION: Final = ("Motion", "motion")
MOST: Final = 500


class Device(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One codifier; `widget` is number, switch, slider, gauge, state, text or motion.

    `min` and `max` are the ends of a gauge; `control` is how it is set, if it can be.
    """

    codifier: str
    name: str
    widget: str
    row: Row
    min: float | None = None
    max: float | None = None
    control: Control | None = None


class Group(msgspec.Struct, frozen=True):
    """Devices of one room, group or node."""

    name: str
    devices: list[Device]


def groups_of(board: Board, is_device: Callable[[str], bool]) -> list[Group]:
    """Return the devices by group, in the order of the config; `is_device` tells it of a type."""
    network = board.network
    rooms = _rooms(network)
    found: dict[str, list[Device]] = {}
    for node in network.nodes():
        if not is_device(node.type):
            continue
        own = [node] if _has_value(node) else []
        for sensor in (*own, *network.elements(node.codifier)):
            group = sensor.group or rooms.get(sensor.codifier) or node.group
            name = group or node.name or node.short_name or node.codifier
            if sum(map(len, found.values())) < MOST:
                found.setdefault(name, []).append(_device(board, sensor))
    return [Group(name, devices) for name, devices in found.items()]


def _has_value(node: Sensor) -> bool:
    """Whether a node has a value of its own: its settings may describe those of elements alone."""
    for key in ("Elements", "Outputs"):
        listed = node.sensor.get(key)
        if isinstance(listed, list):
            return any(isinstance(e, dict) and e.get("Codifier") == node.codifier for e in listed)
    return True


def _rooms(network: Network) -> dict[str, str]:
    """Return the room of each codifier that the list `Rooms` names."""
    found: dict[str, str] = {}
    for room in network.rooms:
        name = _first_name(room.get("Name", ""))
        for key in ("Thermometers", "Windows", "Presence", "Motion"):
            listed = room.get(key, ())
            codes: Iterable[object] = listed if isinstance(listed, list) else ()
            found |= {code: name for code in codes if isinstance(code, str)}
    return found


def _first_name(name: object) -> str:
    """Return the name of a room, the English one of several."""
    if isinstance(name, dict):
        return str(name.get("en") or next(iter(name.values()), ""))
    return str(name)


def _device(board: Board, sensor: Sensor) -> Device:
    control = control_of(sensor, board.house.wiring, {})
    if control is not None and control.kind == "number" and unit_of(sensor.symbol) == "%":
        control = Control("slider", *PERCENT, 1.0, "%")
    if control is not None and (control.min, control.max, control.step) == (0.0, 1.0, 1.0):
        control = Control("switch", 0, 1)
    widget, bounds = _widget(board, sensor, control)
    return Device(
        codifier=sensor.codifier,
        name=sensor.name or sensor.short_name or sensor.codifier,
        widget=widget,
        row=board.row(sensor.codifier),
        min=bounds[0] if bounds else None,
        max=bounds[1] if bounds else None,
        control=control,
    )


def _widget(
    board: Board, sensor: Sensor, control: Control | None
) -> tuple[str, tuple[float, float] | None]:
    bounds = _bounds(sensor)
    if sensor.widget:
        return sensor.widget, bounds or (PERCENT if sensor.widget == "gauge" else None)
    if sensor.data_type in _TEXTS:
        return "text", None
    if control is not None and control.kind in ("switch", "slider"):
        return control.kind, None
    in_rooms = {code for room in board.network.rooms for code in room.get("Motion", ())}
    if sensor.codifier in in_rooms or sensor.symbol in _MOTION:
        return "motion", None
    if sensor.data_type == "bool":
        return "state", None
    if bounds is None and unit_of(sensor.symbol) == "%":
        bounds = PERCENT
    return ("gauge" if bounds else "number"), bounds


def _bounds(sensor: Sensor) -> tuple[float, float] | None:
    low, high = sensor.sensor.get("Min"), sensor.sensor.get("Max")
    if not isinstance(low, int | float) or not isinstance(high, int | float) or low >= high:
        return None
    return float(low), float(high)
