"""Decides for one phase: when to shed, when to restore, and which heaters must wait. Pure."""

import math
from collections.abc import Collection, Sequence
from typing import Final

from jph.config.house.loads import ECO_SHIFT, Load
from jph.heating.orders.coding import Order
from jph.heating.shedding.decision.phase_state import PhaseState, bits_of
from jph.heating.shedding.decision.shed_heaters import EARLIER
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.estimates.hypotheses import Command
from jph.heating.shedding.estimates.slowness import SLOWEST_S
from jph.heating.shedding.rules import NEVER, Reason, Rules, Urgent

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

DISTRUST: Final = 1.5
"""Factor of the relief that is asked for after a round that brought too little."""

SPARE_SHARE: Final = 0.6
"""Part of the limit below which a phase sheds too much, while heaters want heat."""

COLD_ORDERS: Final = frozenset({Order.OFF, Order.FROST})


class PhaseDecision(PhaseState):
    """The decision of one phase, one `step` at a time; sets of heaters are bits."""

    def __init__(
        self, number: int, heaters: Sequence[Load], rooms: Sequence[RoomHeat], rules: Rules
    ) -> None:
        super().__init__(number, heaters, rooms, rules)
        self._needless_back = 0
        self._rounds = 0
        self._over_s = self._plan_s = NEVER

    def adopt(self, now_s: float, staged: int) -> None:
        """Go on from a mask that is in force."""
        every = (1 << len(self.heaters)) - 1
        eco = staged >> ECO_SHIFT & every
        mask = staged & every | eco
        for bit in bits_of(mask ^ self.mask):
            self._switch(now_s, bit, self._reason(bit, bool(mask >> bit & 1), None, EARLIER))
        self._shed.eco = eco & self.mask

    def order(self, now_s: float, bit: int, order: Order) -> None:
        """Take what a heater is ordered."""
        cold = order in COLD_ORDERS
        if cold != bool(self._cold >> bit & 1):
            self._cold ^= 1 << bit
            if not self.mask >> bit & 1:
                self.seen.expect(now_s, Command(bit, not cold))

    def take_urgent(self, urgent: Urgent) -> None:
        """Take the heaters of rooms below their frost floor, and of rooms with a boost."""
        self._planner.frost = self._named(urgent.frost)
        self._planner.boosted = self._named(urgent.boosted)

    def _named(self, codifiers: Collection[str]) -> int:
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
            self._shed.eco = 0
            return self._relieve(now_s, current_a, limit_a)
        self.helpless, self._rounds = False, 0
        if self.mask and self.seen.quiet and now_s >= self._earliest():
            return self._plan(now_s, limit_a)
        return []

    def _earliest(self) -> float:
        """Return when heaters may be restored: not within `CALM_S` of an overrun."""
        return max(self._plan_s, self._over_s + min(CALM_S, self.seen.settle_s))

    def expect_relief(self, now_s: float, amperes: float, until_s: float) -> None:
        """Count on a load that was ordered to draw less."""
        settled_s = max(self._relief.settled_s, until_s)
        self._relief.expect(self.seen.current_a or 0.0, amperes, until_s)
        self._relief.settled_s = settled_s

    def make_room(self, now_s: float, lacking_a: float, codifier: str) -> list[Reason]:
        """Shed heaters for a load that must run now; keep its current free until it does."""
        self.claim_a = lacking_a
        on = self._on() & ~self._cold & ~self._young(now_s)
        if lacking_a <= 0 or not self.seen.quiet or self._relief.expected_a > 0:
            return []
        chosen = self._planner.relief(on, 0, lacking_a, self.mask)
        if chosen:
            self._expect(now_s, self.seen.current_a or 0.0, chosen)
        return [self._off(now_s, bit, "another's turn", [codifier]) for bit in bits_of(chosen)]

    def overdue(self, now_s: float) -> list[Load]:
        """Return the heaters that are shed for longer than they should be, though wanted."""
        late = bits_of(self._overdue(now_s) & ~self._shed.recent(now_s, self.rules.maximum_off_s))
        return [self.heaters[bit] for bit in late if self.seen.rooms[bit].short_s > 0]

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
            self._expect(now_s, current_a, chosen)
        return [self._off(now_s, bit, OVERRUN) for bit in bits_of(chosen)]

    def _expect(self, now_s: float, current_a: float, chosen: int) -> None:
        """Wait for heaters that are shed now to show."""
        drawn_a = sum(self.drawn_a(bit) for bit in bits_of(chosen))
        settle_s = self.seen.slowness.settle_s(bits_of(chosen))
        self._relief.expect(current_a, drawn_a, now_s + settle_s)

    def _next(self, now_s: float, on: int, need_a: float) -> int:
        """Return the heaters to shed next; none while those before may still show.

        What did not help as expected is evidence about those heaters and not about the others: the
        next ones follow, with some distrust. Where no heater seems to draw, the estimate is wrong
        somewhere, and the heaters go one at a time.
        """
        need_a *= DISTRUST if self._rounds > 1 else 1.0
        chosen = self._planner.relief(on, self._young(now_s), need_a, self.mask)
        if chosen or now_s < self._relief.settled_s:
            return chosen
        return self._planner.likeliest(on)

    # RoomHeat again

    def _plan(self, now_s: float, limit_a: float) -> list[Reason]:
        """Restore what fits; where heat is short, let rooms take turns."""
        obeyed_s = self._shed.last_s + SLOWEST_S
        self._plan_s = now_s + self.rules.minimum_off_s / PLANS_A_REST
        if now_s < obeyed_s:
            self._plan_s = min(self._plan_s, obeyed_s)
        base_a = max(self.seen.hypotheses.base_a, self.seen.surge.expected_a(now_s))
        room_a = limit_a - self.rules.margin_a - base_a - self.claim_a
        on = self._on() & ~self._cold
        off = self.mask & ~self._shed.recent(now_s, self.rules.minimum_off_s)
        reserved = self._planner.reserved(on)
        free_a = room_a - sum(reserved[bit] for bit in bits_of(on))
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
        turn_of = [self.heaters[bit].codifier for bit in bits_of(wanted & off)]
        reasons = [self._off(now_s, bit, "another's turn", turn_of) for bit in bits_of(out)]
        if self.rules.eco_first:
            warm = (bit for bit in bits_of(out) if self.seen.rooms[bit].short_s < self.rules.want_s)
            self._shed.eco |= sum(1 << bit for bit in warm)
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
        if now_s - self._shed.last_s < SLOWEST_S:
            return 0
        if current_a is None or current_a - SHOWN_A >= SPARE_SHARE * limit_a:
            return 0
        return (
            sum(
                1 << bit
                for bit, why in self._shed.reasons()
                if why.cause == OVERRUN and not self.seen.amperes.known(bit)
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
            return [self._off(now_s, bit, cause) for bit in bits_of(chosen)]
        if self.seen.current_a is not None:
            self.seen.forget()
        keep = self._planner.share(limit_a * self.rules.blind_share)
        out = on & ~keep & ~self._young(now_s)
        if out:
            return [self._off(now_s, bit, cause) for bit in bits_of(out)]
        back = self.mask & keep & ~self._shed.recent(now_s, self.rules.minimum_off_s)
        if back and now_s - self._shed.last_s >= BLIND_INTERVAL_S:
            first = max(bits_of(back), key=lambda bit: (self._planner.rank(bit), -bit))
            return [self._back(now_s, first, cause)]
        return []

    # Switching

    def _on(self) -> int:
        return (1 << len(self.heaters)) - 1 & ~self.mask

    def _young(self, now_s: float) -> int:
        return self._shed.recent(now_s, self.rules.minimum_on_s) & ~self.mask

    def _overdue(self, now_s: float) -> int:
        """Return the heaters that must have their turn: frost does not wait that long."""
        late = self.mask & ~self._shed.recent(now_s, self.rules.maximum_off_s)
        frozen = (
            self.mask & self._planner.frost & ~self._shed.recent(now_s, self.rules.minimum_off_s)
        )
        return (late | frozen) & ~self._cold

    def _off(self, now_s: float, bit: int, cause: str, turn_of: Sequence[str] = ()) -> Reason:
        reason = self._reason(bit, True, self.seen.current_a, cause, turn_of)
        return self._switch(now_s, bit, reason)

    def _back(self, now_s: float, bit: int, cause: str) -> Reason:
        reason = self._reason(bit, False, self.seen.current_a, cause)
        return self._switch(now_s, bit, reason)

    def _switch(self, now_s: float, bit: int, reason: Reason) -> Reason:
        self._shed.switch(now_s, bit, reason)
        if not self._cold >> bit & 1:
            self.seen.expect(now_s, Command(bit, not reason.shed))
        return reason

    def _reason(
        self,
        bit: int,
        shed: bool,
        current_a: float | None,
        cause: str,
        turn_of: Sequence[str] = (),
    ) -> Reason:
        limit_a = math.nan if self.limit_a is None else self.limit_a
        return Reason(self.number, self.heaters[bit], shed, current_a, limit_a, cause, turn_of)
