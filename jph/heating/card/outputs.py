"""Outputs of one pilot card: the orders of its heaters; of several, the coldest applies."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from jph.config.house.loads import Load, Wiring
from jph.heating.card.leases import Fallback, Lease, Stage
from jph.heating.orders.coding import Order, carried, decode, encode, lowest, next_edge_s
from jph.heating.orders.orderbook import Given, first


class Outputs(NamedTuple):
    """What shall be now: (OLATA, OLATB), what each wire carries, the order each heater follows.

    `held` are the heaters of the card that a mask or the fallback holds back.
    """

    latches: tuple[int, int]
    wires: Mapping[int, Order]
    orders: Mapping[str, Order]
    held: frozenset[str]


class Card:
    """Orders and sheds of one card in, the two latches of its chip out.

    All times are seconds of a monotonic clock.  `phases` are those that have a shed mask.
    """

    def __init__(
        self,
        wiring: Wiring,
        codifier: str,
        fallback: Fallback,
        phases: Iterable[int],
        now_s: float,
    ) -> None:
        self._leases = {
            phase: Lease(wiring.phases.get(phase, ()), fallback, now_s) for phase in phases
        }
        self._since: dict[str, tuple[Order, float]] = {}
        self.heaters: Mapping[str, Load] = {
            heater.codifier: heater for heater in wiring.card(codifier)
        }
        self.given: dict[str, Given] = {code: first(each) for code, each in self.heaters.items()}

    def take_over(self, old: "Card") -> None:
        """Go on with the orders and sheds of a card that was wired otherwise."""
        for phase in self._leases.keys() & old._leases.keys():
            self._leases[phase].take_over(old._leases[phase])
        self._since = {c: old._since[c] for c in self.heaters.keys() & old._since.keys()}
        for code in self.given.keys() & old.given.keys():
            if self.heaters[code].takes(old.given[code].order):
                self.given[code] = old.given[code]

    def hear(self, phase: int, mask: int, now_s: float) -> None:
        """Take the shedder's mask of a phase; bits of other cards' heaters count for the turns."""
        self._leases[phase].hear(mask, now_s)

    def hear_more(self, phase: int, mask: int) -> None:
        """Take a colder mask of another program; it does not prolong the lease."""
        self._leases[phase].hear_more(mask)

    def see(self, phase: int, now_s: float) -> None:
        """Take a sign that the meter of a phase is read."""
        self._leases[phase].see(now_s)

    def stages(self, now_s: float) -> dict[int, Stage]:
        """Return how far the lease of each phase with a mask has come."""
        return {phase: lease.stage(now_s) for phase, lease in self._leases.items()}

    def silent(self, now_s: float) -> dict[int, str]:
        """Return what is missing of each phase whose lease is over: its `masks` or its `meter`."""
        missing = {phase: lease.silent(now_s) for phase, lease in self._leases.items()}
        return {phase: what for phase, what in missing.items() if what}

    def adopt(self, latches: Sequence[int]) -> None:
        """Take over what a chip that kept its latches still sheds.

        A card that is started again must not let everything back at once: a heater whose wire
        is colder than its order is held like one whose shedder fell silent (at frost, where the
        fallback had come so far, it goes off).  A pulse of comfort −1 or −2 looks like a shed to
        eco, and is held as one: a moment too cold is nothing, a shed undone is a trip.
        """
        wires = decode(latches)
        seen: dict[int, dict[str, Order]] = {phase: {} for phase in self._leases}
        for code, heater in self.heaters.items():
            order, wire = self.given[code].order, wires[heater.actuator.wire]
            ceiling = Order.COMFORT
            if lowest(wire, order) is not order:
                ceiling = Order.ECO if wire is Order.ECO else Order.OFF
            if heater.phase in seen:
                seen[heater.phase][code] = ceiling
        for phase, ceilings in seen.items():
            self._leases[phase].adopt(ceilings)

    def step(self, now_s: float) -> Outputs:
        """Return what the chip shall carry from now on."""
        ceilings: dict[str, Order] = {}
        for lease in self._leases.values():
            ceilings.update(lease.step(now_s))
        orders = {
            code: lowest(given.order, ceilings.get(code, given.order))
            for code, given in self.given.items()
        }
        wires = {}
        for code, order in orders.items():
            if code not in self._since or self._since[code][0] is not order:
                self._since[code] = order, now_s
            wires[self.heaters[code].actuator.wire] = carried(order, now_s - self._since[code][1])
        return Outputs(encode(wires), wires, orders, frozenset(ceilings.keys() & orders.keys()))

    def next_edge_s(self, now_s: float) -> float:
        """Return the seconds until a wire switches by itself, for comfort −1 or −2."""
        edges = (next_edge_s(order, now_s - at) for order, at in self._since.values())
        return min(edges, default=math.inf)
