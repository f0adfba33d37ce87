"""Owner of the wishes of all rooms: schedules, hand wishes, absences and rules.

The document with its versions is `$JPH_STATE/schedule/XX.json`, replaced before a change is
answered. `jph.heating.plan` decides; this node hears, keeps, sends and wakes at the next change.
"""

import asyncio
import datetime
import time
from collections import OrderedDict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from jph.config.house.loads import wiring
from jph.config.house.rooms import Room, room_problems, rooms_of
from jph.config.house.thermostat import commanded_rooms
from jph.config.model import Network, state_dir
from jph.errors import ConfigError, JphError, Problem, StoreError
from jph.heating.orders.coding import Order
from jph.heating.plan.conditions.calendar import night_after, wall_time
from jph.heating.plan.conditions.days import days_of
from jph.heating.plan.conditions.inputs import Inputs
from jph.heating.plan.conditions.rules import Facts
from jph.heating.plan.document import versions as plan_versions
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.document.refusal import PlanRefusedError, RefusalId
from jph.heating.plan.document.versions import Versions
from jph.heating.plan.edits.changes import FIRST_PLAN
from jph.heating.plan.edits.commands import Scene, answer_of, carry_out
from jph.heating.plan.edits.edit import Entities, entities_in
from jph.heating.plan.evaluation.lead import Rate, RateLearner, shown
from jph.heating.plan.evaluation.outlook import LONGEST_D, outlook
from jph.heating.plan.evaluation.planner import Coming, Warmth
from jph.heating.plan.evaluation.timeline import next_slot
from jph.heating.plan.evaluation.wish import Decision, degrees_of, order_for
from jph.heating.plan.evaluation.wishes import absence_of, tidied
from jph.heating.plan.issuing import HeaterOrders
from jph.heating.plan.report import coming_of, next_of, state_of
from jph.heating.plan.settings import ScheduleSettings, guests_of, make_planner
from jph.heating.plan.urgent import cold_rooms, urgent_of
from jph.heating.rooms.regulation import Thermometer, room_temperature
from jph.node.node import Node, now_ms
from jph.util import durable
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import Control, Flag, Json, Quality, Reading
from jph.wire.edits import DocumentEdit

_LOOK_AHEAD_MS: Final = 8 * 86_400_000
"""A week and the slots after it: every weekly plan changes within it, or never."""
_SEEN_MS: Final = 1000
_LONGEST_LOOK_H: Final = 192
_MOST_COMING: Final = 300
_REPEATS_KEPT: Final = 256
_EDITS_PER_S: Final = 5.0
_MOST_EDITS: Final = 40
"""At once: the app sends a dozen when a person edits a schedule."""
_FIRST_SET_CLOCK_MS: Final = 1_577_836_800_000
"""2020: an earlier clock was never set, and nothing is decided by it."""
_OLDEST_S: Final = 900.0
"""An older temperature does not count, whatever the config says of its thermometer."""
_GOOD: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class Schedule(Node, type="Schedule", settings=ScheduleSettings):
    """Publish each room's wish; take edits by `W`, and `A` and `E` on a room as hand wishes.

    An input that falls silent is not known: rules on it do not hold, and an unknown window caps
    nothing. Before the clock is set nothing changes.
    """

    settings: ScheduleSettings

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find rooms with mistakes, and rooms whose codifier is no element of a Schedule."""
        try:
            heaters = wiring(network).heaters
        except ConfigError:
            heaters = {}
        problems = list(room_problems(network, heaters))
        own = {
            element.codifier
            for node in network.nodes()
            if node.type in cls.types
            for element in network.elements(node.codifier)
        }
        for entry in network.rooms:
            codifier = entry.get("Codifier")
            if isinstance(codifier, str) and codifier not in own:
                text = f"{codifier} must be an element (Type Proxy) of the Schedule node"
                problems.append(Problem(f"Rooms[{codifier}].Codifier", text))
        names = [room.name for room in rooms_of(network, heaters)]
        for node in network.nodes():
            if node.type in cls.types and (first := node.sensor.get("First")):
                path = f"Sensors[{node.codifier}].Sensor.First"
                try:
                    check_scheduler(first, names)
                except PlanRefusedError as error:
                    problems.append(Problem(path, str(error)))
        return problems

    async def open(self) -> None:
        """Load the document and prepare the plan."""
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._orders = HeaterOrders()
        self._orders_kept = self._load_orders()
        self._orders.restore(self._orders_kept)
        self._edits = TokenBucket(_EDITS_PER_S, _MOST_EDITS)
        self._decided: dict[str, Decision] = {}
        self._cold: frozenset[str] = frozenset()
        self._learners = self._load_learners()
        self._next: list[Coming] = []
        self._next_known = False
        self._plan_seen: tuple[int, Versions | None, list[Coming]] = (0, None, [])
        self._wake: asyncio.Handle | None = None
        self._prepare()
        self.versions = self._load()
        self._take_guests()

    def on_reload(self) -> None:
        """Take the new rooms, rules and elements."""
        self._prepare()
        self.versions = msgspec.structs.replace(
            self.versions, document=self._with_rooms(self.versions.document)
        )
        self._take_guests()
        self._decide()

    def _prepare(self) -> None:
        settings = self.settings
        try:
            heaters = wiring(self.network).heaters
        except ConfigError as error:
            self.log.error("no heater can be commanded: %s", error)
            heaters = {}
        self.rooms: dict[str, Room] = {r.name: r for r in rooms_of(self.network, heaters)}
        self._commanded = commanded_rooms(self.network, self.rooms.values())
        self._by_codifier = {room.codifier: room for room in self.rooms.values()}
        self._zone = ZoneInfo(settings.time_zone)
        self._degrees = settings.degrees_by_order()
        self._planner = make_planner(settings, self.rooms.values())
        self._planned_rooms = dict(self._planner.rooms)
        self._days = days_of(settings.holidays, settings.school, settings.rules, settings.place())
        self._sources = settings.sources(self.rooms.values())
        self._inputs = Inputs(self._limits_s())
        self._heaters = {
            load.codifier: load for room in self.rooms.values() for load in room.heaters
        }

    def _limits_s(self) -> dict[str, float]:
        """Return the codifiers that the plan looks at, each with the age up to which it counts."""
        wanted = self.settings.watched()
        for room in self.rooms.values():
            wanted |= {*room.settings.windows, *room.settings.presence, *room.settings.motion}
            wanted |= {*room.settings.thermometers}
        known = {sensor.codifier: sensor for sensor in self.network.sensors}
        return {code: known[code].timeout_warning for code in wanted if code in known}

    # What is heard

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take inputs of rules and rooms, and the orders that cards report."""
        changed = False
        for reading in readings:
            if reading.source in self._heaters:
                self._take_order(reading)
            elif reading.quality in _GOOD:
                value = reading.number if reading.flag != "s" else str(reading.value)
                if value is not None:
                    at_ms = min(reading.timestamp_ms, now_ms())
                    changed |= self._inputs.take(reading.source, value, at_ms)
        self._keep_orders()
        if changed:
            self._decide()

    def _take_order(self, reading: Reading) -> None:
        number = reading.number
        if number is None or reading.quality not in _GOOD:
            return
        try:
            order = Order.of(number)
        except ValueError:
            return
        if self._orders.reported(reading.source, order):
            text = "%s has %s, set by hand: the plan leaves it alone until its next change"
            self.log.info(text, self._heaters[reading.source], order.word)

    def on_control(self, message: Control) -> None:
        """Take `A` and `E` on a room as a hand wish without an end."""
        room = self._by_codifier.get(message.to)
        if room is None or message.flag not in (Flag.SET, Flag.STEP):
            return
        value = message.number
        if message.flag == Flag.STEP:
            decision = self._decided.get(room.name)
            if decision is None:
                return
            value += degrees_of(decision.value, self._degrees)
        try:
            self._carry_out("wish", {"room": room.name, "value": value}, message.source)
        except JphError as error:
            self.log.warning("%s asks for %g in %s: %s", message.source, value, room.name, error)

    def on_edit(self, edit: DocumentEdit) -> None:
        """Carry out an edit and send its answer; a repeated one is answered again.

        More edits than a house of people makes are dropped: they would push out the versions.
        """
        if not self._edits.take(time.monotonic()):
            if self._throttle.allow("edits", time.monotonic()):
                self.log.warning(
                    "edits of %s are dropped: more than %g a second", edit.source, _EDITS_PER_S
                )
            return
        answer = self._answers.get(edit.request)
        if answer is None:
            answer = self._answer(edit)
            self._answers[edit.request] = answer
            while len(self._answers) > _REPEATS_KEPT:
                self._answers.popitem(last=False)
        if self.settings.answer:
            self.send(_json(answer), codifier=self.settings.answer)

    def _answer(self, edit: DocumentEdit) -> dict[str, Any]:
        refused: PlanRefusedError | None = None
        result: dict[str, Any] | None = None
        try:
            if edit.verb == "document":
                result = {"document": self.versions.document}
            elif edit.verb == "explain":
                result = self._explain(edit.params)
            else:
                self._carry_out(edit.verb, edit.params, edit.author or edit.source)
        except PlanRefusedError as error:
            refused = error
        except StoreError as error:
            refused = PlanRefusedError(RefusalId.EXCEPTION, "", str(error), exception=str(error))
        answer = answer_of(edit.request, edit.verb, refused, self.versions.number)
        return answer if result is None else answer | {"result": result}

    def _explain(self, params: object) -> dict[str, Any]:
        """Return the state of every room, the changes to come and the last changes of the plan.

        `days` adds every room's values from midnight on; `if` is a command (`verb`, `params`)
        whose effect on them is shown without doing it.
        """
        asked = params if isinstance(params, dict) else {}
        hours, days = asked.get("hours"), asked.get("days")
        known = isinstance(hours, int | float) and 0 < hours <= _LONGEST_LOOK_H
        now = now_ms()
        end_ms = now + round((hours if known and hours else 24) * 3_600_000)
        coming = [coming_of(each) for each in self._coming(now) if each.at_ms <= end_ms]
        found = {**self._state(), "coming": coming[:_MOST_COMING]} | {
            "changes": [
                {
                    "at_ms": each.at_ms,
                    "author": each.author,
                    "what": each.what,
                    "text": each.text,
                    "values": each.values,
                }
                for each in self.versions.changes
            ]
        }
        if isinstance(days, int) and 0 < days <= LONGEST_D:
            document = self._document_if(asked.get("if"))
            windows = self._windows(now)
            found["plan"] = outlook(self._planner, document, now, days, self._facts_at, windows)
        return found

    def _document_if(self, command: object) -> dict[str, Any]:
        """Return the document as it would be after a command."""
        if not isinstance(command, dict):
            return self.versions.document
        verb, params = str(command.get("verb")), command.get("params")
        return carry_out(self.versions, verb, params, "", self._scene()).document

    def _carry_out(self, verb: str, params: Any, author: str) -> None:  # noqa: ANN401 - JSON
        """Change the document: on the disk first, then in memory, then on the bus."""
        scene = self._scene(entities_in(verb, params))
        changed = carry_out(self.versions, verb, params, author, scene)
        if changed is self.versions:
            return
        self._save(changed)
        self.versions = changed
        self._take_guests()
        self.log.info("%s: %s", author, changed.changes[-1].what if changed.changes else verb)
        self._decide()
        self._send_document()

    def _take_guests(self) -> None:
        """Plan for the devices of the document that are no rooms of the configuration too."""
        guests = guests_of(self.versions.document, self.rooms)
        self._planner.rooms = {**self._planned_rooms, **guests}
        self._decided = {k: v for k, v in self._decided.items() if k in self._planner.rooms}

    def _scene(self, entities: Collection[str] = ()) -> Scene:
        return Scene(
            rooms=tuple(self._planner.rooms),
            entities=Entities(entities, fixed=set(self.rooms)),
            now_ms=now_ms(),
            coming=self._coming_of,
            planned=self._planned_of,
            next_slot=self._next_slot_of,
            night_ms=night_after(now_ms(), self._zone),
        )

    # What is decided

    async def on_timer(self, now_ms: int) -> None:
        """Decide, send orders that are due, and publish every wish again."""
        self._decide()
        self._publish()

    def _decide(self) -> None:
        """Evaluate the plan now; publish what has changed and wake at the next change."""
        now = now_ms()
        if now < _FIRST_SET_CLOCK_MS:
            self.log.warning("the clock is not set: wishes stay as they are")
            return
        tidy = tidied(self.versions.document, now)
        if tidy is not self.versions.document:
            self.versions = msgspec.structs.replace(self.versions, document=tidy)
        self._planner.warmth = {
            name: Warmth(temperature_c, self._learner(name).rate)
            for name, temperature_c in self._temperatures(now).items()
        }
        decided = self._planner.decide(tidy, now, self._facts_now(now), self._windows(now))
        temperatures = self._temperatures(now)
        cold = cold_rooms(self.rooms.values(), temperatures, self._cold)
        self._learn(now, decided, temperatures)
        changed = [name for name, each in decided.items() if self._decided.get(name) != each]
        changed_cold, self._cold = cold != self._cold, cold
        self._decided = decided
        for name in changed:
            if name in self.rooms:
                self._command(self.rooms[name], decided[name])
        if changed:
            self._next_known = False
        if changed or changed_cold:
            self._publish()
        self._send_orders()
        if self._wake is not None:
            self._wake.cancel()
        # Later: to look a week ahead takes longer than the answer to an edit may.
        self._wake = asyncio.get_running_loop().call_soon(self._plan_wake_up, now)

    def _facts_at(self, at: datetime.datetime) -> Facts:
        now = now_ms()
        absence = absence_of(self.versions.document)
        return self._inputs.facts(
            at,
            now,
            self._sources,
            self._days,
            away=absence is not None and absence.holds(now),
            zone=self._zone,
        )

    def _facts_now(self, now: int) -> Facts:
        moment = datetime.datetime.fromtimestamp(now / 1000, datetime.UTC)
        return self._facts_at(wall_time(moment, self._zone))

    def _learner(self, room: str) -> RateLearner:
        return self._learners.setdefault(room, RateLearner())

    def _learn(
        self, now: int, decided: dict[str, Decision], temperatures: dict[str, float | None]
    ) -> None:
        """Learn how fast rooms warm up, and keep it when something new was learned."""
        learned = [
            self._learner(name).take(
                now, degrees_of(decision.value, self._degrees), temperatures[name]
            )
            for name, decision in decided.items()
            if name in self.rooms
        ]
        if not any(learned):
            return
        self._next_known = False
        rates = {name: list(each.rate.seen) for name, each in self._learners.items()}
        try:
            durable.save(self._learned_path, rates)
        except StoreError as error:
            self.log.warning("a restart would forget how fast rooms warm up: %s", error)

    def _load_learners(self) -> dict[str, RateLearner]:
        try:
            stored = msgspec.convert(durable.load(self._learned_path), dict[str, tuple[float, ...]])
        except (StoreError, msgspec.ValidationError) as error:
            self.log.warning("how fast rooms warm up is learned anew: %s", error)
            stored = {}
        return {name: RateLearner(Rate.of(seen)) for name, seen in stored.items()}

    def _temperatures(self, now: int) -> dict[str, float | None]:
        """Return the temperature of each room; None where no thermometer is fresh."""
        found: dict[str, float | None] = {}
        for room in self.rooms.values():
            heard = []
            for codifier in room.settings.thermometers:
                value, age_s = self._inputs.fresh(codifier, now), self._inputs.age_s(codifier, now)
                if isinstance(value, int | float) and age_s is not None:
                    heard.append(Thermometer(codifier, value, age_s))
            found[room.name] = room_temperature(heard, _OLDEST_S)[0]
        return found

    def _windows(self, now: int) -> dict[str, bool | None]:
        return {
            name: self._inputs.any_on(room.settings.windows, now)
            if room.settings.windows
            else False
            for name, room in self.rooms.items()
        }

    def _plan_wake_up(self, now: int) -> None:
        """Decide again at the next change, and at the next order that is due."""
        if not self._next_known or (self._next and self._next[0].at_ms <= now):
            coming = self._coming(now)
            self._next = [each for each in coming if each.at_ms == coming[0].at_ms]
            self._next_known = True
            self._publish()
        if self._next:
            delay_s = min((self._next[0].at_ms - now) / 1000 + 0.001, self.entry.sensor_interval)
            self._wake_in(delay_s)

    def _wake_in(self, delay_s: float) -> None:
        if self._wake is not None:
            self._wake.cancel()
        self._wake = asyncio.get_running_loop().call_later(delay_s, self._decide)

    async def close(self) -> None:
        """Cancel the next wake-up."""
        if self._wake is not None:
            self._wake.cancel()

    def _coming(self, now: int) -> list[Coming]:
        end = now + _LOOK_AHEAD_MS
        document = self.versions.document
        return list(self._planner.coming(document, now, end, self._facts_at, self._windows(now)))

    def _coming_of(self, room: str, count: int) -> list[Coming]:
        """Return the next changes of a room by the plan, without its hand wishes."""
        return [each for each in self._planned_changes() if each.room == room][:count]

    def _planned_changes(self) -> list[Coming]:
        """Return the changes of all rooms by the plan; a command asks for several of one moment."""
        now, document = now_ms(), {**self.versions.document, "hand": {}}
        known_ms, versions, listed = self._plan_seen
        if versions is not self.versions or now - known_ms > _SEEN_MS or now < known_ms:
            end = now + _LOOK_AHEAD_MS
            listed = list(self._planner.coming(document, now, end, self._facts_at, {}))
            self._plan_seen = (now, self.versions, listed)
        return [each for each in listed if each.at_ms > now]

    def _next_slot_of(self, room: str) -> int | None:
        now = datetime.datetime.fromtimestamp(now_ms() / 1000, datetime.UTC)
        end = now + datetime.timedelta(milliseconds=_LOOK_AHEAD_MS)
        facts = self._facts_now(now_ms())
        scheduler = self._planner.scheduler_in_force(self.versions.document["scheduler"], facts)
        found = next_slot(scheduler, room, now, end, self._zone, self._planner.week)
        return None if found is None else round(found.timestamp() * 1000)

    def _planned_of(self, room: str) -> float | str:
        now = now_ms()
        document = {**self.versions.document, "hand": {}}
        return self._planner.decide(document, now, self._facts_now(now), {})[room].value

    # What is commanded

    def _command(self, room: Room, decision: Decision) -> None:
        """Note the order of each heater of a room that no Thermostat commands."""
        for load in room.heaters:
            if room.name in self._commanded:
                self._orders.forget(load.codifier)
                continue
            orders = [order.word for order in Order if load.takes(order)]
            word = order_for(decision.value, self._degrees, orders)
            self._orders.plan(load.codifier, Order.named(word))

    def _send_orders(self) -> None:
        for codifier, order in self._orders.due(time.monotonic()).items():
            self.send_control(Flag.SET, codifier, float(order))
        self._keep_orders()

    @property
    def by_hand(self) -> list[str]:
        """The heaters that have a person's order, which the plan leaves alone."""
        return self._orders.by_hand

    # What is published

    def _publish(self) -> None:
        """Send every room's wish in °C, and the elements that the settings name."""
        if not self._decided:
            return
        readings: list[tuple[str, Any]] = [
            (room.codifier, float(degrees_of(self._decided[name].value, self._degrees)))
            for name, room in self.rooms.items()
        ]
        settings = self.settings
        facts = self._facts_now(now_ms())
        scheduler = self._planner.scheduler_in_force(self.versions.document["scheduler"], facts)
        active = str(scheduler.get("active_schedule") or "")
        codifiers = {name: room.codifier for name, room in self.rooms.items()}
        coming = next_of(self._next, codifiers, self._degrees)
        for codifier, value in (
            (settings.active, active),
            (settings.next, _json(coming)),
            (settings.state, _json(self._state())),
            (settings.urgent, _json(urgent_of(self.rooms.values(), self._decided, self._cold))),
        ):
            # A change that is not looked up yet would end a Thermostat's orders at a wrong moment.
            if codifier and (self._next_known or codifier != settings.next):
                readings.append((codifier, value))
        readings.append((self.codifier, len(self.rooms)))
        self.send_many(readings)

    def _state(self) -> dict[str, Any]:
        """Return every room with its value, the layer that decides, and every other layer."""
        state = state_of(
            self.versions,
            {name: (self._codifier_of(name), each) for name, each in self._decided.items()},
            self._degrees,
            self._orders.unconfirmed(),
        )
        for name, room in state["rooms"].items():
            room["warm_up"] = shown(self._learner(name).rate, self.settings.warm_up)
        return state

    def _codifier_of(self, name: str) -> str:
        """Return the codifier of a room's wish; a device of the document alone has none."""
        return self.rooms[name].codifier if name in self.rooms else ""

    def _send_document(self) -> None:
        if self.settings.document:
            content = {"value": self.versions.number, "document": self.versions.document}
            try:
                self.send(_json(content), codifier=self.settings.document)
            except JphError as error:
                self.log.error("the document does not fit one message: %s", error)

    # What is kept

    @property
    def _learned_path(self) -> Path:
        return state_dir() / "schedule" / f"{self.codifier}-learned.json"

    @property
    def _path(self) -> Path:
        return state_dir() / "schedule" / f"{self.codifier}.json"

    @property
    def _orders_path(self) -> Path:
        return state_dir() / "heaters" / f"{self.codifier}.json"

    def _load_orders(self) -> dict[str, Any]:
        try:
            return durable.load(self._orders_path)
        except StoreError as error:
            self.log.warning("which heaters were set by hand is not known: %s", error)
            return {}

    def _keep_orders(self) -> None:
        """Keep which heaters obey and which were set by hand: a restart leaves these alone."""
        stored = self._orders.as_stored()
        if stored == self._orders_kept:
            return
        self._orders_kept = stored
        try:
            durable.replace(self._orders_path, [msgspec.json.encode(stored)])
        except StoreError as error:
            self.log.warning("which heaters were set by hand is not kept: %s", error)

    def _load(self) -> Versions:
        try:
            stored = durable.load(self._path)
            if stored:
                kept = plan_versions.from_stored(stored)
                return msgspec.structs.replace(kept, document=self._with_rooms(kept.document))
        except (StoreError, msgspec.ValidationError) as error:
            aside = durable.set_aside(self._path)
            self.log.error("the document is damaged and kept as %s: %s", aside, error)
        return self._first_versions()

    def _first_versions(self) -> Versions:
        """Return an empty document, or the plan that the config has for a first start.

        The plan is the first change, so that `undo` leaves an empty one.
        """
        empty = Versions(self._with_rooms(plan_versions.empty_document([])))
        if not self.settings.first:
            return empty
        try:
            scheduler = check_scheduler(self.settings.first, list(self.rooms))
        except PlanRefusedError as error:
            self.log.error("the first plan of the config is not used: %s", error)
            return empty
        document = {**empty.document, "scheduler": scheduler}
        return empty.with_change(document, now_ms(), "config", FIRST_PLAN, (FIRST_PLAN, {}))

    def _with_rooms(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with a device for each room of the configuration."""
        named = {device["name"] for device in document["devices"]}
        new = [
            {"name": n, "srventity": r.codifier} for n, r in self.rooms.items() if n not in named
        ]
        return {**document, "devices": [*document["devices"], *new]} if new else document

    def _save(self, changed: Versions) -> None:
        durable.replace(self._path, [msgspec.json.encode(changed.as_stored())])


def _json(content: dict[str, Any]) -> Json:
    return Json(msgspec.json.encode(content).decode())
