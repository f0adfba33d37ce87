"""Values heaters, and chooses the sets to relieve, to rotate and to be safe. Pure."""

import math
from collections.abc import Callable, Sequence
from typing import Final

from jph.config.house.loads import Load
from jph.heating.shedding.decision.knapsack import Item, cheapest, fill, greedily
from jph.heating.shedding.estimates.duty_cycle import BAND_S
from jph.heating.shedding.estimates.observer import Observer
from jph.heating.shedding.rules import Rules

LEAST_WEIGHT: Final = 0.2
MOST_WEIGHT: Final = 4.0
"""Range of a heater's weight: no room is heated only for its priority, none is never heated."""

OVERDUE_WEIGHT: Final = 8.0
"""Weight of an overdue heater: above every other."""

FROST_WEIGHT: Final = 64.0
"""Weight of a heater whose room is below its frost floor: above overdue ones of any size."""

BOOST_RANKS: Final = 2
"""Steps of priority that a boost adds to the highest one of the phase."""

LEAST_DRAWING: Final = 0.05
"""Chance to draw that a heater keeps, so that size decides between equal ones."""

CURIOSITY: Final = 0.5
"""Factor of a heater that was never switched alone: it goes first, so its current is learned."""

YOUNG_WORTH: Final = 30.0
"""Worth added within the minimum on time: more than all other terms, so it goes last."""

SURELY: Final = 0.93
"""Chance of enough relief that is asked for; what is missing follows a frame later, in time."""

SURELY_SLOW: Final = 0.98
"""The same where a heater takes longer than usual to obey: what is missing then follows late."""

UNPROVEN: Final = 0.7
"""Part of an unknown heater's assumed current that counts as relief: 5 ± 2.5 A (one standard
deviation) is at least 3.5 A in 73 % of the cases."""

MAY_DRAW: Final = 0.1
"""Chance to draw below which shedding a heater brings no relief."""

NEED_S: Final = 300.0
"""Time in which a room shall be warm; heaters that would be faster are not needed."""

LEAST_PART: Final = 0.1
"""Part of its worth that a needless heater of a room keeps."""

WARM_S: Final = -20.0
AMPLE_A: Final = 4.0
"""Headroom that must stay when the heater of a room warmer than `WARM_S` returns: another heater's
current."""


class Planner:
    """Chooses sets of heaters (bits) of one phase.

    Attributes:
        frost: the heaters of rooms below their frost floor.
        boosted: the heaters of rooms with a boost.
    """

    def __init__(self, heaters: Sequence[Load], observer: Observer, rules: Rules) -> None:
        self._heaters = heaters
        self._seen = observer
        self._rules = rules
        self.frost = self.boosted = 0
        rooms: dict[int, list[int]] = {}
        for bit, room in enumerate(observer.rooms):
            rooms.setdefault(id(room), []).append(bit)
        self._shared = [bits for bits in rooms.values() if len(bits) > 1]

    def rank(self, bit: int) -> int:
        """Return the priority of a heater: a boost and frost raise it above all others."""
        highest = max(heater.priority for heater in self._heaters)
        if self.frost >> bit & 1:
            return highest + 2 * BOOST_RANKS
        if self.boosted >> bit & 1:
            return highest + BOOST_RANKS
        return self._heaters[bit].priority

    def worths(self, shed: int, overdue: int = 0) -> list[float]:
        """Return the worth of each heater being on: its amperes, weighted.

        A room that is shorter of heat than the others weighs more, and so does a higher priority.
        A heater that would not draw is worth next to nothing, unless it is `overdue`: the estimate
        of a room may be wrong, and only a heater that is on can show it. Frost is measured, so it
        counts before every estimate.
        """
        rules, amperes = self._rules, self._seen.amperes.of
        rooms = self._seen.rooms
        mean_s = sum(room.short_s for room in rooms) / len(rooms)
        least = min(heater.priority for heater in self._heaters)
        worths = []
        for bit in range(len(self._heaters)):
            short_s = rooms[bit].short_s
            above_s = short_s - mean_s + (self.rank(bit) - least) * rules.priority_s
            weight = min(MOST_WEIGHT, max(LEAST_WEIGHT, 1.0 + above_s / rules.rotate_s))
            if shed >> bit & 1:
                wanted = rooms[bit].wanted(rules.want_s)
                weight = OVERDUE_WEIGHT if overdue >> bit & 1 else weight
            else:
                wanted = max(LEAST_DRAWING, self._seen.hypotheses.chance[bit])
            worths.append(amperes[bit] * weight * wanted)
        for bits in self._shared:
            self._diminish(worths, bits, shed)
        for bit in _bits(overdue):
            worths[bit] = max(worths[bit], amperes[bit])
        worths = [
            worth if self._seen.amperes.known(bit) else worth * CURIOSITY
            for bit, worth in enumerate(worths)
        ]
        for bit in _bits(self.frost):
            worths[bit] = FROST_WEIGHT * amperes[bit]
        return worths

    def _diminish(self, worths: list[float], bits: Sequence[int], shed: int) -> None:
        """Lower the worth of heaters beyond what their room needs: they would come and go.

        Each of them would be reserved its current, and stand idle half of the time.
        """
        amperes, chance = self._seen.amperes.of, self._seen.hypotheses.chance
        room = self._seen.rooms[bits[0]]
        share = room.share + max(0.0, room.asking_s + BAND_S) / NEED_S
        needed_a = share * sum(amperes[bit] for bit in bits)
        for bit in sorted(bits, key=lambda b: (shed >> b & 1, -chance[b], -amperes[b])):
            worths[bit] *= min(1.0, max(LEAST_PART, needed_a / amperes[bit]))
            needed_a -= amperes[bit]

    def relief(self, free: int, young: int, need_a: float, shed: int) -> int:
        """Return the heaters among `free` to shed for `need_a`, at least cost; maybe too few."""
        hypotheses, amperes = self._seen.hypotheses, self._seen.amperes
        worths = self.worths(shed)
        items = [
            Item(
                bit,
                amperes.of[bit],
                worths[bit] + 0.5 + YOUNG_WORTH * (young >> bit & 1),
            )
            for bit in _bits(free)
            if hypotheses.chance[bit] > MAY_DRAW
        ]
        chosen = cheapest(items, self._enough(need_a))
        if chosen is None:
            likely = [
                item._replace(amperes=item.amperes * hypotheses.chance[item.bit]) for item in items
            ]
            chosen = greedily(likely, need_a)
        return sum(1 << item.bit for item in chosen)

    def likeliest(self, on: int) -> int:
        """Return the one heater of lowest rank that draws most likely, none of none."""
        chance, amperes = self._seen.hypotheses.chance, self._seen.amperes.of
        first = min(_bits(on), key=lambda b: (self.rank(b), -chance[b], -amperes[b]), default=None)
        return 0 if first is None else 1 << first

    def _enough(self, need_a: float) -> Callable[[int], bool]:
        hypotheses, amperes = self._seen.hypotheses, self._seen.amperes
        slowness = self._seen.slowness
        settle_s = [slowness.settle_s([bit]) for bit in range(len(self._heaters))]
        proven = [a * (1.0 if amperes.known(bit) else UNPROVEN) for bit, a in enumerate(amperes.of)]

        def enough(bits: int) -> bool:
            if amperes.load(bits) < need_a:
                return False
            chance = 0.0
            for weight, gone in hypotheses.reliefs(bits):
                if sum(proven[bit] for bit in _bits(gone)) >= need_a:
                    chance += weight
            waits = any(settle_s[bit] > slowness.usual_s for bit in _bits(bits))
            return chance >= (SURELY_SLOW if waits else SURELY)

        return enough

    def reserved(self, on: int) -> list[float]:
        """Return the amperes to keep for each heater that is on.

        Those that draw nothing now may all come back, but hardly at once: of many, a part is kept.
        """
        amperes, best = self._seen.amperes.of, self._seen.hypotheses.best
        idle = [bit for bit in _bits(on) if not best >> bit & 1]
        total_a = sum(amperes[bit] for bit in idle)
        part = 1.0
        if total_a:
            spread_a = math.sqrt(sum(amperes[bit] ** 2 for bit in idle))
            part = min(1.0, 0.5 + 0.5 * self._rules.reserve * spread_a / total_a)
        return [a * part if bit in idle else a for bit, a in enumerate(amperes)]

    def turns(self, on: int, locked: int, off: int, room_a: float, overdue: int) -> int:
        """Return which of `on` and `off` shall be on; `locked` ones stay whatever comes.

        Everything `on` keeps its reservation; a switching must be worth its cost.
        """
        amperes = self.reserved(on | locked)
        worths = self.worths(off, overdue)
        room_a -= sum(amperes[bit] for bit in _bits(locked))
        cost = self._rules.cost_a
        items = [Item(bit, amperes[bit], worths[bit] + cost) for bit in _bits(on)]
        items += [Item(bit, amperes[bit], worths[bit] - cost) for bit in _bits(off)]
        if not any(item.worth > 0 for item in items[on.bit_count() :]):
            return on
        return fill(items, room_a)

    def returning(self, off: int, room_a: float, asleep: int) -> int | None:
        """Return the shed heater worth most that fits into `room_a`."""
        amperes, rooms = self._seen.amperes.of, self._seen.rooms
        worths = self.worths(off)
        fits = []
        for bit in _bits(off):
            # Who would not draw anyway does not take the last room from those who may ask next.
            spare_a = AMPLE_A if rooms[bit].asking_s < WARM_S else 0.0
            if asleep >> bit & 1 or amperes[bit] + spare_a <= room_a:
                fits.append(bit)
        return max(fits, key=lambda bit: (worths[bit], -bit), default=None)

    def caution(self, on: int, limit_a: float, expected_a: float) -> int:
        """Return the heaters to shed while the meter is silent.

        Every heater that is on may come back by itself, and people may switch something on.
        """
        amperes, worths = self._seen.amperes.of, self.worths(0)
        room_a = limit_a - expected_a - self._rules.surprise_a
        room_a -= sum(amperes[bit] for bit in _bits(on))
        chosen = 0
        for bit in sorted(_bits(on), key=lambda bit: worths[bit] / amperes[bit]):
            if room_a >= 0:
                break
            chosen |= 1 << bit
            room_a += amperes[bit]
        return chosen

    def share(self, room_a: float) -> int:
        """Return the most important heaters that fit into `room_a` together."""
        keep = 0
        for bit in sorted(range(len(self._heaters)), key=lambda b: (-self.rank(b), b)):
            if self._seen.amperes.of[bit] <= room_a:
                room_a -= self._seen.amperes.of[bit]
                keep |= 1 << bit
        return keep


def _bits(bits: int) -> list[int]:
    return [bit for bit in range(bits.bit_length()) if bits >> bit & 1]
