"""A card through any life: orders, masks, silences, power cuts, restarts, in any order."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jph.config.house.loads import Wiring
from jph.heating.card.leases import Fallback, Stage
from jph.heating.card.outputs import Card
from jph.heating.orders.coding import COLDEST_FIRST, Order, decode
from jph.heating.orders.orderbook import Given, from_stored, to_stored
from tests.jph.heating.shedding.loads import pilot_heater

PHASES = (1, 2)
HOUSE = Wiring(
    pilot_heater(
        f"{card}{wire}",
        f"P{card}",
        wire,
        1 + (wire > 2),
        2 * (card - 1) + (wire - 1) % 2,
        "",
        "",
        500.0 * wire,
        wire,
        solid_state=wire % 2 == 0,
    )
    for card in (1, 2)
    for wire in range(1, 5)
)
RULES = Fallback(hold_s=60, meter_hold_s=90, share=0.5, share_s=300, release_interval_s=5)
CODES = [heater.codifier for heater in HOUSE.card("P1")]


class CardLife(RuleBasedStateMachine):
    """A card, its disk and its chip, beside a plain record of what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.disk: dict[str, Any] = {}
        self.ordered = dict.fromkeys(CODES, Order.COMFORT)
        self.masks: dict[int, tuple[int, float]] = {}
        self.latches = (0, 0)
        self.released_s = dict.fromkeys(PHASES, -RULES.release_interval_s)
        self.stages = dict.fromkeys(PHASES, Stage.LIVE)
        self.held: frozenset[str] = frozenset()
        self.card = self.made()

    def made(self) -> Card:
        card = Card(HOUSE, "P1", RULES, PHASES, self.now_s)
        orders, mistakes = from_stored(self.disk, card.heaters.values())
        assert not mistakes
        card.given.update(orders)
        return card

    @rule(code=st.sampled_from(CODES), order=st.sampled_from(Order))
    def order(self, code: str, order: Order) -> None:
        if self.card.heaters[code].takes(order):
            self.ordered[code] = order
            given = {**self.card.given, code: Given(order, "CC", 1)}
            self.disk = to_stored(given)
            self.card.given = given

    @rule(phase=st.sampled_from(PHASES), off=st.integers(0, 15), eco=st.integers(0, 15))
    def mask(self, phase: int, off: int, eco: int) -> None:
        mask = off | eco << 32
        self.masks[phase] = mask, self.now_s
        self.card.hear(phase, mask, self.now_s)

    @rule(phase=st.sampled_from(PHASES))
    def meter(self, phase: int) -> None:
        self.card.see(phase, self.now_s)

    @rule(seconds=st.one_of(st.floats(0, 10), st.sampled_from([30, 59, 60, 61, 90, 400])))
    def silence(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(power_cut=st.booleans())
    def restart(self, power_cut: bool) -> None:
        self.card = self.made()
        self.masks.clear()
        if not power_cut:
            self.card.adopt(self.latches)
        before, self.latches = decode(self.latches), self.card.step(self.now_s).latches
        after = decode(self.latches)
        for code, heater in self.card.heaters.items():
            was, now = before[heater.actuator.wire], after[heater.actuator.wire]
            if not power_cut and was is Order.OFF:
                assert now is Order.OFF, f"{code} was let go by a restart"
        self.held = self.card.step(self.now_s).held
        self.stages = self.card.stages(self.now_s)

    @invariant()
    def all_is_well(self) -> None:
        out = self.card.step(self.now_s)
        wires = decode(out.latches)
        assert {code: given.order for code, given in self.card.given.items()} == self.ordered
        for code, heater in self.card.heaters.items():
            order = out.orders[code]
            assert COLDEST_FIRST.index(order) <= COLDEST_FIRST.index(self.ordered[code])
            assert code in out.held or order is self.ordered[code]
            assert order.pulsed or wires[heater.actuator.wire] is order
            mask, heard_s = self.masks.get(heater.phase, (0, -RULES.hold_s))
            if self.now_s - heard_s < RULES.hold_s and mask >> heater.bit & 1:
                assert order is Order.OFF
        self.one_at_a_time(out.held)
        self.latches, self.held = out.latches, out.held
        self.stages = self.card.stages(self.now_s)

    def one_at_a_time(self, held: frozenset[str]) -> None:
        for phase in PHASES:
            if self.stages[phase] is Stage.LIVE:
                continue
            back = [c for c in self.held - held if HOUSE.heaters[c].phase == phase]
            assert len(back) <= 1
            if back:
                assert self.now_s - self.released_s[phase] >= RULES.release_interval_s
                self.released_s[phase] = self.now_s


TestCardLife = CardLife.TestCase
TestCardLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
