"""Commands of Home Assistant as orders on the bus and edits of the plan. Pure."""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from jph.config.house.loads import Load
from jph.config.house.rooms import Room
from jph.config.model import Sensor
from jph.heating.orders.coding import Order
from jph.mqtt.door import Edit, Effect, Refused
from jph.mqtt.door import Order as Control
from jph.mqtt.homeassistant.discovery import (
    AWAY,
    BOOST,
    NO_SCHEDULE,
    ORDER_WORDS,
    POOL_MODES,
    Catalogue,
)
from jph.mqtt.homeassistant.states import NONE, States

AUTHOR: Final = "Home Assistant"
_BOOST_K: Final = 2.0
_BOOST_S: Final = 3600
_LONGEST: Final = 100
"""Bytes of a command."""
_SET: Final = "A"


class Commands:
    """What a command means; only the entities that are announced take any."""

    def __init__(self, catalogue: Catalogue, states: States) -> None:
        self.catalogue = catalogue
        self._states = states

    def take(self, topic: str, payload: bytes, *, retained: bool) -> Iterator[Effect]:
        """Yield what a message to a command topic causes."""
        found = self.catalogue.names.command_of(topic)
        if found is None:
            yield Refused("topic", topic[:_LONGEST])
            return
        code, part = found
        if not self.catalogue.commands:
            yield Refused("orders are off", f"{code} {part}")
            return
        if retained:
            yield Refused("retained", f"{code} {part}: a retained command is not carried out")
            return
        try:
            text = payload.decode() if len(payload) <= _LONGEST else None
        except UnicodeDecodeError:
            text = None
        effects = None if text is None else self._effects(code, part, text.strip())
        if effects is None:
            yield Refused("value", f"{code} {part}: {payload[:40]!r}")
            return
        yield from effects

    def _effects(self, code: str, part: str, text: str) -> Iterable[Effect] | None:
        """Return what a command causes, None if it is none."""
        known = self.catalogue
        sensor = known.sensors.get(code)
        if sensor is None:
            return None
        if code in known.heaters:
            if not known.can_set(sensor):
                return None
            return self._heater(known.heaters[code], part, text)
        if code in known.rooms:
            return self._room(known.rooms[code], part, text)
        if known.schedule is not None and code == known.schedule.codifier and part == "away":
            return self._absence(text)
        if code not in known.plain:
            return None
        if code == known.active and part == "schedule":
            name = "" if text == NO_SCHEDULE else text
            return [self._edit("set_active_schedule", {"schedule_name": name})]
        return self._value(sensor, part, text)

    def _value(self, sensor: Sensor, part: str, text: str) -> Iterable[Effect] | None:
        if not self.catalogue.can_set(sensor):
            return None
        if sensor.codifier in self.catalogue.pool_modes and part == "mode":
            if text not in POOL_MODES:
                return None
            return [Control(_SET, sensor.codifier, float(POOL_MODES.index(text)))]
        number = _number(text) if part == "value" else None
        if number is None or (sensor.data_type == "bool" and number not in (0, 1)):
            return None
        return [Control(_SET, sensor.codifier, number)]

    def _heater(self, load: Load, part: str, text: str) -> Iterable[Effect] | None:
        order: Order | None = None
        if part in ("order", "preset"):
            order = ORDER_WORDS.get(text)
        elif part == "mode" and text == "off":
            order = Order.OFF
        elif part == "mode" and text == "heat":
            order = Order.COMFORT
        if order is None or not load.takes(order):
            return None
        return [Control(_SET, load.codifier, float(order))]

    def _room(self, room: Room, part: str, text: str) -> Iterable[Effect] | None:
        name = {"room": room.name}
        own: dict[tuple[str, str], Callable[[], Effect]] = {
            ("mode", "auto"): lambda: self._edit("cancel", name),
            ("mode", "off"): lambda: self._edit("wish", {**name, "value": "off"}),
            ("mode", "heat"): lambda: self._edit("wish", {**name, "value": self._wish_c(room)}),
            ("preset", BOOST): lambda: self._boost(room),
            ("preset", AWAY): lambda: self._edit("away", {}),
            ("preset", NONE): lambda: self._end(room),
            ("preset", "none"): lambda: self._end(room),
        }
        if (part, text) in own:
            return [own[part, text]()]
        if part in (BOOST, "skip", "advance"):
            return [self._boost(room) if part == BOOST else self._edit(part, name)]
        degrees = _number(text) if part == "target" else None
        if degrees is None or not room.settings.minimum <= degrees <= room.settings.maximum:
            return None
        return [self._edit("wish", {**name, "value": round(degrees, 1), "until_ms": "rule"})]

    def _absence(self, text: str) -> Iterable[Effect] | None:
        if text not in ("0", "1"):
            return None
        return [self._edit("away" if text == "1" else "home", {})]

    def _boost(self, room: Room) -> Edit:
        warm = min(self._wish_c(room) + _BOOST_K, room.settings.maximum)
        params = {"room": room.name, "value": warm, "for_s": _BOOST_S, "boost": True}
        return self._edit("wish", params)

    def _end(self, room: Room) -> Edit:
        """End what the preset of a room shows: an absence is of the whole house."""
        if self._states.plan.state.get("away"):
            return self._edit("home", {})
        return self._edit("cancel", {"room": room.name})

    def _wish_c(self, room: Room) -> float:
        wish = self._states.plan.wish_c(room.name)
        return round(min(wish if wish is not None else 19.0, room.settings.maximum), 1)

    def _edit(self, verb: str, params: dict[str, Any]) -> Edit:
        return Edit(verb, params, AUTHOR)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and abs(number) <= 1e12 else None
