"""Holds rooms at their wishes: one node for all rooms with a thermometer and heaters.

It reads wishes and temperatures from the data bus and sends each heater of its rooms an order with
an end and the order that follows (`jph.heating.rooms.thermostat`). A person's order at a heater is
left alone. Wishes and what the walls need are kept in `$JPH_STATE/thermostat/XX.json`.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from jph.config.house.loads import Load, wiring
from jph.config.house.rooms import Room, rooms_of
from jph.config.house.thermostat import ThermostatSettings, commanded_rooms, thermostat_problems
from jph.config.model import Network, state_dir
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem, StoreError
from jph.heating.orders.coding import Order, number_of
from jph.heating.plan.evaluation.wish import DEGREES
from jph.heating.plan.settings import ScheduleSettings
from jph.heating.rooms.regulation import CYCLE_S, Thermometer
from jph.heating.rooms.thermostat import (
    Change,
    Ordered,
    RoomMemory,
    RoomThermostat,
    Sent,
    by_hand,
    is_due,
    phrase,
)
from jph.node.node import Node, now_ms
from jph.util import durable
from jph.wire.codec import Flag, Json, Quality, Reading

_FIRST_SET_CLOCK_MS: Final = 1_577_836_800_000
"""2020: an earlier clock was never set, and an order can have no end."""
_GOOD: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})
_ASK_S: Final = 2.0
"""Pause before a card that has not reported its wires is asked again."""
_LISTEN_S: Final = 20.0
"""Time after the start in which a thermometer may be heard first; cycles wait for it."""
_KEEP_S: Final = 600.0
"""Pause between two writes of what the walls need; a new wish is written at once."""


class Thermostat(Node, type="Thermostat", settings=ThermostatSettings):
    """Regulate rooms; publish their number and, as `State`, what each does and why.

    Without a thermometer the heaters of a room have the warmest order that is not above the wish.
    Without the `Schedule` node the last wish counts. Before the clock is set nothing is sent.
    """

    settings: ThermostatSettings
    tick_s: ClassVar[float] = 1.0
    """Interval of decisions; a wish does not wait for it."""

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find rooms that do not exist, cannot be regulated, or have two Thermostats."""
        try:
            heaters = wiring(network).heaters
        except ConfigError:
            return ()
        return list(thermostat_problems(network, rooms_of(network, heaters)))

    async def open(self) -> None:
        """Go on with the wishes of the last run, and ask the cards for the orders in force."""
        self._started_s = self._kept_s = time.monotonic()
        self._temperatures: dict[str, tuple[float, int]] = {}
        self._ordered: dict[str, Ordered] = {}
        self._reported: dict[str, Order] = {}
        self._sent: dict[str, Sent] = {}
        self._change_ms = 0
        self._changes: dict[str, float] = {}
        self._told: set[str] = set()
        self._wake = asyncio.Event()
        self._prepare(self._load())
        self._ask_cards()
        self.spawn(self._tend(), "rooms")

    def on_reload(self) -> None:
        """Take the new rooms with what is known of the old ones."""
        self._prepare(self._memories())
        self._wake.set()

    def _prepare(self, memories: dict[str, RoomMemory]) -> None:
        try:
            heaters = wiring(self.network).heaters
        except ConfigError as error:
            self.log.error("no heater can be commanded: %s", error)
            heaters = {}
        rooms = rooms_of(self.network, heaters)
        owners = commanded_rooms(self.network, rooms)
        self._rooms: dict[str, Room] = {
            room.name: room for room in rooms if owners.get(room.name) == self.codifier
        }
        self._by_wish = {room.codifier: name for name, room in self._rooms.items()}
        self._thermometers = {
            code for room in self._rooms.values() for code in room.settings.thermometers
        }
        self._heaters: dict[str, Load] = {
            load.codifier: load for room in self._rooms.values() for load in room.heaters
        }
        cards = {load.actuator.card for load in self._heaters.values()}
        self._states = {
            str(node.sensor["State"]): node.codifier
            for node in self.network.nodes()
            if node.codifier in cards and node.sensor.get("State")
        }
        schedules = [node for node in self.network.nodes() if node.type == "Schedule"]
        plans = [read_struct(ScheduleSettings, node.sensor, "", []) for node in schedules]
        self._next = {plan.next for plan in plans if plan is not None and plan.next}
        self._senders = {self.codifier, *cards, *(node.codifier for node in schedules)}
        degrees = plans[0].degrees_by_order() if plans and plans[0] else dict(DEGREES)
        self._regulated = {
            name: RoomThermostat(
                room.heaters,
                degrees,
                self.settings.minimum_time,
                offset_s=CYCLE_S * index / len(self._rooms),
                memory=memories.get(name),
            )
            for index, (name, room) in enumerate(self._rooms.items())
        }

    # What is heard

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take wishes, temperatures, the next change, and the orders that cards report."""
        for reading in readings:
            code, number = reading.source, reading.number
            if code in self._next:
                self._take_next(_object_in(reading))
            elif code in self._states:
                self._take_wires(code, _object_in(reading).get("wires"))
            elif number is None or reading.quality not in _GOOD:
                continue
            elif code in self._by_wish:
                self._take_wish(self._by_wish[code], number)
            elif code in self._heaters and number in list(Order):
                self._take_reported(code, Order(int(number)))
            elif code in self._thermometers:
                self._temperatures[code] = number, min(reading.timestamp_ms, now_ms())

    def _take_wish(self, name: str, wish_c: float) -> None:
        if self._regulated[name].hear_wish(wish_c, now_ms()):
            self._kept_s = time.monotonic() - _KEEP_S
            self._wake.set()

    def _take_reported(self, code: str, order: Order) -> None:
        """Take the order of a heater. One that was not sent here may be a person's.

        Its card is asked who gave it; until it has answered nothing is sent to its heaters.
        """
        sent, card = self._sent.get(code), self._heaters[code].actuator.card
        if self._reported.get(code) is not order and (sent is None or sent.command.order != order):
            self._told.discard(card)
            if card in self._states.values():
                self.send_control(Flag.PING, card)
        self._reported[code] = order

    def _take_next(self, content: dict[str, Any]) -> None:
        """Take the next change of the plan: its moment, and the rooms that change then."""
        at_ms, rooms = content.get("at_ms"), content.get("rooms")
        known = isinstance(at_ms, int) and isinstance(rooms, dict)
        self._change_ms = at_ms if known and at_ms is not None else 0
        self._changes = dict(rooms) if known and rooms is not None else {}
        self._wake.set()

    def _take_wires(self, state: str, wires: object) -> None:
        """Take from a card who gave the order of each heater, and until when."""
        for code, wire in wires.items() if isinstance(wires, dict) else ():
            if code in self._heaters and isinstance(wire, dict):
                given = str(wire.get("by") or ""), wire.get("at_ms") or 0, wire.get("until_ms")
                self._ordered[code] = Ordered(*given)
        self._told.add(self._states[state])
        self._wake.set()

    def _ask_cards(self) -> None:
        """Ask the cards that have not yet reported the orders in force, and who gave them."""
        for card in set(self._states.values()) - self._told:
            self.send_control(Flag.PING, card)
        self._asked_s = time.monotonic()

    # What is commanded

    async def _tend(self) -> None:
        while True:
            self._wake.clear()
            now_s = time.monotonic()
            if now_s - self._asked_s >= _ASK_S:
                self._ask_cards()
            if now_ms() >= _FIRST_SET_CLOCK_MS:
                for name in self._rooms:
                    self._regulate(name, now_s, now_ms())
            if now_s - self._kept_s >= _KEEP_S:
                await self._keep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.tick_s):
                    await self._wake.wait()

    def _regulate(self, name: str, now_s: float, now: int) -> None:
        """Send the heaters of a room the orders that are due."""
        room, regulated = self._rooms[name], self._regulated[name]
        known = [code for code in room.settings.thermometers if code in self._temperatures]
        heard = [(code, *self._temperatures[code]) for code in known]
        regulated.measure(
            [Thermometer(code, each_c, (now - at_ms) / 1000) for code, each_c, at_ms in heard],
            self.settings.oldest,
        )
        if regulated.temperature_c is None and now_s - self._started_s < _LISTEN_S:
            return
        wish_c = self._changes.get(room.codifier)
        change = None if wish_c is None else Change(self._change_ms, wish_c)
        hand = self._hand(name, now)
        for code, command in regulated.commands(change, now_s, now).items():
            card = self._heaters[code].actuator.card
            if card in self._states.values() and card not in self._told:
                continue  # the heater may have a person's order
            if code in hand:
                self._sent.pop(code, None)
            elif is_due(self._sent.get(code), command, self._reported.get(code), now_s):
                number = number_of(command.order, command.end_ms, command.follower)
                self.send_control(Flag.SET, code, number)
                self._sent[code] = Sent(command, now_s)

    def _hand(self, name: str, now: int) -> list[str]:
        """Return the heaters of a room that have a person's order."""
        memory = self._regulated[name].memory
        since_ms = 0 if memory is None else memory.since_ms
        codes = [load.codifier for load in self._rooms[name].heaters]
        return [
            code for code in codes if by_hand(self._ordered.get(code), self._senders, since_ms, now)
        ]

    # What is published

    async def on_timer(self, now_ms: int) -> None:
        """Publish the number of rooms, and what each does."""
        self.send(len(self._rooms))
        if self.settings.state:
            rooms = {name: self._state_of(name, now_ms) for name in self._rooms}
            text = msgspec.json.encode({"value": len(rooms), "rooms": rooms}).decode()
            self.send(Json(text), codifier=self.settings.state)

    def _state_of(self, name: str, now: int) -> dict[str, Any]:
        regulated, hand = self._regulated[name], self._hand(name, now)
        return {
            "codifier": self._rooms[name].codifier,
            "wish": regulated.memory and regulated.memory.wish_c,
            "temperature": regulated.temperature_c,
            "share": regulated.share if regulated.cycles else None,
            "left_out": regulated.left_out,
            "hand": hand,
            "phrase": phrase(regulated, hand=bool(hand)),
        }

    # What is kept

    @property
    def _path(self) -> Path:
        return state_dir() / "thermostat" / f"{self.codifier}.json"

    def _memories(self) -> dict[str, RoomMemory]:
        return {n: each.memory for n, each in self._regulated.items() if each.memory is not None}

    def _load(self) -> dict[str, RoomMemory]:
        try:
            return msgspec.convert(durable.load(self._path), dict[str, RoomMemory])
        except (StoreError, msgspec.ValidationError) as error:
            aside = durable.set_aside(self._path)
            self.log.error("what the rooms need is not known, kept as %s: %s", aside.name, error)
            return {}

    async def _keep(self) -> None:
        self._kept_s = time.monotonic()
        stored = {name: list(each) for name, each in self._memories().items()}
        try:
            await asyncio.to_thread(durable.save, self._path, stored)
        except StoreError as error:
            self.log.error("the wishes will not survive a restart: %s", error)


def _object_in(reading: Reading) -> dict[str, Any]:
    """Return the JSON object of a reading; empty if it has none."""
    try:
        content = json.loads(str(reading.value))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
