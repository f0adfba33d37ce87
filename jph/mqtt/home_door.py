"""The door to Home Assistant: descriptions, states and availability out, commands in. Pure.

Everything is said again after each connect and after Home Assistant's birth message. States say
what the buses said: a command shows only when its target has acknowledged it.
"""

import datetime
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from jph.config.house.loads import Load
from jph.config.house.rooms import Room
from jph.config.model import Network
from jph.heating.orders import Order as HeaterOrder
from jph.mqtt.discovery import (
    AWAY,
    BOOST,
    NO_SCHEDULE,
    ORDER_WORDS,
    POOL_MODES,
    PRESETS,
    Catalogue,
    word_of,
)
from jph.mqtt.door import Door, Edit, Effect, Order, Plan, Publish, Refused
from jph.mqtt.entities import LONGEST_STATE, TEXTS, number_text
from jph.mqtt.homeassistant import HomeAssistantSettings
from jph.wire.codec import Quality, Reading

_AUTHOR: Final = "Home Assistant"
_ONLINE, _OFFLINE = b"online", b"offline"
_LONGEST_COMMAND: Final = 100
_BOOST_S: Final = 3600
_BOOST_K: Final = 2.0
_KNOWN: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class HomeAssistantDoor(Door):
    """Announces the house to Home Assistant and takes its commands."""

    name = "Home Assistant"

    def __init__(self, network: Network, settings: HomeAssistantSettings, bridge: str) -> None:
        self._catalogue = Catalogue(network, settings, bridge, commands=settings.orders)
        self._names = self._catalogue.names
        self._every_ms = round(1000 * settings.every)
        self._plan = Plan()
        self._announced: dict[str, bytes] = {}
        self._heard_ms: dict[str, int] = {}
        self._values: dict[str, Reading] = {}
        self._states: dict[str, bytes] = {}
        self._sent_ms: dict[str, int] = {}
        self._waiting: dict[str, bytes] = {}

    # The connection

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return the topics of the birth message, of commands, and of descriptions left over."""
        return ((self._names.configs, 0), (self._names.birth, 0), (self._names.commands, 0))

    def will(self) -> Publish:
        """Return the bridge's own state when it is gone."""
        return Publish(self._names.bridge, _OFFLINE, retain=True)

    def on_connect(self, now_ms: int) -> Iterable[Effect]:
        """Announce every device, then say every state."""
        yield from self._announce(again=True)
        yield Publish(self._names.bridge, _ONLINE, retain=True)
        yield from self._say_all()

    def on_goodbye(self, now_ms: int) -> Iterable[Effect]:
        """Say that the bridge ends."""
        yield self.will()

    def takes(self, topic: str) -> bool:
        """Say whether a message of this topic is for this door."""
        names = self._names
        return (
            topic == names.birth or names.is_own_config(topic) or topic.startswith(f"{names.base}/")
        )

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> Iterable[Effect]:
        """Take the birth message, descriptions of devices that are no more, and commands."""
        if topic == self._names.birth:
            return self.on_connect(now_ms) if payload == _ONLINE and not retained else ()
        if self._names.is_own_config(topic):
            gone = retained and payload and topic not in self._announced
            return [Publish(topic, b"", retain=True)] if gone else ()
        command = self._names.command_of(topic)
        if command is None:
            return ()
        if retained:
            return [Refused("retained", topic)]
        if not self._catalogue.commands:
            return [Refused("orders are off", topic)]
        try:
            text = payload[: _LONGEST_COMMAND + 1].decode()
        except UnicodeDecodeError:
            return [Refused("text", topic)]
        if len(text) > _LONGEST_COMMAND:
            return [Refused("long", topic)]
        effects = list(self._command(*command, text.strip()))
        return effects or [Refused("command", f"{topic}: {text[:40]!r}")]

    # What is said

    def _announce(self, *, again: bool) -> Iterator[Publish]:
        """Publish the descriptions, and clear those of devices that have left the config."""
        schedules = [
            str(each.get("alias"))
            for each in self._plan.document.get("scheduler", {}).get("schedules", ())
        ]
        before, self._announced = self._announced, {}
        for device in self._catalogue.devices(schedules):
            topic, content = self._names.config(device.codifier), self._catalogue.message(device)
            self._announced[topic] = content
            if again or before.get(topic) != content:
                yield Publish(topic, content, retain=True)
        for topic in before.keys() - self._announced.keys():
            yield Publish(topic, b"", retain=True)

    def _say_all(self) -> Iterator[Publish]:
        for topic, payload in self._states.items():
            yield Publish(topic, payload, retain=True, merge=True)

    def _say(self, topic: str, payload: str | bytes, now_ms: int) -> Iterator[Publish]:
        """Publish a state if it has changed, not more often than `Every`."""
        content = payload.encode() if isinstance(payload, str) else payload
        if self._states.get(topic) == content and topic not in self._waiting:
            return
        self._states[topic] = content
        if now_ms - self._sent_ms.get(topic, 0) < self._every_ms:
            self._waiting[topic] = content
            return
        self._waiting.pop(topic, None)
        self._sent_ms[topic] = now_ms
        yield Publish(topic, content, retain=True, merge=True)

    def on_readings(self, readings: Sequence[Reading], now_ms: int) -> Iterable[Effect]:
        """Say the values of readings, and that their codifiers are not late."""
        for reading in readings:
            code = reading.source
            if code not in self._catalogue.sensors:
                continue
            self._heard_ms[code] = now_ms
            self._values[code] = reading
            known = reading.quality in _KNOWN
            yield from self._available(code, now_ms, known=known)
            if not known:
                continue
            if code in self._catalogue.heaters:
                yield from self._heater(self._catalogue.heaters[code], now_ms)
            elif code in self._catalogue.wires:
                yield from self._say(self._names.state(code), _order_text(reading), now_ms)
                heater = self._catalogue.heaters[self._catalogue.wires[code]]
                yield from self._heater(heater, now_ms)
            elif code in self._catalogue.plain:
                yield from self._value(code, reading, now_ms)
            yield from self._temperatures(code, now_ms)

    def on_timer(self, now_ms: int) -> Iterable[Effect]:
        """Say what waited, and which codifiers are late."""
        for topic, payload in list(self._waiting.items()):
            if now_ms - self._sent_ms.get(topic, 0) >= self._every_ms:
                del self._waiting[topic]
                self._sent_ms[topic] = now_ms
                yield Publish(topic, payload, retain=True, merge=True)
        for code, heard_ms in self._heard_ms.items():
            limit_s = self._catalogue.sensors[code].timeout_warning
            if limit_s > 0 and now_ms - heard_ms > 1000 * limit_s:
                yield from self._available(code, now_ms, known=False)
        for node in self._catalogue.network.nodes():
            if node.codifier != self._catalogue.bridge and self._catalogue.settings.wants(node):
                heard = self._alive_ms(node.codifier)
                limit_ms = 3000 * max(node.keep_alive_interval, 1.0)
                alive = heard is not None and now_ms - heard <= limit_ms
                topic = self._names.state(node.codifier, "alive")
                yield from self._say(topic, _ONLINE if alive else _OFFLINE, now_ms)

    def _alive_ms(self, node: str) -> int | None:
        """Return when a node or one of its elements was heard last."""
        codes = (node, *(each.codifier for each in self._catalogue.network.elements(node)))
        return max((self._heard_ms[c] for c in codes if c in self._heard_ms), default=None)

    def _available(self, code: str, now_ms: int, *, known: bool) -> Iterator[Publish]:
        topic = self._names.state(code, "available")
        content = _ONLINE if known else _OFFLINE
        if self._states.get(topic) != content:
            self._states[topic] = content
            yield Publish(topic, content, retain=True, merge=True)

    def _value(self, code: str, reading: Reading, now_ms: int) -> Iterator[Publish]:
        sensor, topic = self._catalogue.sensors[code], self._names.state(code)
        if code == self._catalogue.active:
            yield from self._say(topic, str(reading.value) or NO_SCHEDULE, now_ms)
            return
        if sensor.data_type in TEXTS:
            yield from self._say(topic, str(reading.value)[:LONGEST_STATE], now_ms)
            return
        if reading.flag == "j":
            yield from self._say(self._names.state(code, "attributes"), _object(reading), now_ms)
        number = reading.number
        if code == self._catalogue.next:
            yield from self._say(topic, _moment(number), now_ms)
        elif number is None:
            yield from self._say(topic, str(reading.value)[:LONGEST_STATE], now_ms)
        elif code in self._catalogue.pool_modes and number in range(len(POOL_MODES)):
            yield from self._say(topic, POOL_MODES[int(number)], now_ms)
        elif sensor.data_type == "bool":
            yield from self._say(topic, "1" if number else "0", now_ms)
        else:
            whole = int(number) if reading.flag in "iq" else number
            yield from self._say(topic, number_text(whole), now_ms)

    def _heater(self, load: Load, now_ms: int) -> Iterator[Publish]:
        """Say order, mode, preset and shed of a heater, as far as its card has reported them."""
        order = self._order_of(load.codifier)
        if order is None:
            return
        names, code = self._names, load.codifier
        word = word_of(order)
        yield from self._say(names.state(code, "order"), word, now_ms)
        off = order is HeaterOrder.OFF
        yield from self._say(names.state(code, "mode"), "off" if off else "heat", now_ms)
        yield from self._say(names.state(code, "preset"), "None" if off else word, now_ms)
        applied = self._order_of(load.actuator.applied)
        attributes: dict[str, Any] = {
            "codifier": code,
            "card": load.actuator.card,
            "phase": load.phase,
            "room": load.room,
            "order": word,
        }
        if applied is not None:
            shed = applied is not order
            attributes["on the wire"] = word_of(applied)
            yield from self._say(names.state(code, "shed"), "1" if shed else "0", now_ms)
        text = json.dumps(attributes, ensure_ascii=False)
        yield from self._say(names.state(code, "attributes"), text, now_ms)

    def _order_of(self, code: str) -> HeaterOrder | None:
        reading = self._values.get(code)
        if reading is None or reading.quality not in _KNOWN or reading.number is None:
            return None
        try:
            return HeaterOrder.of(reading.number)
        except ValueError:
            return None

    def _temperatures(self, code: str, now_ms: int) -> Iterator[Publish]:
        """Say the temperature of the rooms whose thermometer this is."""
        for room in self._catalogue.rooms.values():
            if code in room.settings.thermometers:
                known = [self._values[each].number for each in room.settings.thermometers
                         if each in self._values]  # fmt: skip
                numbers = [each for each in known if each is not None]
                if numbers:
                    topic = self._names.state(room.codifier, "current")
                    text = number_text(round(statistics.median(numbers), 1))
                    yield from self._say(topic, text, now_ms)

    # Rooms and schedules

    def on_plan(self, plan: Plan, now_ms: int) -> Iterable[Effect]:
        """Say wishes, absence and the names of the schedules."""
        renamed = plan.document.get("scheduler") != self._plan.document.get("scheduler")
        self._plan = plan
        if renamed:
            yield from self._announce(again=False)
        for room in self._catalogue.rooms.values():
            found = plan.state.get("rooms", {}).get(room.name)
            if found is not None:
                yield from self._room(room, found, now_ms)
        schedule = self._catalogue.schedule
        if schedule is not None and "away" in plan.state:
            away = plan.state["away"]
            code = schedule.codifier
            yield from self._say(self._names.state(code, "away"), "1" if away else "0", now_ms)
            text = json.dumps(away or {})
            yield from self._say(self._names.state(code, "away_attributes"), text, now_ms)

    def _room(self, room: Room, found: Mapping[str, Any], now_ms: int) -> Iterator[Publish]:
        names, code, by = self._names, room.codifier, str(found.get("by"))
        hands = found.get("hand") or ()
        boost = by == "hand" and any(isinstance(h, dict) and h.get("boost") for h in hands)
        preset = BOOST if boost else AWAY if by in ("absence", "away") else "None"
        yield from self._say(names.state(code, "target"), number_text(found["degrees"]), now_ms)
        yield from self._say(names.state(code, "mode"), "heat" if by == "hand" else "auto", now_ms)
        yield from self._say(names.state(code, "preset"), preset, now_ms)
        attributes = {"codifier": code, "wish": found.get("wish"), "decided by": by}
        yield from self._say(names.state(code, "attributes"), json.dumps(attributes), now_ms)

    # Commands

    def _command(self, code: str, part: str, text: str) -> Iterator[Effect]:
        """Return what a command wants; nothing if it is none."""
        catalogue = self._catalogue
        if code in catalogue.rooms:
            yield from self._room_command(catalogue.rooms[code], part, text)
        elif code in catalogue.heaters and catalogue.can_set(catalogue.sensors[code]):
            yield from self._heater_command(catalogue.heaters[code], part, text)
        elif code == catalogue.active and part == "schedule":
            name = None if text == NO_SCHEDULE else text
            yield Edit("set_active_schedule", {"schedule_name": name}, _AUTHOR)
        elif catalogue.schedule is not None and (code, part) == (catalogue.schedule.codifier, AWAY):
            if text in ("1", "0"):
                yield Edit("away" if text == "1" else "home", {}, _AUTHOR)
        elif code in catalogue.plain and catalogue.can_set(catalogue.sensors[code]):
            yield from self._set(code, part, text)

    def _set(self, code: str, part: str, text: str) -> Iterator[Effect]:
        if part == "mode" and code in self._catalogue.pool_modes and text in POOL_MODES:
            yield Order("A", code, float(POOL_MODES.index(text)))
        elif part == "value" and (number := _number(text)) is not None:
            yield Order("A", code, number)

    def _heater_command(self, load: Load, part: str, text: str) -> Iterator[Effect]:
        order: HeaterOrder | None = None
        if part in ("order", "preset"):
            order = ORDER_WORDS.get(text)
        elif part == "mode" and text in ("off", "heat"):
            order = HeaterOrder.OFF if text == "off" else PRESETS["comfort"]
        if order is not None and load.takes(order):
            yield Order("A", load.codifier, float(order))

    def _room_command(self, room: Room, part: str, text: str) -> Iterator[Effect]:
        named = {"room": room.name}
        if part == "target" and (number := _number(text)) is not None:
            yield Edit("wish", {**named, "value": round(number, 1), "until_ms": "next"}, _AUTHOR)
        elif part == "mode" and text == "auto":
            yield Edit("cancel", named, _AUTHOR)
        elif part == "mode" and text == "heat":
            wish_c = self._plan.wish_c(room.name)
            if wish_c is not None:
                yield Edit("wish", {**named, "value": wish_c}, _AUTHOR)
        elif part == BOOST or (part == "preset" and text == BOOST):
            yield from self._boost(room)
        elif part == "preset" and text == AWAY:
            yield Edit("away", {}, _AUTHOR)
        elif part == "preset" and text.casefold() == "none":
            yield Edit("cancel", named, _AUTHOR)
        elif part in ("skip", "advance"):
            yield Edit(part, named, _AUTHOR)

    def _boost(self, room: Room) -> Iterator[Effect]:
        wish_c = self._plan.wish_c(room.name)
        if wish_c is not None:
            warm_c = min(wish_c + _BOOST_K, room.settings.maximum)
            params = {"room": room.name, "value": warm_c, "for_s": _BOOST_S, "boost": True}
            yield Edit("wish", params, _AUTHOR)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None


def _object(reading: Reading) -> str:
    """Return the JSON object of a reading; empty if it has none."""
    text = str(reading.value)
    return text if text.lstrip().startswith("{") else "{}"


def _order_text(reading: Reading) -> str:
    try:
        return word_of(HeaterOrder.of(reading.number or 0.0))
    except ValueError:
        return str(reading.value)


def _moment(at_ms: float | None) -> str:
    """Return a moment as Home Assistant reads it; empty if there is none."""
    if not at_ms:
        return "None"
    moment = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return moment.isoformat(timespec="seconds")
