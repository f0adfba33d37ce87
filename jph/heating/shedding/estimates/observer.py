"""Observes one phase: its current, its heaters and the commands that have not shown. Pure."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from jph.config.house.loads import Load
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.estimates.hypotheses import Command, HypothesisFilter, Step
from jph.heating.shedding.estimates.learned_current import LearnedCurrents
from jph.heating.shedding.estimates.surge import Surge
from jph.heating.shedding.rules import NEVER, Rules

LIKELY: Final = 0.7
UNLIKELY: Final = 0.3
"""Chances from which a heater counts as drawing or not: twice as likely as the contrary."""

NOTHING_TO_SEE: Final = 0.03
"""A shed heater with a smaller chance to draw makes no step that is waited for."""

UNKNOWN_STEP_A: Final = 2.0
"""Smallest step of a heater of unknown current: 460 W."""

SLOWEST_S: Final = 9.0
"""Longest time to obey: slow heaters take up to 8 s (`bench heating --slow`)."""

SLOW_SIGNS: Final = 2
"""Late steps of a heater that make it a slow one: one may be another heater's by chance."""

SLOW_HEATERS: Final = 3
"""Slow heaters of a phase from which one late step is enough: heaters of a house are alike."""

STEPS_KEPT: Final = 4
"""Late steps kept of each heater."""

PACE_READINGS: Final = 5
"""Readings after which the meter's pace is known."""

PACES_OF_SILENCE: Final = 2.1
"""Silence in intervals of the meter: one lost frame is 2."""


class Shown(NamedTuple):
    """A heater that was switched alone: whether it drew, and the step of its phase."""

    bit: int
    drew: bool
    step_a: float


class Observer:
    """Readings and commands of a phase in; `hypotheses`, `surge` and the rooms' shortages kept."""

    def __init__(self, heaters: Sequence[Load], rooms: Sequence[RoomHeat], rules: Rules) -> None:
        declared = [None if h.watts is None else h.watts / rules.volts for h in heaters]
        self.amperes = LearnedCurrents(declared, rules.assumed_a)
        self.hypotheses = HypothesisFilter(self.amperes)
        self.surge = Surge(rules.minimum_off_s)
        self.rooms = rooms
        self.slowness = Slowness(len(heaters), rules.settle_s)
        self.current_a: float | None = None
        self.heard_s: float | None = None
        self.settled = False
        self.shown: list[Shown] = []
        """Heaters switched alone since the policy compared the phases last."""
        self._pending: list[Command] = []
        self._told_s = NEVER
        self._late: deque[tuple[float, Command]] = deque(maxlen=8)
        self._gap_s = 0.0
        self._heard = 0

    @property
    def settle_s(self) -> float:
        """Time for the commands that have not shown to show."""
        return self.slowness.settle_s(command.bit for command in self._pending)

    @property
    def quiet(self) -> bool:
        """Whether every command has shown."""
        return self.settled and not self._pending

    def error(self, bit: int) -> float:
        """Return the relative error of what a heater is believed to draw."""
        chance = self.hypotheses.chance[bit]
        doubt = math.sqrt(max(0.0, 1.0 - chance) / max(chance, 0.01))
        return math.hypot(doubt, math.sqrt(self.amperes.variance[bit]) / self.amperes.of[bit])

    def expect(self, now_s: float, command: Command) -> None:
        """Note that a heater was switched."""
        self._pending.append(command)
        self._told_s = now_s

    def forget(self) -> None:
        """Begin anew after a long silence: other heaters may draw now."""
        self.hypotheses.level_a = self.current_a = None
        self._pending.clear()

    def silent_s(self, now_s: float) -> float:
        """Return how long ago the last current was heard."""
        return 0.0 if self.heard_s is None else now_s - self.heard_s

    def silent(self, now_s: float, silence_s: float) -> bool:
        """Return whether a current is overdue, by this long or by the meter's own pace."""
        known = self._heard >= PACE_READINGS
        return known and self.silent_s(now_s) > max(silence_s, PACES_OF_SILENCE * self._gap_s)

    def take(self, now_s: float, current_a: float) -> None:
        """Take a current from the meter."""
        if self._heard:
            gap_s = self.silent_s(now_s)
            self._gap_s += (1.0 if self._heard == 1 else 0.05) * (gap_s - self._gap_s)
        self._heard += 1
        self.heard_s, self.current_a = now_s, current_a
        flat = self.hypotheses.follow(current_a)
        ripe = not self._pending or self._ripe(now_s, current_a)
        if ripe and (self._pending or not flat):
            self._explain(now_s, current_a)
            flat = True
        self.settled = flat
        if flat and not self._pending:
            self.surge.take(now_s, self.hypotheses.base_a)

    def _ripe(self, now_s: float, current_a: float) -> bool:
        """Return whether the commands must have shown by now, or already have."""
        waited_s = now_s - self._told_s
        if waited_s >= self.settle_s:
            return True
        expected_a, visible = 0.0, False
        for bit, on in self._pending:
            chance, step_a = self.hypotheses.chance[bit], self.amperes.of[bit]
            visible = visible or on or chance > NOTHING_TO_SEE
            if on or chance > 0.5:
                expected_a += step_a if on else -step_a
        if not visible:
            return True
        missing_a = abs(current_a - (self.hypotheses.level_a or 0.0) - expected_a)
        return waited_s > 1.0 and abs(expected_a) > 1.9 and missing_a <= 1.0

    def _explain(self, now_s: float, current_a: float) -> None:
        commands, self._pending = self._pending, []
        prior = self.hypotheses.chance
        self.hypotheses.eager = [room.eagerness for room in self.rooms]
        step = self.hypotheses.explain(current_a, commands)
        self._learn_amperes(step, commands)
        commanded = {command.bit for command in commands}
        for bit, room in enumerate(self.rooms):
            if bit not in commanded:
                before, after = step.before[bit], step.after[bit]
                if before > LIKELY and after < UNLIKELY:
                    room.satisfied()
                elif before < UNLIKELY and after > LIKELY:
                    room.asking()
        for command in commands:
            self._learn_warmth(now_s, command, step, prior[command.bit])
        if not commanded:
            self._learn_slowness(now_s, step.change_a)

    def _learn_amperes(self, step: Step, commands: Sequence[Command]) -> None:
        if len(commands) == 1:
            bit, on = commands[0]
            self.amperes.learn(bit, step.change_a if on else -step.change_a)
            chance = step.after[bit] if on else step.before[bit]
            self.shown.append(Shown(bit, chance > 0.5, step.change_a))
        elif commands and not any(command.on for command in commands):
            moved = [command.bit for command in commands if step.before[command.bit] > 0.5]
            self.amperes.share(moved, -step.change_a)

    def _learn_warmth(self, now_s: float, command: Command, step: Step, prior: float) -> None:
        """Take what a switched heater shows about its room."""
        room = self.rooms[command.bit]
        drawn = step.after[command.bit] if command.on else step.before[command.bit]
        if drawn > LIKELY:
            room.cold()
            self.slowness.in_time(command.bit, now_s - self._told_s)
        elif drawn < UNLIKELY and command.on:
            room.warm()
            self._late.append((self._told_s, command))
        elif drawn < UNLIKELY:
            room.not_cold()
            if prior > 0.5:
                self._late.append((self._told_s, command))

    def _learn_slowness(self, now_s: float, change_a: float) -> None:
        """Take a step that comes after the settling time as that of a slow heater."""
        found: list[tuple[float, float, Command]] = []
        for told_s, command in self._late:
            bit, on = command
            step_a = change_a if on else -change_a
            off_a = abs(step_a - self.amperes.of[bit])
            like_it = off_a <= 1.0 or (not self.amperes.known(bit) and step_a >= UNKNOWN_STEP_A)
            if now_s - told_s < SLOWEST_S + 2 and like_it:
                found.append((off_a, told_s, command))
        if found:
            _, told_s, command = min(found)
            self.slowness.late(command.bit, now_s - told_s)
            self._late.remove((told_s, command))


class Slowness:
    """The settling time of each heater: it grows only for heaters that were seen to obey late."""

    def __init__(self, count: int, usual_s: float) -> None:
        self._usual_s = usual_s
        self._late_s: list[list[float]] = [[] for _ in range(count)]

    def late(self, bit: int, took_s: float) -> None:
        """Take a step of a heater that came this long after its command."""
        self._late_s[bit] = [*self._late_s[bit][1 - STEPS_KEPT :], took_s]

    def in_time(self, bit: int, took_s: float) -> None:
        """Take a step that came in the usual time: an earlier late one was another heater's."""
        if self._late_s[bit] and took_s <= self._usual_s:
            self._late_s[bit].pop(0)

    def settle_s(self, bits: Iterable[int]) -> float:
        """Return the time after which a command to each of these heaters has shown."""
        slow = sum(len(late_s) >= SLOW_SIGNS for late_s in self._late_s)
        signs = 1 if slow >= SLOW_HEATERS else SLOW_SIGNS
        known = [max(self._late_s[b]) for b in bits if len(self._late_s[b]) >= signs]
        return min(SLOWEST_S, max([self._usual_s, *(took_s + 0.3 for took_s in known)]))
