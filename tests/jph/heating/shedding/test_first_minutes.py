"""The first minutes of a policy that knows nothing: it sheds as little as is safe."""

from dataclasses import replace
from itertools import pairwise

import pytest

from bench.judge.case import Case, wiring
from bench.judge.neighbourhood import Sizing
from jph.heating.orders.coding import Order
from jph.heating.shedding import Readings, Rules, SheddingPolicy
from jph.heating.shedding.estimates.slowness import SLOWEST_S
from jph.sim.physics import SimulatedHouse

FRAME_S = 1.7
START_S = 200.0
SHARE = 0.6
LONGEST_S = SLOWEST_S + 3 * FRAME_S
"""The settling time of the slowest heaters, and the frames that show a relief and a return."""


class FreshStart:
    """A simulated house with cold rooms and no appliances, and a policy that has just started."""

    def __init__(self, sizing: Sizing, seed: int) -> None:
        spec = replace(Case(sizing=sizing, seed=seed).house(), appliances=())
        self.house = SimulatedHouse(spec, seed=seed, indoor_c=17.0)
        self.house.step(60.0)  # all heaters are awake
        self.wires = wiring(spec)
        self.limit_a = float(spec.subscribed_a)
        self.policy = SheddingPolicy(self.wires, self.wires.phases, Rules())
        self.masks = dict.fromkeys(self.wires.phases, 0)
        limits = dict.fromkeys(self.wires.phases, self.limit_a)
        self.policy.step(self.house.time_s, Readings(limits=limits))
        self.low_s: dict[int, list[float]] = {phase: [] for phase in self.wires.phases}
        """Times of the frames in which a phase had spare current and a cold heater was off."""

    def frame(self) -> None:
        """Let a frame of the meter pass and the heaters obey."""
        house = self.house
        house.step(FRAME_S)
        currents = {p: float(round(house.amps[p - 1])) for p in self.wires.phases}
        masks = self.policy.step(house.time_s, Readings(currents=currents)).masks
        for phase, mask in masks.items():
            if mask and house.amps[phase - 1] < SHARE * self.limit_a:
                self.low_s[phase].append(house.time_s)
            held = self.wires.held(phase, mask)
            for codifier in self.wires.held(phase, mask ^ self.masks[phase]):
                house.order(codifier, held.get(codifier, Order.COMFORT))
        self.masks = dict(masks)

    def longest_low_s(self) -> float:
        """Return the longest time for which a phase had spare current."""
        longest_s = 0.0
        for times in self.low_s.values():
            since_s = times[0] if times else 0.0
            for before_s, at_s in pairwise(times):
                since_s = at_s if at_s - before_s > 1.5 * FRAME_S else since_s
                longest_s = max(longest_s, at_s - since_s)
        return longest_s


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizing", Sizing)
def test_no_phase_has_spare_current_while_cold_rooms_wait(sizing: Sizing, seed: int) -> None:
    start = FreshStart(sizing, seed)
    for _ in range(round(START_S / FRAME_S)):
        start.frame()
    assert any(start.masks.values()) or sizing is Sizing.LIGHT
    assert start.longest_low_s() <= LONGEST_S
