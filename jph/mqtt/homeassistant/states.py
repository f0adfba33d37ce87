"""States of Home Assistant's entities: what each topic carries, merged and bounded. Pure.

Of each codifier only the newest value waits; it is published at most each `Every` seconds. What has
not changed is repeated only where its entity would expire.
"""

import datetime
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jph.config.house.rooms import Room
from jph.errors import ConfigError
from jph.heating.explain.facts import Evidence, HeaterFacts
from jph.heating.explain.heaters import explain
from jph.heating.orders.coding import Order, lowest
from jph.heating.rooms.regulation import Thermometer, room_temperature
from jph.mqtt.door import Plan, Publish
from jph.mqtt.homeassistant.discovery import (
    AWAY,
    BOOST,
    NO_SCHEDULE,
    POOL_MODES,
    Catalogue,
    word_of,
)
from jph.mqtt.homeassistant.entities import LONGEST_STATE, TEXTS, expiry_s, number_text
from jph.util.freshness import Signs, State, judge_element, judge_node
from jph.wire.codec import Quality, Reading

ONLINE, OFFLINE = "online", "offline"
NONE: Final = "None"
"""Home Assistant's word for a value that is not known."""
_DOUBTED: Final = frozenset({Quality.STALE, Quality.IMPLAUSIBLE})
_OLDEST_S: Final = 900.0
_LARGEST_ATTRIBUTES: Final = 8_000
_HEATS: Final = frozenset({Order.COMFORT, Order.COMFORT_1, Order.COMFORT_2})


class States:
    """The newest value of each codifier, and what was published of it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        try:
            self._evidence: Evidence | None = Evidence(catalogue.network)
        except ConfigError:
            self._evidence = None
        self._newest: dict[str, Reading] = {}
        self._at_ms: dict[str, int] = {}
        self._doubted: set[str] = set()
        self._alive_ms: dict[str, int] = {}
        self._halted: set[str] = set()
        self._started_ms: int | None = None
        self._waiting: dict[str, None] = {}
        self._sent_ms: dict[str, int] = {}
        self._published: dict[str, tuple[bytes, int]] = {}
        self._available: dict[str, str] = {}
        self.plan = Plan()
        self._prepare()

    def _prepare(self) -> None:
        known = self.catalogue
        self._nodes = {each.codifier: each for each in known.network.nodes()}
        self._repeat_ms = {
            code: round(1000 * seconds / 2)
            for code, each in known.plain.items()
            if (seconds := expiry_s(each)) is not None
        }
        self._follow: dict[str, list[str]] = {}
        for load in known.heaters.values():
            card, code = load.actuator.card, load.codifier
            sources = {load.actuator.applied, load.actuator.verified}
            sources |= {state for state, each in known.house.states.items() if each == card}
            phase = known.house.watched().get(load.phase)
            sources |= {phase.explain, phase.mask} if phase else set()
            for source in sources - {""}:
                self._follow.setdefault(source, []).append(code)
        for room in known.rooms.values():
            for source in room.settings.thermometers:
                self._follow.setdefault(source, []).append(room.codifier)
            for load in room.heaters:
                if load.actuator.applied:
                    self._follow.setdefault(load.actuator.applied, []).append(room.codifier)
        evidence = {*known.heaters, *self._follow}
        for each in known.house.phases:
            evidence |= {each.current, each.subscribed}
        self._facts_of = evidence - {""}
        self._announced = {*known.plain, *known.heaters, *known.rooms, *known.wires}

    # What is heard

    def take(self, readings: Iterable[Reading], now_ms: int) -> None:
        """Take readings of the bus; of each codifier only the newest stays."""
        if self._started_ms is None:
            self._started_ms = now_ms
        for reading in readings:
            code = reading.source
            sensor = self.catalogue.sensors.get(code)
            if sensor is None:
                continue
            at_ms = now_ms if sensor.own_time else min(reading.timestamp_ms, now_ms)
            self._alive_ms[sensor.parent or code] = now_ms
            if self._evidence is not None and code in self._facts_of:
                doubted = reading.quality in _DOUBTED
                self._evidence.note(code, reading.value, at_ms / 1000, doubted=doubted)
            if code in self._announced:
                self._waiting[code] = None
            if reading.quality in _DOUBTED:
                self._doubted.add(code)
                continue
            self._doubted.discard(code)
            self._newest[code] = reading
            self._at_ms[code] = at_ms
            for other in self._follow.get(code, ()):
                self._waiting[other] = None

    def hear_life(self, node: str, *, active: bool, now_ms: int) -> None:
        """Take a keep-alive or an answer of a node."""
        if node not in self._nodes:
            return
        self._alive_ms[node] = now_ms
        (self._halted.discard if active else self._halted.add)(node)

    def take_plan(self, plan: Plan, now_ms: int) -> None:
        """Take the state of the Schedule node."""
        self.plan = plan
        self._waiting |= dict.fromkeys(self.catalogue.rooms)
        if self.catalogue.schedule is not None:
            self._waiting[self.catalogue.schedule.codifier] = None

    # What is published

    def everything(self) -> None:
        """Forget what was published: the broker or Home Assistant may have forgotten it."""
        self._published.clear()
        self._available.clear()
        self._sent_ms.clear()
        self._waiting |= dict.fromkeys(c for c in self._announced if c in self._newest)
        self._waiting |= dict.fromkeys(self.catalogue.rooms)

    def due(self, now_ms: int) -> Iterator[Publish]:
        """Yield what waits and may be published now."""
        every_ms = self.catalogue.settings.every * 1000
        for code in [*self._waiting]:
            if now_ms - self._sent_ms.get(code, -(10**15)) < every_ms:
                continue
            del self._waiting[code]
            self._sent_ms[code] = now_ms
            yield from self._said(code, now_ms)

    def ages(self, now_ms: int) -> Iterator[Publish]:
        """Yield availability and connections that have changed with the time."""
        states = {code: self._node_state(code, now_ms) for code in self._nodes}
        for code, state in states.items():
            if code != self.catalogue.bridge:
                word = ONLINE if state in (State.ALIVE, State.HALTED) else OFFLINE
                yield from self._changed(self.catalogue.names.state(code, "alive"), word, now_ms)
        for code in self._announced:
            late = self._word(code, states, now_ms)
            if self._available.get(code) != late:
                self._available[code] = late
                yield from self._changed(self._availability(code), late, now_ms)

    def _availability(self, code: str) -> str:
        return self.catalogue.names.state(code, "available")

    def _word(self, code: str, states: Mapping[str, State], now_ms: int) -> str:
        if code == self.catalogue.bridge:
            return ONLINE
        reading = self._newest.get(code)
        if reading is None or code in self._doubted:
            return OFFLINE
        sensor = self.catalogue.sensors[code]
        age_s = (now_ms - self._at_ms[code]) / 1000
        if sensor.parent is None:
            return ONLINE if states[code] in (State.ALIVE, State.HALTED) else OFFLINE
        state = judge_element(age_s, sensor.timeout_warning, states.get(sensor.parent))
        return ONLINE if state in (State.ALIVE, State.HALTED) else OFFLINE

    def _node_state(self, code: str, now_ms: int) -> State:
        node = self._nodes[code]
        life, read = self._alive_ms.get(code), self._at_ms.get(code)
        signs = Signs(
            None if life is None else (now_ms - life) / 1000,
            None if read is None else (now_ms - read) / 1000,
        )
        return judge_node(
            signs, node.timeout_warning, node.sensor_interval, active=code not in self._halted
        )

    def _said(self, code: str, now_ms: int) -> Iterator[Publish]:
        """Yield the topics of one codifier that differ from what was published."""
        known, names = self.catalogue, self.catalogue.names
        if code in known.heaters:
            parts = self._heater(code, now_ms)
        elif code in known.rooms:
            parts = self._room(known.rooms[code], now_ms)
        else:
            parts = self._value(code)
        for part, payload in parts.items():
            yield from self._changed(
                names.state(code, part), payload, now_ms, self._repeat_ms.get(code)
            )
        if known.schedule is not None and code == known.schedule.codifier:
            for part, payload in self._absence().items():
                yield from self._changed(names.state(code, part), payload, now_ms)
        if code in self._announced and (
            self._available.get(code) != ONLINE or code in self._doubted
        ):
            states = {each: self._node_state(each, now_ms) for each in self._parents(code)}
            word = self._word(code, states, now_ms)
            self._available[code] = word
            yield from self._changed(self._availability(code), word, now_ms)

    def _parents(self, code: str) -> set[str]:
        return {self.catalogue.sensors[code].parent or code} & self._nodes.keys()

    def _changed(
        self, topic: str, payload: str, now_ms: int, repeat_ms: int | None = None
    ) -> Iterator[Publish]:
        data = payload.encode()
        last = self._published.get(topic)
        same = last is not None and last[0] == data
        if last is not None and same and (repeat_ms is None or now_ms - last[1] < repeat_ms):
            return
        self._published[topic] = data, now_ms
        yield Publish(topic, data, retain=True)

    @property
    def topics(self) -> set[str]:
        """The topics that were published."""
        return set(self._published)

    # What each codifier says

    def _value(self, code: str) -> dict[str, str]:
        reading = self._newest.get(code)
        if reading is None:
            return {}
        known = self.catalogue
        sensor, number = known.sensors[code], reading.number
        if code in known.wires:
            return {"state": _order_word(number)}
        if code == known.next:
            return self._next(reading)
        if code == known.active:
            return {"state": str(reading.value)[:LONGEST_STATE] or NO_SCHEDULE}
        if code in known.pool_modes and number is not None:
            return {"state": POOL_MODES[int(number)] if number in (0, 1, 2) else NONE}
        if sensor.data_type == "json" or reading.flag == "j":
            return self._json(code, reading)
        if sensor.data_type == "bool" and number is not None:
            return {"state": "1" if number else "0"}
        if sensor.data_type in TEXTS or number is None:
            text = str(reading.value).strip()[:LONGEST_STATE]
            return {"state": text if sensor.data_type in TEXTS else NONE}
        return {"state": number_text(number)}

    def _json(self, code: str, reading: Reading) -> dict[str, str]:
        content = _object(str(reading.value))
        value = content.get("value")
        if code in self.catalogue.trips and isinstance(value, int | float) and value < 0:
            value = None
        if value is None or isinstance(value, bool | dict | list):
            text = NONE
        else:
            text = number_text(value) if isinstance(value, int | float) else str(value)
        if len(str(reading.value)) > _LARGEST_ATTRIBUTES:
            content = {}
        return {"state": text[:LONGEST_STATE] or NONE, "attributes": json.dumps(content)}

    def _next(self, reading: Reading) -> dict[str, str]:
        content = _object(str(reading.value))
        attributes = {key: content[key] for key in ("room", "wish", "by") if key in content}
        return {"state": _iso(content.get("at_ms")), "attributes": json.dumps(attributes)}

    def _heater(self, code: str, now_ms: int) -> dict[str, str]:
        if self._evidence is None:
            return {}
        facts = self._evidence.heater(code, now_ms / 1000)
        if facts.order is None:
            return {}
        word = _order_word(facts.order)
        watts = facts.watts if facts.watts is not None else facts.rated_watts
        return {
            "order": word,
            "mode": "off" if word == "off" else "heat",
            "preset": NONE if word == "off" else word,
            "action": _action(facts),
            "shed": _shed(facts),
            "power": NONE if watts is None else number_text(round(watts)),
            "attributes": json.dumps(_why(facts, now_ms), ensure_ascii=False),
        }

    def _room(self, room: Room, now_ms: int) -> dict[str, str]:
        told = self.plan.state.get("rooms", {}).get(room.name)
        found: dict[str, str] = {}
        reading = self._newest.get(room.codifier)
        if reading is not None and reading.number is not None:
            found["target"] = number_text(reading.number)
        if isinstance(told, dict):
            found["target"] = number_text(float(told["degrees"]))
            found |= _room_mode(told, now_ms)
        elif found:
            found |= {"mode": "auto", "preset": NONE}
        heard = [
            Thermometer(code, each.number, (now_ms - self._at_ms[code]) / 1000)
            for code in room.settings.thermometers
            if (each := self._newest.get(code)) is not None and each.number is not None
        ]
        current = room_temperature(heard, _OLDEST_S)[0]
        if room.settings.thermometers:
            found["current"] = NONE if current is None else number_text(round(current, 1))
        if action := self._room_action(room):
            found["action"] = "off" if found.get("mode") == "off" else action
        return found

    def _room_action(self, room: Room) -> str:
        codes = [load.actuator.applied or load.codifier for load in room.heaters]
        orders = [each.number for code in codes if (each := self._newest.get(code)) is not None]
        if not orders:
            return ""
        return "heating" if any(number in _HEATS for number in orders) else "idle"

    def _absence(self) -> dict[str, str]:
        if not self.plan.state:
            return {}
        away = self.plan.state.get("away")
        away = away if isinstance(away, dict) else None
        attributes: dict[str, Any] = {}
        if away is not None:
            attributes = {"until": _iso(away.get("until_ms")), "wish": away.get("value")}
        return {"away": "0" if away is None else "1", "away_attributes": json.dumps(attributes)}


def _room_mode(told: Mapping[str, Any], now_ms: int) -> dict[str, str]:
    """Return mode, preset and attributes of a room, as the Schedule node reports it."""
    by, wish = str(told.get("by", "")), told.get("wish")
    layers = [each for each in told.get("layers", ()) if isinstance(each, dict)]
    first = str(layers[0].get("layer")) if layers else by
    hand = [each for each in told.get("hand", ()) if isinstance(each, dict)]
    running = [
        each for each in hand if each.get("end_ms") is None or each.get("end_ms", 0) > now_ms
    ]
    preset = NONE
    if first == "hand" and running and running[-1].get("boost"):
        preset = BOOST
    elif first == "absence":
        preset = AWAY
    mode = "auto"
    if first == "hand":
        mode = "off" if (running and running[-1].get("value") == "off") else "heat"
    attributes: dict[str, Any] = {"wish": wish, "decided_by": by, "why": _layers(layers)}
    if first == "hand" and running:
        attributes["by"] = running[-1].get("author")
        attributes["until"] = _iso(running[-1].get("end_ms"))
    return {"mode": mode, "preset": preset, "attributes": json.dumps(attributes)}


def _layers(layers: Iterable[Mapping[str, Any]]) -> str:
    """Return the layers of a wish in words, those that decide marked."""
    words = []
    for each in layers:
        wish = each.get("wish")
        value = wish.get("value") if isinstance(wish, dict) else wish
        source = wish.get("source") if isinstance(wish, dict) else ""
        text = f"{each.get('layer')}: {value}" + (f" ({source})" if source else "")
        words.append(text + (", decides" if each.get("decides") else ""))
    return "; ".join(words)


def _why(facts: HeaterFacts, now_ms: int) -> dict[str, Any]:
    """Return why a heater does what it does; without durations, which would never stand still."""
    found: dict[str, Any] = {
        "why": explain(facts, now_ms, with_phase=False)[0],
        "ordered_by": facts.by or None,
        "ordered_at": _iso(facts.at_ms),
        "until": _iso(facts.until_ms),
        "then": None if facts.then is None else _order_word(facts.then),
        "applied": None if facts.applied is None else _order_word(facts.applied),
        "verified": None if facts.verified is None else _order_word(facts.verified),
        "phase": facts.phase.phase,
        "rated_power": facts.rated_watts,
    }
    if facts.cause is not None and facts.shed:
        found["shed_reason"] = facts.cause.reason
        found["shed_since"] = _iso(facts.cause.since_ms)
        found["waits_for"] = list(facts.cause.turn_of)
    if facts.fallback:
        found["fallback"] = facts.fallback
    return found


def _shed(facts: HeaterFacts) -> str:
    """Return 1 for a heater that is held back, by its phase's mask or by what its wire carries."""
    if facts.shed is not None:
        return str(int(facts.shed))
    if facts.order is None or facts.applied is None:
        return NONE
    if not {facts.applied, facts.order} <= {*Order}:
        return NONE
    applied, order = Order(facts.applied), Order(facts.order)
    return str(int(applied is not order and lowest(applied, order) is applied))


def _action(facts: HeaterFacts) -> str:
    if facts.order == Order.OFF:
        return "off"
    carried = facts.order if facts.applied is None else facts.applied
    return "heating" if carried in _HEATS else "idle"


def _order_word(number: float | None) -> str:
    try:
        return NONE if number is None else word_of(Order.of(number))
    except ValueError:
        return NONE


def _iso(at_ms: object) -> str:
    """Return a moment as Home Assistant reads it."""
    if isinstance(at_ms, bool) or not isinstance(at_ms, int | float):
        return NONE
    try:
        return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return NONE


def _object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
