"""A room held at its wish: the order of each of its heaters, its end and the order that follows.

A heater on a solid-state wire has slow cycles of comfort and rest. A relay has the warmest order
that is not above the wish; where no order stands for the wish, it follows the thermometer between
that order and comfort. Each order ends after two cycles. The warmest order that is not above
the wish follows it: the heaters' own thermostats regulate if this program has ended. A change of
the wish within that time is the end, and its order follows. Pure.
"""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from jph.config.house.loads import Load
from jph.heating.orders.coding import Order, lowest
from jph.heating.plan.evaluation.wish import Degrees, order_for
from jph.heating.rooms.regulation import (
    CYCLE_S,
    RegulationState,
    Thermometer,
    heat_s,
    heat_share,
    room_temperature,
)

LEASE_S: Final = 2 * CYCLE_S
"""An order of a Thermostat that has ended lasts no longer."""

RELAY_PAUSE_S: Final = 300.0
"""Shortest time between two orders of a relay that follows the thermometer."""
_NEAR_K: Final = 0.3
"""An order whose temperature is so near to the wish holds it by the heater's thermostat."""
_RANK_K: Final = 0.15
"""A further relay of a room heats so much below the one before it."""
_RELAY_BAND_K: Final = 0.2
_BESIDE_K: Final = 0.4
"""Beside solid-state wires the first relay begins to heat so far below the wish."""
_CUT_K: Final = 0.25
"""So far above the wish the heat of a cycle ends early: a strong heater in a small room."""


class Command(NamedTuple):
    """The order that a heater shall have, until when (ms since 1970), and the one that follows."""

    order: Order
    end_ms: int
    follower: Order


class Change(NamedTuple):
    """The next change of a room's wish: when (ms since 1970), and to which temperature."""

    at_ms: int
    wish_c: float


class RoomMemory(NamedTuple):
    """What a room keeps over a restart: its wish, since when, and the share that the walls need."""

    wish_c: float
    since_ms: int
    integral: float = 0.0


class RoomThermostat:
    """Regulates one room. Times in s are of a clock that is never stepped.

    `offset_s` shifts its cycles, so that the rooms of a house do not begin to heat together.
    """

    def __init__(
        self,
        heaters: Sequence[Load],
        degrees: Degrees,
        minimum_s: float = 60.0,
        offset_s: float = 0.0,
        memory: RoomMemory | None = None,
    ) -> None:
        self.heaters = heaters
        self.memory = memory
        self.temperature_c: float | None = None
        self.left_out: list[str] = []
        self.share = 0.0
        self._degrees = degrees
        self._minimum_s = minimum_s
        self._offset_s = offset_s
        self._state = RegulationState(memory.integral if memory else 0.0)
        self._began_s: float | None = None
        self._length_s = CYCLE_S
        self._heard: list[float] = []
        self._cut = False
        self._relays: dict[str, tuple[Order, float]] = {}

    def hear_wish(self, wish_c: float, now_ms: int) -> bool:
        """Take the wish; return whether it is new. A new one begins a cycle.

        The first one that is ever heard is no change: a person's order before it counts.
        """
        if self.memory is not None and self.memory.wish_c == wish_c:
            return False
        since_ms = 0 if self.memory is None else now_ms
        self.memory = RoomMemory(wish_c, since_ms, self._state.integral)
        self._began_s = None
        return True

    def measure(self, thermometers: Sequence[Thermometer], oldest_s: float) -> None:
        """Take what the thermometers of the room say now."""
        self.temperature_c, self.left_out = room_temperature(thermometers, oldest_s)
        if self.temperature_c is not None:
            self._heard.append(self.temperature_c)

    def commands(self, change: Change | None, now_s: float, now_ms: int) -> dict[str, Command]:
        """Return what each heater shall have now; nothing before there is a wish."""
        if self.memory is None:
            return {}
        self._turn(now_s)
        end_ms, next_c = now_ms + round(1000 * LEASE_S), self.memory.wish_c
        if change is not None and now_ms + 1000 < change.at_ms < end_ms:
            end_ms, next_c = change
        return {
            heater.codifier: Command(
                self._order(heater, now_s), end_ms, self._steady(heater, next_c)
            )
            for heater in self.heaters
        }

    @property
    def cycles(self) -> bool:
        """Whether a heater of the room has cycles now."""
        return self.temperature_c is not None and any(h.actuator.solid_state for h in self.heaters)

    def _turn(self, now_s: float) -> None:
        """Begin the next cycle when its time has come: its share follows the mean of the last."""
        began_s = self._began_s
        if began_s is not None and now_s - began_s < self._length_s and not self._cooled_soon():
            return
        self._length_s = CYCLE_S + (self._offset_s if began_s is None else 0.0)
        self._began_s, self._cut = now_s, False
        heard, self._heard = self._heard, []
        if self.memory is None or self.temperature_c is None or not heard:
            return
        if began_s is None:
            heard = [self.temperature_c]
        mean_c = sum(heard) / len(heard)
        self.share, self._state = heat_share(self._state, mean_c, self.memory.wish_c, now_s)
        self.memory = self.memory._replace(integral=self._state.integral)

    def _cooled_soon(self) -> bool:
        """Say whether the heat of a cycle ended early, and the room is already too cold again."""
        if self.memory is None or self.temperature_c is None:
            return False
        return self._cut and self.temperature_c < self.memory.wish_c - _CUT_K

    def _order(self, heater: Load, now_s: float) -> Order:
        if self.memory is None or self._began_s is None:
            return Order.COMFORT
        steady = self._steady(heater, self.memory.wish_c)
        if not heater.actuator.solid_state:
            wanted, pause_s = self._by_relay(heater, steady)
            return self._kept(heater.codifier, wanted, pause_s, now_s)
        if self.temperature_c is None:
            return steady
        self._cut |= self.temperature_c > self.memory.wish_c + _CUT_K
        heats = not self._cut and now_s - self._began_s < heat_s(self.share)
        return Order.COMFORT if heats else lowest(Order.ECO, steady)

    def _steady(self, heater: Load, wish_c: float) -> Order:
        """Return the warmest order that is not above a wish: the heater's thermostat regulates."""
        orders = [order.word for order in Order if heater.takes(order)]
        return Order.named(order_for(wish_c, self._degrees, orders))

    def follows(self, heater: Load) -> bool:
        """Say whether a relay follows the thermometer: no order stands for the wish."""
        if self.memory is None or self.temperature_c is None or heater.actuator.solid_state:
            return False
        wish_c, steady = self.memory.wish_c, self._steady(heater, self.memory.wish_c)
        near = abs(self._degrees[steady.word] - wish_c) <= _NEAR_K
        return not near and steady is not Order.COMFORT and wish_c > self._degrees["frost"]

    def _by_relay(self, heater: Load, steady: Order) -> tuple[Order, float]:
        """Return the order of a relay, and the shortest time since its last change.

        The relays of a room begin one below the other. Beside solid-state wires they help only when
        those do not suffice.
        """
        if self.memory is None or self.temperature_c is None or not self.follows(heater):
            return steady, self._minimum_s
        relays = [each.codifier for each in self.heaters if not each.actuator.solid_state]
        known = self._relays.get(heater.codifier)
        edge_c = self.memory.wish_c - _RANK_K * relays.index(heater.codifier)
        edge_c -= _BESIDE_K if self.cycles else _RELAY_BAND_K / 2
        if known is not None and known[0] is Order.COMFORT:
            edge_c += _RELAY_BAND_K
        heats = self.temperature_c < edge_c
        return Order.COMFORT if heats else steady, max(self._minimum_s, RELAY_PAUSE_S)

    def _kept(self, codifier: str, order: Order, pause_s: float, now_s: float) -> Order:
        """Return a relay's order: a change waits until the last one is old enough."""
        known = self._relays.get(codifier)
        if known is not None and (known[0] is order or now_s - known[1] < pause_s):
            return known[0]
        self._relays[codifier] = order, now_s
        return order


class Ordered(NamedTuple):
    """The order that a card has for a heater, from whom and until when (ms since 1970)."""

    by: str
    at_ms: int
    until_ms: int | None


def by_hand(ordered: Ordered | None, own: Collection[str], wish_since_ms: int, now_ms: int) -> bool:
    """Say whether a heater has a person's order, which counts before the wish.

    One with an end counts until then; one without until the wish of its room changes.
    """
    if ordered is None or not ordered.by or ordered.by in own:
        return False
    if ordered.until_ms is not None:
        return now_ms < ordered.until_ms
    return ordered.at_ms >= wish_since_ms


class Sent(NamedTuple):
    """The last command of a heater, and when it was sent."""

    command: Command
    at_s: float


RETRY_S: Final = 4.0
"""Pause before an order that a card does not report is sent again."""


def is_due(sent: Sent | None, command: Command, reported: Order | None, now_s: float) -> bool:
    """Say whether a command must be sent: it is new, its lease is half over, or it was lost."""
    if sent is None:
        return True
    last = sent.command
    if (last.order, last.follower) != (command.order, command.follower):
        return True
    if command.end_ms < last.end_ms - 1000 or now_s - sent.at_s >= LEASE_S / 2:
        return True
    return reported is not command.order and now_s - sent.at_s >= RETRY_S


def phrase(room: RoomThermostat, hand: bool) -> str:
    """Return what a room does, in plain words."""
    if hand:
        return "set by hand"
    if room.memory is None:
        return "its wish is not known"
    if room.temperature_c is None:
        return "no thermometer is heard: the heaters' own thermostats regulate"
    wish = f"{room.memory.wish_c:g} °C"
    if any(room.follows(heater) for heater in room.heaters) and not room.cycles:
        cold = room.temperature_c < room.memory.wish_c
        return f"heats to {wish}" if cold else f"warm enough for {wish}"
    if not room.cycles:
        return f"the heaters' own thermostats regulate, wish {wish}"
    if room.share >= 1.0:
        return f"heats to {wish}"
    if room.share <= 0.0:
        return f"warm enough for {wish}"
    return f"holds {wish}: heats {100 * room.share:.0f} % of the time"
