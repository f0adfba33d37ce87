"""Decides for one phase: when to shed, when to restore, and which heaters must wait. Pure."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from jph.config.house.loads import ECO_SHIFT, Load
from jph.heating.orders.coding import Order
from jph.heating.shedding.decision.planner import Planner
from jph.heating.shedding.decision.returns import UntilReturn, return_range
from jph.heating.shedding.decision.trip import TripModel
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.estimates.hypotheses import Command
from jph.heating.shedding.estimates.observer import Observer
from jph.heating.shedding.estimates.peaks import Peaks
from jph.heating.shedding.estimates.slowness import SLOWEST_S
from jph.heating.shedding.memory import HeldHeater
from jph.heating.shedding.rules import NEVER, Held, Reason, Report, Rules, Urgent

RELIEF_MARGIN_A: Final = 1.0
"""Relief aims 1 A below the limit: shown currents are rounded."""

SHOWN_A: Final = 0.5
"""Rounding of a shown current."""

CALM_S: Final = 2.0
"""Time after an overrun without a return: one frame of the meter."""

BLIND_INTERVAL_S: Final = 10.0
"""Interval of returns while the meter is silent."""

STANDS_IN_S: Final = 5.0
"""Time without a current after which the meter's warnings replace it: three frames."""

PLANS_A_REST: Final = 12
"""Plans in a minimum off time: each 10 s with 120 s."""

HURRY_S: Final = 5.0
"""Time to the trip below which all heaters go: a heater needs up to 3 s to obey."""

OVERRUN: Final = "overrun"
"""Cause of a heater that was shed because its phase had too much."""

EARLIER: Final = "shed before the last start"
"""Cause of a heater that was shed by an earlier run which left no reason."""

WANTING: Final = 0.3
"""Part of the want from which a shed heater goes before loads that can wait."""

IDLE: Final = 0.4
"""Chance to draw below which a heater that is on counts as idle."""

DISTRUST: Final = 1.5
"""Factor of the relief that is asked for after a round that brought too little."""

SPARE_SHARE: Final = 0.6
"""Part of the limit below which a phase sheds too much, while heaters want heat."""

COLD_ORDERS: Final = frozenset({Order.OFF, Order.FROST})


class PhaseDecision:
    """The decision of one phase, one `step` at a time; sets of heaters are bits."""

    def __init__(
        self,
        number: int,
        heaters: Sequence[Load],
        rooms: Sequence[RoomHeat],
        rules: Rules,
    ) -> None:
        self.number = number
        self.heaters = heaters
        self.rules = rules
        self.seen = Observer(heaters, rooms, rules)
        self.trip = TripModel(rules.breaker_a, rules.breaker_curve)
        self.peaks = Peaks()
        self.limit_a: float | None = None
        self.mask = 0
        """The heaters that are shed."""
        self.helpless = False
        self.claim_a = 0.0
        """What a load that must run now still lacks: heaters leave it."""
        self._planner = Planner(heaters, self.seen, rules)
        self._cold = 0
        """Heaters whose order keeps them from drawing."""
        self._eco = 0
        """Those of the mask that are held at eco, not off."""
        self._switched_s = [NEVER] * len(heaters)
        self._held: dict[int, Reason] = {}
        self._needless_back = 0
        self._relief = _Relief()
        self._rounds = 0
        self._over_s = self._plan_s = self._last_s = self._settled_s = NEVER

    @property
    def staged(self) -> int:
        """The mask as the cards read it: bit 32 + i for a heater that may have eco."""
        return self.mask & ~self._eco | self._eco << ECO_SHIFT

    def adopt(self, now_s: float, staged: int) -> None:
        """Go on from a mask that is in force."""
        every = (1 << len(self.heaters)) - 1
        self._eco = staged >> ECO_SHIFT & every
        mask = staged & every | self._eco
        for bit, heater in enumerate(self.heaters):
            if (mask ^ self.mask) >> bit & 1:
                shed = bool(mask >> bit & 1)
                self._note(now_s, bit, shed)
                limit_a = self.limit_a or 0.0
                self._held[bit] = Reason(self.number, heater, shed, None, limit_a, EARLIER)

    def order(self, now_s: float, bit: int, order: Order) -> None:
        """Take what a heater is ordered."""
        cold = order in COLD_ORDERS
        if cold != bool(self._cold >> bit & 1):
            self._cold ^= 1 << bit
            if not self.mask >> bit & 1:
                self.seen.expect(now_s, Command(bit, not cold))

    def take_urgent(self, urgent: Urgent) -> None:
        """Take the heaters of rooms below their frost floor, and of rooms with a boost."""
        self._planner.frost = self._bits_of(urgent.frost)
        self._planner.boosted = self._bits_of(urgent.boosted)

    def _bits_of(self, codifiers: Collection[str]) -> int:
        return sum(1 << b for b, each in enumerate(self.heaters) if each.codifier in codifiers)

    def step(
        self,
        now_s: float,
        current_a: float | None,
        warning_a: float | None,
        decide: bool = True,
    ) -> Sequence[Reason]:
        """Take currents, and decide unless another shedder does."""
        if not self.heaters:
            return self._without_heaters(now_s, current_a)
        if self.seen.heard_s is None:
            self.seen.heard_s = now_s  # the meter's silence counts from the first step
        silent_s = self.seen.silent_s(now_s)
        if current_a is None and warning_a and silent_s > STANDS_IN_S:
            current_a = warning_a
        if current_a is not None:
            self.seen.take(now_s, current_a)
            self._relief.see(now_s, current_a)
        if self.limit_a is None:
            return []
        if current_a is not None:
            self.trip.take(now_s, current_a, self.limit_a)
            self.peaks.take(current_a, self.trip.filtered_a)
        return self._decide(now_s, current_a, silent_s, self.limit_a) if decide else []

    def _without_heaters(self, now_s: float, current_a: float | None) -> Sequence[Reason]:
        """Keep the current of a phase that has none: steered loads and other phases need it."""
        if current_a is not None:
            self.seen.heard_s, self.seen.current_a = now_s, current_a
            self._relief.see(now_s, current_a)
            if self.limit_a is not None:
                self.trip.take(now_s, current_a, self.limit_a)
        return []

    def _decide(
        self, now_s: float, current_a: float | None, silent_s: float, limit_a: float
    ) -> Sequence[Reason]:
        if current_a is None:
            return self._blind(now_s, silent_s, limit_a)
        if current_a >= limit_a:
            self._over_s = self._plan_s = now_s
            self._eco = 0
            return self._relieve(now_s, current_a, limit_a)
        self.helpless, self._rounds = False, 0
        if self.mask and self.seen.quiet and now_s >= self._earliest():
            return self._plan(now_s, limit_a)
        return []

    def _earliest(self) -> float:
        """Return when heaters may be restored: not within `CALM_S` of an overrun."""
        return max(self._plan_s, self._over_s + min(CALM_S, self.seen.settle_s))

    @property
    def left_a(self) -> float:
        """The current less what was switched off and may not show yet, A."""
        return (self.seen.current_a or 0.0) - self.expected_a

    @property
    def expected_a(self) -> float:
        """What was switched off and may not show yet, A."""
        return self._relief.expected_a

    @property
    def switched_s(self) -> float:
        """When the last heater was switched."""
        return self._last_s

    def expect_relief(self, now_s: float, amperes: float, until_s: float) -> None:
        """Count on a load that was ordered to draw less."""
        self._relief.expect(self.seen.current_a or 0.0, amperes, until_s)
        self._settled_s = max(self._settled_s, until_s)

    def waiting(self) -> list[tuple[int, str]]:
        """Return the priority and codifier of each heater that is shed though its room wants it."""
        return [
            (self._planner.rank(bit), self.heaters[bit].codifier)
            for bit in _bits(self.mask & ~self._cold)
            if self.seen.rooms[bit].wanted(self.rules.want_s) >= WANTING
        ]

    def make_room(self, now_s: float, lacking_a: float, codifier: str) -> list[Reason]:
        """Shed heaters for a load that must run now; keep its current free until it does."""
        self.claim_a = lacking_a
        on = self._on() & ~self._cold & ~self._young(now_s)
        if lacking_a <= 0 or not self.seen.quiet or self._relief.expected_a > 0:
            return []
        chosen = self._planner.relief(on, 0, lacking_a, self.mask)
        if chosen:
            self._settled_s = now_s + self.seen.slowness.settle_s(_bits(chosen))
            drawn_a = sum(self.drawn_a(bit) for bit in _bits(chosen))
            self._relief.expect(self.seen.current_a or 0.0, drawn_a, self._settled_s)
        return [self._off(now_s, bit, "another's turn", [codifier]) for bit in _bits(chosen)]

    def drawn_a(self, bit: int) -> float:
        """Return what a heater is believed to draw, A."""
        if (self.mask | self._cold) >> bit & 1:
            return 0.0
        return self.seen.amperes.of[bit] * self.seen.hypotheses.chance[bit]

    def idle(self, bit: int) -> bool:
        """Return whether a heater that is on probably draws nothing."""
        let = not (self.mask | self._cold) >> bit & 1
        return let and self.seen.quiet and self.seen.hypotheses.chance[bit] < IDLE

    def overdue(self, now_s: float) -> list[Load]:
        """Return the heaters that are shed for longer than they should be, though wanted."""
        late = _bits(self._overdue(now_s) & ~self._recent(now_s, self.rules.maximum_off_s))
        return [self.heaters[bit] for bit in late if self.seen.rooms[bit].short_s > 0]

    def report(self, now_s: float) -> Report:
        """Return the phase as it is now."""
        shed = {
            self.heaters[bit].codifier: Held(
                self._switched_s[bit],
                why.current_a,
                why.limit_a,
                why.cause,
                *self.back_range(now_s, bit),
                why.turn_of,
            )
            for bit, why in self._held.items()
            if self.mask >> bit & 1
        }
        known = {
            heater.codifier: amperes
            for heater, amperes, seen in zip(
                self.heaters, self.seen.amperes.of, self.seen.amperes.seen, strict=True
            )
            if seen
        }
        trip_s = self.trip.seconds_left()
        heard = self.seen.current_a is not None
        silent_s = self.seen.silent_s(now_s) if heard else math.inf
        return Report(self.seen.current_a, self.limit_a, trip_s, shed, known, silent_s)

    def held(self, now_s: float, wall_ms: float) -> dict[str, HeldHeater]:
        """Return the heaters that are shed and why, for the memory."""
        return {
            self.heaters[bit].codifier: HeldHeater(
                wall_ms - 1000 * (now_s - self._switched_s[bit]),
                why.current_a,
                why.limit_a,
                why.cause,
                list(why.turn_of),
            )
            for bit, why in self._held.items()
            if self.mask >> bit & 1 and math.isfinite(self._switched_s[bit])
        }

    def recall(self, now_s: float, wall_ms: float, held: Mapping[str, HeldHeater]) -> None:
        """Take reasons and times of an earlier run for the heaters that are still shed."""
        for bit in _bits(self.mask):
            why = held.get(self.heaters[bit].codifier)
            if why is None:
                continue
            age_s = max(0.0, (wall_ms - why.since_ms) / 1000)
            self._switched_s[bit] = now_s - age_s
            self._held[bit] = Reason(
                self.number,
                self.heaters[bit],
                True,
                why.current,
                why.limit,
                why.cause,
                tuple(why.turn_of),
            )

    # Too much

    def _relieve(self, now_s: float, current_a: float, limit_a: float) -> list[Reason]:
        hurry = self.trip.seconds_left() < HURRY_S
        left_a = current_a - (0.0 if hurry else self._relief.expected_a)
        if left_a <= limit_a - SHOWN_A:
            return []  # what was shed is only on its way
        on = self._on() & ~self._cold
        self._rounds += 1
        need_a = left_a - limit_a + max(self.rules.margin_a, RELIEF_MARGIN_A)
        chosen = on if hurry else self._next(now_s, on, need_a)
        self.helpless = not on
        if chosen:
            expected_a = sum(self.drawn_a(bit) for bit in _bits(chosen))
            self._settled_s = now_s + self.seen.slowness.settle_s(_bits(chosen))
            self._relief.expect(current_a, expected_a, self._settled_s)
        return [self._off(now_s, bit, OVERRUN) for bit in _bits(chosen)]

    def _next(self, now_s: float, on: int, need_a: float) -> int:
        """Return the heaters to shed next; none while those before may still show.

        What did not help as expected is evidence about those heaters and not about the others: the
        next ones follow, with some distrust. Where no heater seems to draw, the estimate is wrong
        somewhere, and the heaters go one at a time.
        """
        need_a *= DISTRUST if self._rounds > 1 else 1.0
        chosen = self._planner.relief(on, self._young(now_s), need_a, self.mask)
        if chosen or now_s < self._settled_s:
            return chosen
        return self._planner.likeliest(on)

    # RoomHeat again

    def _plan(self, now_s: float, limit_a: float) -> list[Reason]:
        """Restore what fits; where heat is short, let rooms take turns."""
        obeyed_s = self._last_s + SLOWEST_S
        self._plan_s = now_s + self.rules.minimum_off_s / PLANS_A_REST
        if now_s < obeyed_s:
            self._plan_s = min(self._plan_s, obeyed_s)
        base_a = max(self.seen.hypotheses.base_a, self.seen.surge.expected_a(now_s))
        room_a = limit_a - self.rules.margin_a - base_a - self.claim_a
        on = self._on() & ~self._cold
        off = self.mask & ~self._recent(now_s, self.rules.minimum_off_s)
        reserved = self._planner.reserved(on)
        free_a = room_a - sum(reserved[bit] for bit in _bits(on))
        bit = self._planner.returning(off, free_a, self._cold)
        if bit is None and (needless := self._needless(now_s, limit_a)):
            spare_a = limit_a - self.rules.margin_a - (self.seen.current_a or 0.0)
            bit = self._planner.returning(needless, spare_a, self._cold)
            self._needless_back |= 0 if bit is None else 1 << bit
        if bit is not None:
            self._plan_s = now_s
            return [self._back(now_s, bit, "room again")]
        locked = on & self._young(now_s)
        wanted = self._planner.turns(
            on & ~locked, locked, off & ~self._cold, room_a, self._overdue(now_s)
        )
        if not wanted & off:
            return []
        # Those whose turn ends go first; who comes in fits once that has shown.
        self._plan_s = now_s
        out = on & ~locked & ~wanted
        turn_of = [self.heaters[bit].codifier for bit in _bits(wanted & off)]
        reasons = [self._off(now_s, bit, "another's turn", turn_of) for bit in _bits(out)]
        if self.rules.eco_first:
            warm = (bit for bit in _bits(out) if self.seen.rooms[bit].short_s < self.rules.want_s)
            self._eco |= sum(1 << bit for bit in warm)
        return reasons

    def _needless(self, now_s: float, limit_a: float) -> int:
        """Return the heaters of unknown current that an overrun took, where it took too much.

        Nothing is known after a first start, so a relief may free twice of what was needed, and
        guessed reservations of the other heaters may fill the limit for minutes. These heaters
        need not wait for the minimum off time, and only what is measured stands in their way. Each
        of them returns alone, so its current is known afterwards; in any case this happens to it
        once. The slowest heaters must have obeyed before, or their late steps would be taken for
        its own.
        """
        current_a = self.seen.current_a
        if now_s - self._last_s < SLOWEST_S:
            return 0
        if current_a is None or current_a - SHOWN_A >= SPARE_SHARE * limit_a:
            return 0
        return (
            sum(
                1 << bit
                for bit, why in self._held.items()
                if why.cause == OVERRUN
                and self.mask >> bit & 1
                and not self.seen.amperes.known(bit)
            )
            & ~self._needless_back
        )

    # The meter is silent

    def _blind(self, now_s: float, silent_s: float, limit_a: float) -> list[Reason]:
        cause = "meter silent"
        on = self._on() & ~self._cold
        if silent_s <= self.rules.blind_after_s:
            if self.seen.current_a is None or not self.seen.silent(now_s, self.rules.silence_s):
                return []
            expected_a = max(self.seen.hypotheses.base_a, self.seen.surge.expected_a(now_s))
            chosen = self._planner.caution(on, limit_a, expected_a)
            return [self._off(now_s, bit, cause) for bit in _bits(chosen)]
        if self.seen.current_a is not None:
            self.seen.forget()
        keep = self._planner.share(limit_a * self.rules.blind_share)
        out = on & ~keep & ~self._young(now_s)
        if out:
            return [self._off(now_s, bit, cause) for bit in _bits(out)]
        back = self.mask & keep & ~self._recent(now_s, self.rules.minimum_off_s)
        if back and now_s - self._last_s >= BLIND_INTERVAL_S:
            first = max(_bits(back), key=lambda bit: (self._planner.rank(bit), -bit))
            return [self._back(now_s, first, cause)]
        return []

    # Switching

    def _on(self) -> int:
        return (1 << len(self.heaters)) - 1 & ~self.mask

    def _recent(self, now_s: float, seconds: float) -> int:
        """Return the heaters switched within this time."""
        return sum(1 << b for b, at_s in enumerate(self._switched_s) if now_s - at_s < seconds)

    def _young(self, now_s: float) -> int:
        return self._recent(now_s, self.rules.minimum_on_s) & ~self.mask

    def _overdue(self, now_s: float) -> int:
        """Return the heaters that must have their turn: frost does not wait that long."""
        late = self.mask & ~self._recent(now_s, self.rules.maximum_off_s)
        frozen = self.mask & self._planner.frost & ~self._recent(now_s, self.rules.minimum_off_s)
        return (late | frozen) & ~self._cold

    def back_range(self, now_s: float, bit: int) -> tuple[float, float]:
        """Return the range of seconds in which most shed heaters like this one return."""
        return return_range(self.until_return(now_s, bit))

    def until_return(self, now_s: float, bit: int) -> UntilReturn:
        """Return what is known of the return of a shed heater."""
        rest_s = max(0.0, self._switched_s[bit] + self.rules.minimum_off_s - now_s)
        room = self.seen.rooms[bit]
        asking_s = max(0.0, (self.rules.want_s - room.short_s) / room.share)
        return UntilReturn(rest_s, asking_s, max(0.0, now_s - self._switched_s[bit]))

    def _off(self, now_s: float, bit: int, cause: str, turn_of: Sequence[str] = ()) -> Reason:
        self._note(now_s, bit, True)
        self._held[bit] = self._reason(bit, True, cause)._replace(turn_of=turn_of)
        return self._held[bit]

    def _back(self, now_s: float, bit: int, cause: str) -> Reason:
        self._note(now_s, bit, False)
        return self._reason(bit, False, cause)

    def _note(self, now_s: float, bit: int, shed: bool) -> None:
        self.mask = self.mask & ~(1 << bit) | shed << bit
        self._eco &= self.mask
        self._switched_s[bit] = self._last_s = now_s
        if not self._cold >> bit & 1:
            self.seen.expect(now_s, Command(bit, not shed))

    def _reason(self, bit: int, shed: bool, cause: str) -> Reason:
        limit_a = math.nan if self.limit_a is None else self.limit_a
        return Reason(self.number, self.heaters[bit], shed, self.seen.current_a, limit_a, cause)


class _Relief:
    """Load that was switched off and may not show yet."""

    def __init__(self) -> None:
        self.expected_a = 0.0
        self._before_a = 0.0
        self._until_s = NEVER

    def expect(self, before_a: float, more_a: float, until_s: float) -> None:
        self._before_a, self._until_s = before_a, until_s
        self.expected_a += more_a

    def see(self, now_s: float, current_a: float) -> None:
        """Take a current: every new low is relief that has come."""
        if now_s >= self._until_s:
            self.expected_a = 0.0
        elif current_a < self._before_a:
            self.expected_a = max(0.0, self.expected_a - (self._before_a - current_a))
            self._before_a = current_a


def _bits(bits: int) -> list[int]:
    return [bit for bit in range(bits.bit_length()) if bits >> bit & 1]
