"""Shedder, card and person together: whatever happens in whatever order, what must always hold."""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jph.config.house.loads import Wiring, ceilings
from jph.heating.card.leases import Fallback, Stage
from jph.heating.card.outputs import Card
from jph.heating.orders.coding import Order, lowest
from jph.heating.orders.orderbook import Given
from jph.heating.shedding import Decision, Readings, Rules, SheddingPolicy
from tests.jph.heating.shedding.shedhouse import LIMIT, heater

LEASE = Fallback(
    hold_s=20.0, meter_hold_s=40.0, share_s=60.0, after=Stage.ORDERS, release_interval_s=5.0
)
RULES = Rules()
STATIC = [Order.COMFORT, Order.OFF, Order.FROST, Order.ECO]


class HeatingLife(RuleBasedStateMachine):
    """One phase: a policy that may die, a card that may restart, a person who gives orders."""

    @initialize(
        amperes=st.lists(st.none() | st.floats(2.0, 10.0), min_size=1, max_size=8),
        priorities=st.lists(st.integers(1, 3), min_size=8, max_size=8),
        eco_first=st.booleans(),
    )
    def build(self, amperes: list[float | None], priorities: list[int], eco_first: bool) -> None:
        self.heaters = [
            heater(f"1{bit + 1}", bit, priorities[bit], None if a is None else a * 230.0)
            for bit, a in enumerate(amperes)
        ]
        self.wiring = Wiring(self.heaters)
        self.policy_rules = Rules(eco_first=eco_first)
        self.now_s = 1000.0
        self.orders = {h.codifier: Order.COMFORT for h in self.heaters}
        self.alive = True
        self.mask = self.told = 0
        self.told_s = self.now_s
        self.dead_s = math.inf
        self.shed_s = dict.fromkeys(range(8), -math.inf)
        self.back_s = dict.fromkeys(range(8), -math.inf)
        self.over = self.silent = False
        self.policy = self.new_policy()
        self.card = Card(self.wiring, "P1", LEASE, (1,), self.now_s)
        self.out = self.card.step(self.now_s)

    def new_policy(self) -> SheddingPolicy:
        policy = SheddingPolicy(self.wiring, [1], self.policy_rules)
        self.early: set[int] = set()
        policy.adopt(self.now_s, {1: self.mask})
        policy.step(self.now_s, Readings(limits={1: LIMIT}, orders=self.orders))
        return policy

    def tick(self, current: float | None, seconds: float) -> None:
        """Let time pass, let the policy decide if it lives, and the card obey."""
        self.now_s += seconds
        if current is not None:
            self.card.see(1, self.now_s)
        if self.alive:
            self.over = current is not None and current >= LIMIT
            self.silent = current is None
            self.current = math.inf if current is None else current
            currents = {} if current is None else {1: current}
            decision = self.policy.step(self.now_s, Readings(currents=currents))
            self.check(decision)
            self.mask = self.told = decision.masks[1]
            self.told_s = self.now_s
            self.card.hear(1, self.mask, self.now_s)
        self.out = self.card.step(self.now_s)

    def check(self, decision: Decision) -> None:
        """Invariant 5: minimum times, except to prevent a trip, or after a first, blind relief."""
        new, old = shed(decision.masks[1]), shed(self.mask)
        assert (old & ~new).bit_count() <= 1  # one comes back at a time
        assert sum(1 << r.heater.bit for r in decision.reasons) == old ^ new
        for bit in range(len(self.heaters)):
            if new & ~old & 1 << bit:
                rested = self.now_s - self.back_s[bit] >= RULES.minimum_on_s
                assert rested or self.over or self.silent
                self.shed_s[bit] = self.now_s
            elif old & ~new & 1 << bit:
                assert not self.over
                rested = self.now_s - self.shed_s[bit] >= RULES.minimum_off_s
                assert rested or (self.current < 0.6 * LIMIT + 0.5 and bit not in self.early)
                self.early |= set() if rested else {bit}
                self.back_s[bit] = self.now_s

    @rule(current=st.floats(0, 70), seconds=st.floats(0.1, 5), frames=st.integers(1, 30))
    def hear(self, current: float, seconds: float, frames: int) -> None:
        for _ in range(frames):
            self.tick(round(current), seconds)

    @rule(seconds=st.floats(0.5, 2), times=st.integers(1, 200))
    def silence(self, seconds: float, times: int) -> None:
        for _ in range(times):
            self.tick(None, seconds)

    @rule(bit=st.integers(0, 7), order=st.sampled_from(STATIC))
    def order(self, bit: int, order: Order) -> None:
        code = self.heaters[bit % len(self.heaters)].codifier
        self.card.given[code] = Given(order)
        self.orders[code] = order
        if self.alive:
            self.policy.step(self.now_s, Readings(orders={code: order}))
            self.mask = self.policy.step(self.now_s, Readings()).masks[1]
        self.tick(None, 0.1)

    @rule()
    def kill_the_shedder(self) -> None:
        if self.alive:
            self.alive, self.dead_s = False, self.now_s

    @rule()
    def start_a_shedder(self) -> None:
        if not self.alive:
            self.alive, self.dead_s = True, math.inf
            self.shed_s = dict.fromkeys(range(8), self.now_s)
            self.policy = self.new_policy()

    @rule()
    def restart_the_card(self) -> None:
        given, latches = self.card.given, self.out.latches
        self.card = Card(self.wiring, "P1", LEASE, (1,), self.now_s)
        self.card.given.update(given)
        self.card.adopt(latches)
        if not self.alive:
            self.dead_s = max(self.dead_s, self.now_s)  # its silence counts from here
        self.told, self.told_s = 0, -math.inf
        self.out = self.card.step(self.now_s)

    @rule()
    def calm_at_last(self) -> None:
        """When the current stays low, only who does not fit beside all the others stays shed."""
        if self.alive:
            for _ in range(200 * len(self.heaters)):
                self.tick(0.0, 2.0)
            amperes = self.policy._phases[1].seen.amperes.of
            assert self.mask == 0 or sum(amperes) > LIMIT - RULES.margin_a

    @invariant()
    def shed_is_off(self) -> None:
        """Invariant 1: a heater is never warmer than its mask lets it."""
        if not hasattr(self, "out") or self.now_s - self.told_s >= LEASE.hold_s:
            return
        for code, ceiling in ceilings(self.heaters, self.told).items():
            wire = self.out.wires[self.wiring.heaters[code].actuator.wire]
            assert lowest(wire, ceiling) is wire

    @invariant()
    def the_lowest_order_wins_and_none_is_lost(self) -> None:
        """Invariants 2 and 3."""
        if not hasattr(self, "out"):
            return
        for code, order in self.orders.items():
            assert self.card.given[code].order is order
            applied = self.out.orders[code]
            assert lowest(applied, order) is applied
            assert applied is order or code in self.out.held

    @invariant()
    def no_lease_outlives_its_owner(self) -> None:
        """Invariant 4: the fallback ends too, one heater at a time."""
        if not hasattr(self, "out") or self.alive:
            return
        longest_s = LEASE.hold_s + LEASE.share_s + 9 * LEASE.release_interval_s + 80.0
        if self.now_s - self.dead_s > longest_s + LEASE.meter_hold_s:
            assert self.out.held == frozenset()


def shed(staged: int) -> int:
    """Return the heaters of a mask, whatever their stage."""
    return (staged | staged >> 32) & 0xFFFF_FFFF


HeatingLife.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestHeatingLife = HeatingLife.TestCase
