"""Observes one phase: its current, its heaters and the commands that have not shown. Pure."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from jph.config.house.loads import Load
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.estimates.hypotheses import Command, HypothesisFilter, Step
from jph.heating.shedding.estimates.learned_current import LearnedCurrents
from jph.heating.shedding.estimates.slowness import SLOWEST_S, Slowness
from jph.heating.shedding.estimates.surge import Surge
from jph.heating.shedding.rules import NEVER, Rules

LIKELY: Final = 0.7
UNLIKELY: Final = 0.3
"""Chances from which a heater counts as drawing or not: twice as likely as the contrary."""

NOTHING_TO_SEE: Final = 0.03
"""A shed heater with a smaller chance to draw makes no step that is waited for."""

UNKNOWN_STEP_A: Final = 2.0
"""Smallest step of a heater of unknown current: 460 W."""

SURE_STEPS: Final = 4
"""Steps from which the current of a heater is sure where heaters are slow: the middle one of four
bears one of another heater."""

LATEST_S: Final = SLOWEST_S + 2.0
"""Time after which no step of a command is expected: the slowest heater and one frame."""

PACE_READINGS: Final = 5
"""Readings after which the meter's pace is known."""

PACES_OF_SILENCE: Final = 2.1
"""Silence in intervals of the meter: one lost frame is 2."""


class Shown(NamedTuple):
    """A heater that was switched alone: whether it drew, and the step of its phase."""

    bit: int
    drew: bool
    step_a: float


class _Silent(NamedTuple):
    """A command that did not show within its settling time.

    What it says of the room is not yet taken where `open`: its heater may only be slow.
    """

    told_s: float
    command: Command
    open: bool


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
        self._silent: list[_Silent] = []
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
        self._judge_silent(now_s)
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
        rise_a = current_a - (self.hypotheses.level_a or 0.0)
        if len(self._pending) == 1 and waited_s > 1.0 and rise_a >= UNKNOWN_STEP_A:
            # Any rise tells what a heater of unknown current draws: an overrun would hide it.
            bit, on = self._pending[0]
            if on and self._unsure(bit):
                return True
        expected_a, visible = 0.0, False
        for bit, on in self._pending:
            chance, step_a = self.hypotheses.chance[bit], self.amperes.of[bit]
            visible = visible or on or chance > NOTHING_TO_SEE
            if on or chance > 0.5:
                expected_a += step_a if on else -step_a
        if not visible:
            return True
        return waited_s > 1.0 and abs(expected_a) > 1.9 and abs(rise_a - expected_a) <= 1.0

    def _explain(self, now_s: float, current_a: float) -> None:
        commands = self._pending
        matched = now_s - self._told_s < self.settle_s
        self._pending = []
        prior = self.hypotheses.chance
        self.hypotheses.eager = [room.eagerness for room in self.rooms]
        step = self.hypotheses.explain(current_a, commands)
        self._learn_amperes(step, commands)
        commanded = {command.bit for command in commands}
        if commanded or not self._learn_slowness(now_s, step.change_a):
            self._learn_thermostats(step, commanded)
        for command in commands:
            self._learn_warmth(now_s, command, step, prior[command.bit], matched)

    def _learn_thermostats(self, step: Step, commanded: set[int]) -> None:
        """Take the heaters that switched by themselves."""
        for bit, room in enumerate(self.rooms):
            if bit not in commanded:
                before, after = step.before[bit], step.after[bit]
                if before > LIKELY and after < UNLIKELY:
                    room.satisfied()
                elif before < UNLIKELY and after > LIKELY:
                    room.asking()

    def _learn_amperes(self, step: Step, commands: Sequence[Command]) -> None:
        if len(commands) == 1:
            bit, on = commands[0]
            self.amperes.learn(bit, step.change_a if on else -step.change_a)
            chance = step.after[bit] if on else step.before[bit]
            self.shown.append(Shown(bit, chance > 0.5, step.change_a))
        elif commands and not any(command.on for command in commands):
            moved = [command.bit for command in commands if step.before[command.bit] > 0.5]
            self.amperes.share(moved, -step.change_a)

    def _learn_warmth(
        self, now_s: float, command: Command, step: Step, prior: float, matched: bool
    ) -> None:
        """Take what a switched heater shows about its room."""
        bit, on = command
        took_s = now_s - self._told_s
        drawn = step.after[bit] if on else step.before[bit]
        if drawn > LIKELY:
            self.rooms[bit].cold()
            if matched or took_s <= self.slowness.usual_s:
                self.slowness.sign(bit, took_s)
        elif drawn < UNLIKELY:
            late = on or prior > 0.5
            wait = late and not self.slowness.prompt(bit)
            if not wait:
                self._show_warm(command)
            if late:
                self._silent.append(_Silent(self._told_s, command, wait))

    def _show_warm(self, command: Command) -> None:
        """Take that a switched heater drew nothing."""
        if command.on:
            self.rooms[command.bit].warm()
        else:
            self.rooms[command.bit].not_cold()

    def _judge_silent(self, now_s: float) -> None:
        """Take what commands say that not even the slowest heater would show any more."""
        old = [each for each in self._silent if now_s - each.told_s >= LATEST_S]
        for each in old:
            self._silent.remove(each)
            self.slowness.unseen(each.command.bit)
            if each.open:
                self._show_warm(each.command)

    def _learn_slowness(self, now_s: float, change_a: float) -> bool:
        """Take a step that comes after the settling time as that of a slow heater.

        Returns whether it is no thermostat's step.
        """
        found: list[tuple[float, _Silent]] = []
        for each in self._silent:
            bit, on = each.command
            step_a = change_a if on else -change_a
            off_a = abs(step_a - self.amperes.of[bit])
            if off_a <= 1.0 or (self._unsure(bit) and step_a >= UNKNOWN_STEP_A):
                found.append((off_a, each))
        if not found:
            return False
        _, late = min(found)
        self._silent.remove(late)
        bit, on = late.command
        self.slowness.sign(bit, now_s - late.told_s)
        if late.open and self._unsure(bit) and len(found) == 1:
            self.amperes.learn(bit, change_a if on else -change_a)
        if late.open:
            self.rooms[bit].cold()
        return late.open

    def _unsure(self, bit: int) -> bool:
        """Return whether what a heater draws is a guess, or may be another's late step."""
        seen = self.amperes.seen[bit]
        return not self.amperes.known(bit) or (self.slowness.alike and seen < SURE_STEPS)
