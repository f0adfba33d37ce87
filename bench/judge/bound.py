"""The best possible result, with perfect knowledge: an upper bound for every policy.

At every change it knows the current of each appliance and the watts of each heater, and gives the
heaters that call for heat the power that is left under the limit, coldest room first. It needs no
meter and no pilot wire, switches without limit, and gives the last heater the part of its power
that still fits: as long as one heater calls, the phase is full.
"""

from bench.judge.scorer import Scorer
from jph.sim.physics.house import SimulatedHeater
from jph.sim.physics.spec import PHASES, VOLTS


class Bound:
    """Controls every heater of a house with perfect knowledge."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._house = scorer.house
        self._limit_w = self._house.spec.subscribed_a * VOLTS
        self._phases: dict[int, list[SimulatedHeater]] = {phase: [] for phase in PHASES}
        for heater in self._house.heaters.values():
            self._phases[heater.spec.phase].append(heater)

    def run(self, end_s: float) -> None:
        """Advance the house to `end_s`."""
        house = self._house
        house.watch = self._changed
        while house.time_s < end_s:
            house.step(min(10.0, end_s - house.time_s))
            self._scorer.account()

    def _changed(self) -> bool:
        for phase, heaters in self._phases.items():
            self._share_out(heaters, self._limit_w - self._house.appliance_amps(phase) * VOLTS)
        self._scorer.account()
        return False

    def _share_out(self, heaters: list[SimulatedHeater], left_w: float) -> None:
        calling = [heater for heater in heaters if heater.on]
        if sum(heater.spec.watts for heater in calling) > left_w:
            calling.sort(key=lambda heater: heater.room.air_c)
        for heater in calling:
            watts = max(0.0, min(heater.spec.watts, left_w))
            left_w -= watts
            self._house.throttle(heater.spec.codifier, watts / heater.spec.watts)
