"""One policy on one day: the meter sends at its pace, the policy decides, the heaters obey."""

import time
from typing import Final

from bench.judge.bound import Bound
from bench.judge.case import Case, wiring
from bench.judge.faults import Faults
from bench.judge.pace import Pace
from bench.judge.policies import Maker, Policy
from bench.judge.scorer import DayScore, Scorer
from jph.config.house.loads import Wiring
from jph.heating.orders.coding import Order
from jph.heating.shedding import Readings
from jph.heating.shedding.rules import RoomReading
from jph.sim.physics import SimulatedHouse
from jph.sim.physics.protection import Protection

ROOMS_S: Final = 30.0
"""Interval of the rooms' thermometers."""

TIMER_S: Final = 1.0
"""Interval of calls to a policy that receives nothing."""


def judge(case: Case, make: Maker | None) -> DayScore:
    """Return the score of a policy on a day; without a policy, that of perfect knowledge."""
    spec = case.house()
    house = SimulatedHouse(spec, seed=case.seed, start_s=case.start_s, indoor_c=case.indoor_c())
    scorer = Scorer(house, Protection(spec.subscribed_a, opens_at=case.opens_at))
    started_s = time.process_time()
    if make is None:
        Bound(scorer).run(case.end_s)
    else:
        table = wiring(spec, watts=case.watts, seed=case.seed)
        _Day(case, scorer, table, make(table)).run()
    score = scorer.finish()
    score.cpu_s = time.process_time() - started_s
    return score


class _Day:
    def __init__(self, case: Case, scorer: Scorer, table: Wiring, policy: Policy) -> None:
        self._end_s = case.end_s
        self._scorer = scorer
        self._house = scorer.house
        self._table = table
        self._policy = policy
        self._faults = Faults(case.seed, case.hours) if case.faults else None
        begins_s = self._house.time_s + case.meter_s
        self._meter = Pace(self._house.spec.subscribed_a, begins_s, case.mode)
        self._masks = dict.fromkeys(table.phases, 0)
        self._stepped_s = self._house.time_s
        self._switchings = 0
        self._measured_s = -ROOMS_S

    def run(self) -> None:
        """Run the day."""
        house, scorer, meter = self._house, self._scorer, self._meter
        limit_a = float(house.spec.subscribed_a)
        house.watch = self._changed
        self._step(Readings(limits=dict.fromkeys(self._table.phases, limit_a)))
        while house.time_s < self._end_s:
            until_s = min(meter.due_s, self._stepped_s + TIMER_S, self._end_s)
            if scorer.dead_until_s is not None:
                until_s = min(until_s, scorer.dead_until_s)
            house.step(max(0.0, until_s - house.time_s))
            scorer.account()
            self._at_the_meter()
            if scorer.dead_until_s is None:
                if house.time_s >= self._stepped_s + TIMER_S:
                    self._step(Readings())
            elif house.time_s >= scorer.dead_until_s:
                scorer.rearm()
            else:
                self._stepped_s = house.time_s  # the shedder has no power either
        scorer.score.switchings = self._switchings / len(house.heaters)

    def _changed(self) -> bool:
        """Account for a change of current, and let the meter see it."""
        self._scorer.account()
        self._meter.notice(self._house.time_s, self._house.amps)
        return True

    def _at_the_meter(self) -> None:
        house = self._house
        while house.time_s >= self._meter.due_s:
            sent = self._meter.step(house.time_s, house.amps)
            if sent is None or self._scorer.dead_until_s is not None:
                continue
            if self._faults is None or self._faults.heard(sent.time_s):
                self._step(Readings(currents=sent.currents, warnings=sent.warnings))

    def _step(self, readings: Readings) -> None:
        self._stepped_s = self._house.time_s
        if self._stepped_s - self._measured_s >= ROOMS_S:
            self._measured_s = self._stepped_s
            readings = readings._replace(rooms=self._thermometers())
        masks = self._policy.step(self._stepped_s, readings).masks
        for phase, mask in masks.items():
            changed = mask ^ self._masks[phase]
            if changed:
                self._apply(phase, mask, changed)

    def _thermometers(self) -> dict[str, RoomReading]:
        """Return the air of each room as a usual thermometer shows it, and its wish."""
        wish_c = self._house.comfort_c
        rooms = self._house.rooms.items()
        return {name: RoomReading(round(room.air_c, 1), wish_c) for name, room in rooms}

    def _apply(self, phase: int, mask: int, changed: int) -> None:
        self._masks[phase] = mask
        held = self._table.held(phase, mask)
        for codifier in self._table.held(phase, changed):
            self._house.order(codifier, held.get(codifier, Order.COMFORT))
            self._switchings += 1
