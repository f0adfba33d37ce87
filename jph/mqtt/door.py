"""A door of the Mqtt node: one protocol on its connection, as a pure object. Pure.

The node calls the hooks of each door and carries out the effects that they return, in order. A door
holds no socket, clock or loop; `now_ms` is the time, ms since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from jph.wire.codec import Control, Quality, Reading, Value


class Publish(NamedTuple):
    """A message for the broker.

    Attributes:
        merge: whether only the newest of its topic counts: such messages wait a moment and are
            published together.
    """

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 0
    merge: bool = False


class Edit(NamedTuple):
    """An edit for the Schedule node; its answer comes to `on_answer` of the same door."""

    verb: str
    params: Any
    author: str
    tag: int = 0


class Order(NamedTuple):
    """A control message on the bus: `A` (set to) or `E` (step by)."""

    flag: str
    codifier: str
    value: float


class Send(NamedTuple):
    """A reading of an element of the node; the other doors get it by `on_reading` too."""

    codifier: str
    value: Value | bool
    quality: Quality = Quality.GOOD
    timestamp_ms: int | None = None


class Climate(NamedTuple):
    """A thermostat by MQTT, as its door tells the other doors; rooms and devices are made of it.

    Attributes:
        entity: a lasting id, such as `climate_salon`.
        gone: it is announced no more.
    """

    entity: str
    name: str
    temperature: float | None = None
    setpoint: float | None = None
    lowest: float | None = None
    highest: float | None = None
    available: bool = True
    gone: bool = False


class Refused(NamedTuple):
    """A message that a door does not take: counted by `reason`, logged now and then."""

    reason: str
    detail: str = ""


class Note(NamedTuple):
    """A sentence for the log, at a level of `logging`."""

    text: str
    level: int = 20


Effect = Publish | Edit | Order | Send | Climate | Refused | Note


class Plan(msgspec.Struct, frozen=True):
    """State of the Schedule node, as its readings give it.

    Attributes:
        document: devices, scheduler, hand wishes, absence; empty until it is known.
        state: its element `State`: `rooms` by name, each with `degrees`, `by`, `layers`.
        alive: whether it was heard in time.
    """

    document: Mapping[str, Any] = msgspec.field(default_factory=dict)
    state: Mapping[str, Any] = msgspec.field(default_factory=dict)
    alive: bool = False

    def devices(self) -> list[dict[str, Any]]:
        """Return the devices of the document: `name` and `srventity`."""
        return list(self.document.get("devices", ()))

    def wish_c(self, name: str) -> float | None:
        """Return the wish of a room or device, °C."""
        room = self.state.get("rooms", {}).get(name)
        return None if room is None else float(room["degrees"])


class Door:
    """Base of all doors: a hook that is not overridden does nothing."""

    name = "door"

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return topic filters with their QoS, in the order to subscribe."""
        return ()

    def will(self) -> Publish | None:
        """Return what the broker says when the node is gone without a goodbye."""
        return None

    def on_connect(self, now_ms: int) -> Iterable[Effect]:
        """Say everything: the broker may have forgotten it."""
        return ()

    def on_goodbye(self, now_ms: int) -> Iterable[Effect]:
        """Say the last words before a normal end."""
        return ()

    def takes(self, topic: str) -> bool:
        """Say whether a message of this topic is for this door."""
        return False

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> Iterable[Effect]:
        """Take a message for which `takes` holds."""
        return ()

    def on_readings(self, readings: Sequence[Reading], now_ms: int) -> Iterable[Effect]:
        """Take readings of the data bus, and those that doors send."""
        return ()

    def on_control(self, message: Control, now_ms: int) -> Iterable[Effect]:
        """Take a message of the control bus: signs of life, answers to a ping, orders."""
        return ()

    def on_plan(self, plan: Plan, now_ms: int) -> Iterable[Effect]:
        """Take a new state of the Schedule node."""
        return ()

    def on_climate(self, climate: Climate, now_ms: int) -> Iterable[Effect]:
        """Take what another door tells of a thermostat."""
        return ()

    def on_answer(self, tag: int, answer: Mapping[str, Any], now_ms: int) -> Iterable[Effect]:
        """Take the answer to an edit of this door: `status`, and `error` if it is a failure."""
        return ()

    def on_timer(self, now_ms: int) -> Iterable[Effect]:
        """Act once a second while connected."""
        return ()
