"""The heating app: its topics, commands and answers. Pure.

Commands are checked on a copy of the document: a wrong one is answered at once and never reaches
the Schedule node. A right one is an edit of that node, one at a time; what it changes is published
after its answer, as the app expects.
"""

import datetime
import statistics
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jph.config.house.rooms import Room
from jph.heating.plan.document.refusal import PlanRefusedError, RefusalId, bad_value, duplicate
from jph.heating.plan.edits.edit import DEVICES, ENTITIES, Entities, apply_edit, checked_setpoint
from jph.heating.plan.evaluation.wish import Degrees
from jph.mqtt.app import messages
from jph.mqtt.door import Climate, Door, Edit, Effect, Plan, Publish, Refused
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import Quality, Reading

AUTHOR: Final = "app"
ALIVE_EVERY_MS: Final = 5000
_ANSWER_WITHIN_MS: Final = 8000
"""The app waits 10 s for an answer."""
_MOST_WAITING: Final = 32
_REFUSALS_PER_S: Final = 20.0
_MOST_REFUSALS: Final = 100
"""Refusals that are answered at once; further ones are counted only."""
_OLDEST_MS: Final = 900_000
"""An older temperature is not published."""
_GOOD: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class _Asked(NamedTuple):
    """A command of the app that waits for the Schedule node."""

    name: str
    params: Any
    at_ms: int


class AppDoor(Door):
    """Speaks the protocol of the heating app for the rooms and the devices of the document."""

    name = "app"

    def __init__(
        self,
        base: str,
        rooms: Sequence[Room],
        degrees: Degrees,
        zone: datetime.tzinfo | None,
        version: str,
    ) -> None:
        self._base = base.strip("/")
        self._command = f"{self._base}/command"
        self._response = f"{self._base}/on_cmd_response"
        self._server = f"{self._base}/serverdata"
        self._rooms = {room.codifier: room for room in rooms}
        self._degrees = degrees
        self._zone = zone
        self._version = version
        self._plan = Plan()
        self._climates: dict[str, Climate] = {}
        self._temperatures: dict[str, tuple[float, int]] = {}
        thermometers = (room.settings.thermometers for room in rooms)
        self._thermometers = {code for each in thermometers for code in each}
        self._published: dict[str, bytes] = {}
        self._states: set[str] = set()
        self._pending: _Asked | None = None
        self._tag = 0
        self._waiting: deque[_Asked] = deque()
        self._alive_ms = 0
        self._refusals = TokenBucket(_REFUSALS_PER_S, _MOST_REFUSALS)

    # The connection

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return the topic of commands, and the states of devices to find those that are gone."""
        return ((self._command, 2), (f"{self._server}/devices/+", 0))

    def will(self) -> Publish:
        """Return the empty sign of life: the app sees at once that the node is gone."""
        return Publish(f"{self._server}/is_alive", b"", retain=True, qos=1)

    def on_connect(self, now_ms: int) -> Iterable[Effect]:
        """Tell everything, devices before their states."""
        self._published = {}
        return [*self._tell(now_ms), *self._sign(now_ms)]

    def on_goodbye(self, now_ms: int) -> Iterable[Effect]:
        """Take back the sign of life."""
        return [self.will()]

    def on_timer(self, now_ms: int) -> Iterator[Effect]:
        """Give the sign of life, and up on an answer that does not come."""
        if self._pending is not None and now_ms - self._pending.at_ms > _ANSWER_WITHIN_MS:
            yield from self._answer(_no_answer(), now_ms)
        if now_ms - self._alive_ms >= ALIVE_EVERY_MS or now_ms < self._alive_ms:
            yield from self._sign(now_ms)
            yield from self._tell_states(now_ms)

    def _sign(self, now_ms: int) -> Iterator[Effect]:
        """Give the sign of life; without the Schedule node the app is read-only."""
        self._alive_ms = now_ms
        if self._plan.alive and self._plan.document:
            payload = messages.alive(now_ms, self._zone, self._version)
            yield Publish(f"{self._server}/is_alive", payload, retain=True, qos=1)
        else:
            yield self.will()

    # What the house tells

    def on_readings(self, readings: Sequence[Reading], now_ms: int) -> Iterable[Effect]:
        """Take temperatures of rooms."""
        heard = False
        for reading in readings:
            if reading.source in self._thermometers and reading.quality in _GOOD:
                number = reading.number
                if number is not None:
                    at_ms = min(reading.timestamp_ms, now_ms)
                    self._temperatures[reading.source] = (number, at_ms)
                    heard = True
        return self._tell_states(now_ms) if heard and self._pending is None else ()

    def on_plan(self, plan: Plan, now_ms: int) -> Iterable[Effect]:
        """Take a document or a state; published after the answer of a command that is under way."""
        before, self._plan = self._plan, plan
        said: list[Effect] = []
        if self._pending is None:
            said += self._tell(now_ms)
        if plan.alive != before.alive or (plan.document and not before.document):
            said += self._sign(now_ms)
        return said

    def on_climate(self, climate: Climate, now_ms: int) -> Iterable[Effect]:
        """Take a thermostat: an entity that a device can be made of."""
        if climate.gone:
            self._climates.pop(climate.entity, None)
        else:
            self._climates[climate.entity] = climate
        return self._tell(now_ms) if self._pending is None else ()

    # Commands

    def takes(self, topic: str) -> bool:
        """Say whether a message is a command or a state of a device."""
        return topic == self._command or topic.startswith(f"{self._server}/devices/")

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> Iterable[Effect]:
        """Take a command; clear a retained state of a device that is gone."""
        if topic != self._command:
            return self._found_state(topic, payload, retained=retained)
        if retained:
            return [Refused("retained command", topic)]
        name = "-"
        try:
            name, params = messages.command_of(payload, self._command)
            asked = _Asked(name, self._checked(name, params), now_ms)
        except PlanRefusedError as error:
            return self._refuse(name, error, now_ms)
        if len(self._waiting) >= _MOST_WAITING:
            crowd = PlanRefusedError(RefusalId.EXCEPTION, "", "Too many commands at once")
            return self._refuse(name, crowd, now_ms)
        if not (self._plan.alive and self._plan.document):
            return self._refuse(name, _no_schedule(), now_ms)
        if self._pending is not None:
            self._waiting.append(asked)
            return ()
        return [self._ask(asked, now_ms)]

    def _ask(self, asked: _Asked, now_ms: int) -> Edit:
        self._pending = asked._replace(at_ms=now_ms)
        self._tag += 1
        return Edit(asked.name, asked.params, AUTHOR, self._tag)

    def on_answer(self, tag: int, answer: Mapping[str, Any], now_ms: int) -> Iterable[Effect]:
        """Pass an answer on to the app, then tell what has changed."""
        if self._pending is None or tag != self._tag:
            return ()
        return self._answer(answer, now_ms)

    def _answer(self, answer: Mapping[str, Any], now_ms: int) -> list[Effect]:
        asked, self._pending = self._pending, None
        assert asked is not None
        said: list[Effect] = []
        if answer.get("status") == "success":
            said.append(self._say(messages.response(asked.name)))
        else:
            said.append(self._say(messages.failure(asked.name, answer.get("error") or {})))
            self._published.pop(f"{self._server}/on_scheduler", None)
        said += self._tell(now_ms)
        while self._waiting and self._pending is None:
            following = self._waiting.popleft()
            try:
                self._checked(following.name, following.params)
            except PlanRefusedError as error:
                said += self._refuse(following.name, error, now_ms)
            else:
                said.append(self._ask(following, now_ms))
        return said

    def _say(self, payload: bytes) -> Publish:
        return Publish(self._response, payload, qos=1)

    def _refuse(self, name: str, error: PlanRefusedError, now_ms: int) -> Iterable[Effect]:
        """Answer a command that is wrong, and tell the schedules again: the app shows its own."""
        yield Refused(error.id.value, str(error)[:200])
        if not self._refusals.take(now_ms / 1000):
            return
        yield self._say(messages.response(name[:100], error))
        if self._pending is None and self._plan.document:
            self._published.pop(f"{self._server}/on_scheduler", None)
            yield from self._tell_scheduler()

    def _checked(self, name: str, params: Any) -> Any:  # noqa: ANN401 - JSON
        """Return the params of a command as the Schedule node gets them.

        Raises:
            PlanRefusedError: the document does not allow it.
        """
        document = self._plan.document
        if not document:
            raise _no_schedule()
        if name in ("set_tempsets", "set_schedule"):
            params = messages.with_words(params, document["scheduler"], self._degrees)
        fixed = {room.name for room in self._rooms.values()}
        apply_edit(dict(document), name, params, Entities(self._entities(), fixed), self._command)
        if name == "set_setpoint":
            self._check_limits(params)
        if name in ("add_device", "set_device_entity"):
            return self._with_entity(name, params)
        return params

    def _check_limits(self, params: Any) -> None:  # noqa: ANN401 - JSON
        device, value = checked_setpoint(dict(self._plan.document), params, self._command)
        entity = next(d["srventity"] for d in self._plan.devices() if d["name"] == device)
        lowest, highest = self._limits(entity)
        if isinstance(value, float) and not (
            (lowest is None or lowest <= value) and (highest is None or value <= highest)
        ):
            sentence = f"{device} takes {lowest} to {highest} °C"
            raise bad_value(self._command, params["setpoint"], sentence)

    def _with_entity(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse a room that is a device already; say which entity exists."""
        key = "srventity" if name == "add_device" else "new_srventity"
        entity = params[key]
        if entity in self._rooms:
            raise duplicate(ENTITIES if name == "add_device" else DEVICES, entity, "entity")
        return {**params, "entities": [entity]}

    # What is published for the app

    def _entities(self) -> dict[str, str]:
        """Return id → name of what a device can be made of.

        The app's dialog for a new device fails on an empty list, so it gets the rooms then.
        """
        if self._climates:
            return {entity: each.name for entity, each in self._climates.items()}
        return {code: room.name for code, room in self._rooms.items()}

    def _tell(self, now_ms: int) -> Iterator[Effect]:
        """Tell what has changed, devices before their states."""
        if not self._plan.document:
            return
        yield from self._tell_scheduler()
        devices = self._plan.devices()
        ids = messages.mqtt_ids(devices)
        listed = [
            {"name": d["name"], "mqttid": ids[d["name"]], "srventity": d["srventity"]}
            for d in devices
        ]
        known = {f"{self._server}/devices/{each}" for each in ids.values()}
        yield from self._clear(known)
        if renewed := list(self._changed(f"{self._server}/on_devices", messages.json_of(listed))):
            yield from renewed  # the app makes its devices anew and waits for their states
            self._published = {
                t: said for t, said in self._published.items() if t not in self._states
            }
        entities = messages.unique_names(self._entities())
        yield from self._changed(f"{self._server}/on_entities", messages.json_of(entities))
        yield from self._tell_states(now_ms)

    def _tell_scheduler(self) -> Iterator[Effect]:
        said = messages.scheduler_for_app(self._plan.document["scheduler"], self._degrees)
        yield from self._changed(f"{self._server}/on_scheduler", messages.json_of(said))

    def _tell_states(self, now_ms: int) -> Iterator[Effect]:
        devices = self._plan.devices()
        ids = messages.mqtt_ids(devices)
        for device in devices:
            payload = self._state(device, now_ms)
            if payload is not None:
                topic = f"{self._server}/devices/{ids[device['name']]}"
                self._states.add(topic)
                yield from self._changed(topic, payload)

    def _state(self, device: Mapping[str, Any], now_ms: int) -> bytes | None:
        """Return the state of a device; None before anything is known of it."""
        entity = str(device["srventity"])
        lowest, highest = self._limits(entity)
        room, climate = self._rooms.get(entity), self._climates.get(entity)
        if room is not None:
            setpoint = self._plan.wish_c(room.name)
            temperature, here = self._temperature(room, now_ms), self._plan.alive
        elif climate is not None:
            setpoint, temperature, here = climate.setpoint, climate.temperature, climate.available
        else:
            return None
        if not setpoint or setpoint <= 0:
            return None
        if not temperature or temperature <= 0:
            temperature = setpoint
        return messages.state(temperature, setpoint, lowest, highest, here=here)

    def _limits(self, entity: str) -> tuple[float | None, float | None]:
        if (room := self._rooms.get(entity)) is not None:
            return room.settings.minimum, room.settings.maximum
        climate = self._climates.get(entity)
        return (None, None) if climate is None else (climate.lowest, climate.highest)

    def _temperature(self, room: Room, now_ms: int) -> float | None:
        heard = [
            self._temperatures[code][0]
            for code in room.settings.thermometers
            if code in self._temperatures and now_ms - self._temperatures[code][1] <= _OLDEST_MS
        ]
        return statistics.median(heard) if heard else None

    def _found_state(self, topic: str, payload: bytes, *, retained: bool) -> Iterable[Effect]:
        """Note a retained state; one of a device that is gone is cleared with the next telling."""
        if not retained or not payload:
            return ()
        self._states.add(topic)
        if not self._plan.document:
            return ()
        ids = messages.mqtt_ids(self._plan.devices())
        return list(self._clear({f"{self._server}/devices/{each}" for each in ids.values()}))

    def _clear(self, known: set[str]) -> Iterator[Effect]:
        for topic in messages.gone(self._states, known):
            self._states.discard(topic)
            self._published.pop(topic, None)
            yield Publish(topic, b"", retain=True, qos=1)

    def _changed(self, topic: str, payload: bytes) -> Iterator[Effect]:
        if self._published.get(topic) != payload:
            self._published[topic] = payload
            yield Publish(topic, payload, retain=True, qos=1)


def _no_schedule() -> PlanRefusedError:
    sentence = "The Schedule node does not answer"
    return PlanRefusedError(RefusalId.EXCEPTION, "", sentence, exception=sentence)


def _no_answer() -> dict[str, Any]:
    return {"status": "failure", "error": _no_schedule().as_answer()}
