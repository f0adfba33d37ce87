"""One connection to an MQTT broker, and the doors on it: the heating app, Home Assistant, values.

Each door is a pure object (`jph.mqtt.door`). This node gives them what the buses and the broker
say, and carries out what they want. While the broker is away nothing is queued: after each connect
every door tells everything again.
"""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from jph.config.broker import Broker, broker_of
from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.errors import EncodeError, JphError, Problem
from jph.mqtt.door import Climate, Door, Edit, Effect, Note, Order, Plan, Publish, Refused, Send
from jph.mqtt.doors import open_doors
from jph.mqtt.settings import MqttSettings
from jph.node.node import Node, now_ms
from jph.wire.codec import Control, Flag, Reading
from jph.wire.edits import DocumentEdit, encode_edit

_TICK_S: Final = 0.1
"""Pause in which values of one topic merge."""
_AGAIN_S: Final = 0.5
_GIVE_UP_S: Final = 8.0
_MOST_EDITS: Final = 64
_MOST_MERGED: Final = 20_000
_SILENT_KEEP_ALIVES: Final = 3.0


class _Asked(NamedTuple):
    """An edit that waits for its answer."""

    door: Door | None
    edit: Edit
    since_s: float
    datagram: bytes


class Mqtt(Node, type="Mqtt", settings=MqttSettings):
    """Publish and hear by MQTT; its own value is the number of refused messages."""

    libraries = ("gmqtt",)
    settings: MqttSettings

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find an app without a Schedule node that answers, and values without a codifier."""
        found = []
        for node in network.nodes():
            if node.type not in cls.types:
                continue
            found += _value_problems(network, node)
            if not node.sensor.get("App"):
                continue
            schedule = _schedule(network)
            path = f"Sensors[{node.codifier}].Sensor.App"
            if schedule is None:
                found.append(Problem(path, "the app needs a node of the type Schedule"))
                continue
            for key in ("Document", "State", "Answer"):
                if not schedule.sensor.get(key):
                    text = f"the app needs the element {key} of {schedule.codifier}"
                    found.append(Problem(path, text))
        return found

    async def open(self) -> None:
        """Open the doors and begin to connect."""
        # Imported here: the library is loaded only where the kind runs.
        from jph.mqtt.link import Link, resolve

        self._resolve, self._make_link = resolve, Link
        self.refused_messages: Counter[str] = Counter()
        self._edits: dict[str, _Asked] = {}
        self._merged: dict[str, Publish] = {}
        self._said_refused = 0
        self._plan = Plan()
        self._number = -1
        self._links_tasks: list[asyncio.Task[Any]] = []
        self._open_doors()
        self.spawn(self._tend(), "ticks")

    def on_reload(self) -> None:
        """Open the doors of the new settings on a new connection."""
        self.spawn(self._reopen(), "reopen")

    async def _reopen(self) -> None:
        await self._close_links()
        self._open_doors()

    def _open_doors(self) -> None:
        schedule = _schedule(self.network)
        self._schedule = schedule
        sensor = schedule.sensor if schedule else {}
        self._document_code = str(sensor.get("Document", ""))
        self._state_code = str(sensor.get("State", ""))
        self._answer_code = str(sensor.get("Answer", ""))
        self._schedule_codes = {self._document_code, self._state_code, self._answer_code} - {""}
        self._schedule_at: tuple[Any, ...] | None = None
        self._heard_schedule_s = -1e9
        if schedule is not None:
            self.send_control(Flag.PING, schedule.codifier, float(secrets.randbelow(2**30)))
        self.doors = open_doors(self.network, self.codifier, self.settings)
        wills = [will for door in self.doors if (will := door.will()) is not None]
        self.link = self._make(self.client_id, wills[0] if wills else None)
        self.link.on_connect = self._connected
        self.link.on_message = self._take
        self.link.on_lost = self._merged.clear
        # MQTT has one will a connection: each further one has a connection that says no more.
        held = [self._make(f"{self.client_id}-{n}", will) for n, will in enumerate(wills[1:], 2)]
        self._links = [self.link, *held]
        self._links_tasks = [self.spawn(link.run(), "link") for link in self._links]

    @property
    def client_id(self) -> str:
        """The client id: the data bus and the codifier, so that two nodes never share one."""
        data = self.network.multicast.data
        network = f"{data.address}-{data.port}".replace(".", "-").replace(":", "-")
        return f"jph-{network}-{self.codifier}"

    def _make(self, client_id: str, will: Publish | None) -> Any:  # noqa: ANN401 - imported late
        return self._make_link(client_id, self._address, will, self.log)

    async def _address(self) -> Any:  # noqa: ANN401 - imported late
        settings = self.settings
        broker: Broker = await asyncio.to_thread(broker_of, settings.url, settings.password)
        return await self._resolve(broker, settings.version, settings.ca)

    # What the broker says

    def _connected(self) -> None:
        for door in self.doors:
            self.link.subscribe(door.subscriptions())
        for door in self.doors:
            self._guard(door, door.on_connect, now_ms())

    def _take(self, topic: str, payload: bytes, retained: bool) -> None:
        for door in self.doors:
            if door.takes(topic):
                at = now_ms()
                try:
                    effects = list(door.on_message(topic, payload, retained=retained, now_ms=at))
                except Exception as error:  # a message must not end the node
                    self._refuse(door, Refused("error", repr(error)))
                    if self._throttle.allow(f"{door.name} error", time.monotonic()):
                        self.log.exception("%s: a message of %s failed", door.name, topic)
                    continue
                self._do(door, effects)

    # What the buses say

    def on_control(self, message: Control) -> None:
        """Note that the Schedule node is alive, and its address; pass messages on."""
        if self._schedule is not None and message.source == self._schedule.codifier:
            self._heard_schedule()
        at = now_ms()
        for door in self.doors:
            self._guard(door, door.on_control, message, at)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Give readings to the doors; take document, state and answers of the Schedule node."""
        for reading in readings:
            if reading.source in self._schedule_codes:
                self._heard_schedule()
                self._take_schedule(reading)
        self._tell(readings)

    def _tell(self, readings: Sequence[Reading], but: Door | None = None) -> None:
        at = now_ms()
        for door in self.doors:
            if door is not but:
                self._guard(door, door.on_readings, readings, at)

    def _heard_schedule(self) -> None:
        self._heard_schedule_s = time.monotonic()
        self._schedule_at = self.sender
        if not self._plan.alive:
            self._take_plan(alive=True)
        if self._number < 0:
            self._ask_document()

    def _take_schedule(self, reading: Reading) -> None:
        try:
            content = json.loads(str(reading.value))
        except (ValueError, RecursionError):
            return
        if not isinstance(content, dict):
            return
        if reading.source == self._answer_code:
            self._take_answer(content)
        elif reading.source == self._document_code:
            self._take_document(content.get("value"), content.get("document"))
        elif isinstance(content.get("rooms"), dict):
            self._take_plan(state=content)
            if content.get("value") != self._number:
                self._ask_document()

    def _take_document(self, number: object, document: object) -> None:
        if isinstance(document, dict) and isinstance(number, int):
            self._number = number
            self._take_plan(document=document)

    def _take_plan(self, **changes: Any) -> None:  # noqa: ANN401 - fields of Plan
        plan = self._plan
        fields = {"document": plan.document, "state": plan.state, "alive": plan.alive, **changes}
        self._plan = Plan(**fields)
        for door in self.doors:
            self._guard(door, door.on_plan, self._plan, now_ms())

    # Edits of the Schedule node's document

    def _ask_document(self) -> None:
        if not any(asked.edit.verb == "document" for asked in self._edits.values()):
            self._send_edit(None, Edit("document", {}, self.codifier))

    def _send_edit(self, door: Door | None, edit: Edit) -> None:
        request = secrets.token_hex(8)
        to = self._schedule.codifier if self._schedule else ""
        epoch = secrets.randbits(32)
        wanted = DocumentEdit(
            epoch, now_ms(), self.codifier, to, request, edit.verb, edit.params, edit.author
        )
        refused = None
        if len(self._edits) >= _MOST_EDITS:
            refused = "too many edits wait for the Schedule node"
        try:
            asked = _Asked(door, edit, time.monotonic(), encode_edit(wanted))
        except EncodeError as error:
            refused = str(error)
        if refused is not None:
            self._answer(door, edit, _failure(refused))
            return
        self._edits[request] = asked
        self._send_again(asked)

    def _send_again(self, asked: _Asked) -> None:
        if self._schedule_at is not None:
            self.bus.control.answer([asked.datagram], (self._schedule_at[0], self._schedule_at[1]))

    def _take_answer(self, content: dict[str, Any]) -> None:
        asked = self._edits.pop(str(content.get("id")), None)
        if asked is None:
            return
        if asked.door is None:
            result = content.get("result")
            document = result.get("document") if isinstance(result, dict) else None
            self._take_document(content.get("value"), document)
            return
        self._answer(asked.door, asked.edit, content)

    def _answer(self, door: Door | None, edit: Edit, content: dict[str, Any]) -> None:
        if door is not None:
            self._guard(door, door.on_answer, edit.tag, content, now_ms())

    # Time

    async def _tend(self) -> None:
        """Publish merged values, send edits again, and call the doors once a second."""
        next_second = next_again = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            self._flush()
            if now >= next_again:
                next_again = now + _AGAIN_S
                self._tend_edits(now)
            if now >= next_second:
                next_second = now + 1.0
                self._watch_schedule(now)
                if self.link.connected:
                    for door in self.doors:
                        self._guard(door, door.on_timer, now_ms())

    def _flush(self) -> None:
        if not self._merged or self.link.is_full:
            return
        merged, self._merged = self._merged, {}
        for message in merged.values():
            self.link.publish(message)

    def _tend_edits(self, now: float) -> None:
        for request, asked in list(self._edits.items()):
            if now - asked.since_s > _GIVE_UP_S:
                del self._edits[request]
                self._answer(asked.door, asked.edit, _failure("the Schedule node does not answer"))
            elif now - asked.since_s >= _AGAIN_S:
                self._send_again(asked)

    def _watch_schedule(self, now: float) -> None:
        schedule = self._schedule
        if schedule is None or not self._plan.alive:
            return
        limit_s = _SILENT_KEEP_ALIVES * max(schedule.keep_alive_interval, 1.0)
        if now - self._heard_schedule_s > limit_s:
            self.log.warning("the Schedule node %s is silent", schedule.codifier)
            self._take_plan(alive=False)

    async def on_timer(self, now_ms: int) -> None:
        """Send how many messages were refused, and log new ones."""
        refused = sum(self.refused_messages.values())
        self.send(refused)
        if refused != self._said_refused and self._throttle.allow("refused", time.monotonic()):
            self._said_refused = refused
            listed = ", ".join(f"{n} {reason}" for reason, n in self.refused_messages.most_common())
            self.log.warning("refused so far: %s", listed)

    # Effects

    def _guard(self, door: Door, hook: Any, *arguments: Any) -> None:  # noqa: ANN401
        """Carry out what a hook returns; its mistake must not end the node."""
        try:
            effects = list(hook(*arguments))
        except Exception:  # a mistake of one door leaves the others open
            if self._throttle.allow(f"{door.name} hook", time.monotonic()):
                self.log.exception("%s failed", door.name)
            return
        self._do(door, effects)

    def _do(self, door: Door, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Publish):
                self._publish(effect)
            elif isinstance(effect, Edit):
                self._send_edit(door, effect)
            elif isinstance(effect, Order):
                self.send_control(effect.flag, effect.codifier, effect.value)
            elif isinstance(effect, Send):
                self._send_reading(door, effect)
            elif isinstance(effect, Climate):
                for other in self.doors:
                    if other is not door:
                        self._guard(other, other.on_climate, effect, now_ms())
            elif isinstance(effect, Refused):
                self._refuse(door, effect)
            elif isinstance(effect, Note):
                self.log.log(effect.level, "%s", effect.text)

    def _publish(self, message: Publish) -> None:
        if not self.link.connected:
            return
        if message.merge or self.link.is_full:
            self._merged.pop(message.topic, None)
            if len(self._merged) < _MOST_MERGED:
                self._merged[message.topic] = message
        else:
            self._merged.pop(message.topic, None)
            self.link.publish(message)

    def _send_reading(self, door: Door, effect: Send) -> None:
        try:
            self.send(
                effect.value,
                codifier=effect.codifier,
                timestamp_ms=effect.timestamp_ms,
                quality=effect.quality,
            )
        except JphError as error:
            self._refuse(door, Refused("value", f"{effect.codifier}: {error}"))
            return
        self._tell([_reading_of(effect)], but=door)

    def _refuse(self, door: Door, refused: Refused) -> None:
        self.refused_messages[f"{door.name}: {refused.reason}"] += 1
        self.log.debug("%s refuses: %s %s", door.name, refused.reason, refused.detail)

    async def close(self) -> None:
        """Say goodbye."""
        await self._close_links()

    async def _close_links(self) -> None:
        for task in self._links_tasks:
            task.remove_done_callback(self._task_done)
            task.cancel()
            self._tasks.discard(task)
        words = [
            effect
            for door in self.doors
            for effect in door.on_goodbye(now_ms())
            if isinstance(effect, Publish)
        ]
        for link in self._links:
            await link.close(words if link is self.link else ())
        await asyncio.gather(*self._links_tasks, return_exceptions=True)
        self._links_tasks = []


def _value_problems(network: Network, node: Sensor) -> list[Problem]:
    """Return the values in that are no elements of the node, and those out that do not exist."""
    settings = read_struct(MqttSettings, node.sensor, "", [])
    if settings is None:
        return []
    own = {each.codifier for each in network.elements(node.codifier)}
    known = {each.codifier for each in network.sensors}
    path = f"Sensors[{node.codifier}].Sensor"
    return [
        Problem(f"{path}.In[{each.codifier}]", f"expected an element of {node.codifier}")
        for each in settings.in_
        if each.codifier not in own
    ] + [
        Problem(f"{path}.Out[{each.codifier}]", "this codifier is not in the config")
        for each in settings.out
        if each.codifier not in known
    ]


def _reading_of(sent: Send) -> Reading:
    """Return what a door sends as the others read it; the node does not hear itself."""
    value = float(sent.value) if isinstance(sent.value, bool) else sent.value
    flag = {int: "q", float: "d", str: "s"}.get(type(value), "j")
    at = sent.timestamp_ms or now_ms()
    return Reading(0, 0, at, flag, sent.codifier, "", 0, int(sent.quality), value)


def _schedule(network: Network) -> Sensor | None:
    return next((node for node in network.nodes() if node.type == "Schedule"), None)


def _failure(sentence: str) -> dict[str, Any]:
    error = {
        "id": "EXCEPTION",
        "exception": sentence,
        "node": "",
        "node_path": "",
        "generic_desc": sentence,
    }
    return {"status": "failure", "error": error}
