"""Thermostats by MQTT: their wishes out, again until they obey; what they report in. Pure.

Home Assistant reports the old setpoint once more just before the new one, and a thermostat may
repeat an old one for minutes: only the wanted value counts as obedience, and only a new value that
is neither wanted nor one of our own writes as a person's.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from jph.config.house.rooms import Room
from jph.mqtt.climate import ClimateSettings
from jph.mqtt.door import Climate, Door, Edit, Effect, Plan, Publish, Refused, Send

AGAIN_S: Final = (10, 30, 60, 120, 600)
"""Pauses before a setpoint is sent again; the last one stays."""
_HALF_STEP: Final = 0.25
_MOST_WRITES: Final = 8
_NO_ID: Final = re.compile(r"[^A-Za-z0-9_]+")
_LARGEST: Final = 65_536


class _Thermostat:
    """What is known of one thermostat."""

    def __init__(self, settings: ClimateSettings, room: str | None) -> None:
        self.settings = settings
        self.room = room
        self.base = settings.base.rstrip("/")
        last = self.base.rpartition("/")[2]
        self.climate = Climate(f"climate_{_NO_ID.sub('_', last)}", last)
        self.device: str | None = room
        self.wish: float | None = None
        self.writes: list[float] = []
        self.tries = 0
        self.due_ms: int | None = None

    def wants(self, wish: float, now_ms: int) -> bool:
        """Take a wish; say whether it is a new one."""
        lowest, highest = self.climate.lowest, self.climate.highest
        wish = wish if lowest is None else max(wish, lowest)
        wish = wish if highest is None else min(wish, highest)
        if self.wish == wish:
            return False
        self.wish, self.tries = wish, 0
        setpoint = self.climate.setpoint
        self.due_ms = None if setpoint is not None and self.obeys(setpoint) else now_ms
        return True

    def obeys(self, value: float) -> bool:
        """Say whether a setpoint is the wanted one, or nearest to it."""
        return self.wish is not None and abs(value - self.wish) <= _HALF_STEP

    def is_ours(self, value: float) -> bool:
        """Say whether a setpoint is one that we have sent and that was not confirmed."""
        return any(abs(value - write) <= _HALF_STEP for write in self.writes)

    def send(self, now_ms: int) -> Publish:
        """Return the message that orders the wish, and plan the next one."""
        assert self.wish is not None
        self.due_ms = now_ms + AGAIN_S[min(self.tries, len(AGAIN_S) - 1)] * 1000
        self.tries += 1
        self.writes = [*self.writes, self.wish][-_MOST_WRITES:]
        if self.settings.form == "zigbee2mqtt":
            payload = msgspec.json.encode({"occupied_heating_setpoint": self.wish})
            return Publish(f"{self.base}/set", payload, qos=1)
        return Publish(f"{self.base}/new_setpoint", str(self.wish).encode(), qos=1)


class ThermostatsDoor(Door):
    """Keeps thermostats at the wishes of their rooms, or of the devices that the app made."""

    name = "thermostats"

    def __init__(self, settings: Sequence[ClimateSettings], rooms: Sequence[Room]) -> None:
        by_thermometer = {code: room.name for room in rooms for code in room.settings.thermometers}
        self._all = [_Thermostat(each, by_thermometer.get(each.temperature)) for each in settings]

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return the topics of all thermostats."""
        return [(topic, 1) for each in self._all for topic in (each.base, f"{each.base}/+")]

    def takes(self, topic: str) -> bool:
        """Say whether a topic is one of a thermostat."""
        return any(topic == t.base or topic.startswith(f"{t.base}/") for t in self._all)

    def on_connect(self, now_ms: int) -> Iterable[Effect]:
        """Offer those thermostats to the app that no room has."""
        return [each.climate for each in self._all if each.room is None]

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> Iterator[Effect]:
        """Take what a thermostat reports."""
        if len(payload) > _LARGEST:
            yield Refused("too large", topic)
            return
        for each in self._all:
            if topic == each.base or topic.startswith(f"{each.base}/"):
                yield from self._take(each, topic[len(each.base) + 1 :], payload, now_ms)

    def on_plan(self, plan: Plan, now_ms: int) -> Iterator[Effect]:
        """Order new wishes. A device without any wish but the default is left alone."""
        rooms = plan.state.get("rooms", {})
        names = {device["srventity"]: device["name"] for device in plan.devices()}
        for each in self._all:
            each.device = each.room or names.get(each.climate.entity)
            state = rooms.get(each.device)
            if state is None or (each.room is None and state.get("by") == "default"):
                each.wish = each.due_ms = None
            elif each.wants(float(state["degrees"]), now_ms):
                yield from self._order(each, now_ms)

    def on_timer(self, now_ms: int) -> Iterator[Effect]:
        """Order again what was not obeyed."""
        for each in self._all:
            yield from self._order(each, now_ms)

    def _order(self, each: _Thermostat, now_ms: int) -> Iterator[Effect]:
        if each.due_ms is not None and now_ms >= each.due_ms and each.climate.available:
            yield each.send(now_ms)

    def _take(self, each: _Thermostat, topic: str, payload: bytes, now_ms: int) -> Iterator[Effect]:
        before = each.climate
        found = _report(each.settings.form, topic, payload)
        if not found:
            return
        each.climate = before._replace(**found)
        if each.climate.setpoint != before.setpoint and each.climate.setpoint is not None:
            yield from self._take_setpoint(each, each.climate.setpoint, before.setpoint)
        if each.climate.available and not before.available and each.due_ms is not None:
            each.due_ms = now_ms
            yield from self._order(each, now_ms)
        if each.climate.temperature != before.temperature and each.settings.temperature:
            yield Send(each.settings.temperature, each.climate.temperature or 0.0)
        if each.climate != before and each.room is None:
            yield each.climate

    def _take_setpoint(
        self, each: _Thermostat, value: float, before: float | None
    ) -> Iterator[Effect]:
        """Judge a new setpoint: obedience, an old write of ours, or a person's."""
        yield Send(each.settings.codifier, value)
        if each.obeys(value):
            each.writes, each.due_ms = [], None
        elif each.wish is not None and before is not None and not each.is_ours(value):
            each.wish, each.writes, each.due_ms = value, [], None
            wish = {"room": each.device, "value": value, "until_ms": "rule"}
            yield Edit("wish", wish, f"at {each.climate.name}"[:100])


def _report(form: str, topic: str, payload: bytes) -> dict[str, Any]:
    """Return what a message says, as fields of `Climate`; empty if it says nothing."""
    try:
        text = payload.decode()
        content = json.loads(text)
    except UnicodeDecodeError:
        return {}
    except (ValueError, RecursionError):
        content = text
    if form == "zigbee2mqtt":
        return _zigbee(topic, content)
    if topic == "state":
        return {"available": content != "unavailable"}
    if topic == "friendly_name":
        return {"name": content} if isinstance(content, str) and content else {}
    field = _STATESTREAM.get(topic)
    number = _number(content)
    return {} if field is None or number is None else {field: number}


def _zigbee(topic: str, content: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    if topic == "availability":
        state = content.get("state") if isinstance(content, dict) else content
        return {"available": state == "online"}
    if topic or not isinstance(content, dict):
        return {}
    read = {field: _number(content.get(key)) for key, field in _ZIGBEE}
    return {field: number for field, number in read.items() if number is not None}


def _number(content: object) -> float | None:
    """Return a temperature; None for what cannot be one."""
    if isinstance(content, bool) or not isinstance(content, int | float):
        return None
    return float(content) if -60 < content < 120 else None


_STATESTREAM: Final = {
    "temperature": "setpoint",
    "current_temperature": "temperature",
    "min_temp": "lowest",
    "max_temp": "highest",
}
_ZIGBEE: Final = (
    ("current_heating_setpoint", "setpoint"),
    ("occupied_heating_setpoint", "setpoint"),
    ("local_temperature", "temperature"),
)
