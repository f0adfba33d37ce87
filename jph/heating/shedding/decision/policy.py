"""Decides for all phases, and compares them to find heaters on a wrong phase. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from jph.config.house.loads import Load, Wiring
from jph.config.house.plausible import plausible_current, plausible_limit
from jph.heating.shedding.decision.phase import PhaseDecision
from jph.heating.shedding.decision.returns import UntilReturn
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.loads.steered import Moment
from jph.heating.shedding.loads.steering import OBEY_S, LoadChange, LoadSteering
from jph.heating.shedding.loads.supply import PhaseView
from jph.heating.shedding.memory import HELD_S, PEAKS_S, LearnedHeater, Memory
from jph.heating.shedding.memory import ROOMS_S as ROOM_MEMORY_S
from jph.heating.shedding.rules import NEVER, Decision, Readings, Reason, Report, Rules

ROOMS_S: Final = 5.0
"""Interval of updates of the rooms' estimates."""

WARNINGS_S: Final = 3600.0
"""Interval between two equal warnings."""

STEP_A: Final = 2.0
"""A step that shows a heater on a phase: no heater draws less, and rounding is 1 A."""

HOUSE: Final = "@@"
"""Key of the energy of the whole house."""

SHOWN_ERROR: Final = 0.05
"""Relative error of the energy of shown currents: whole amperes, reactive power, the voltage."""

VOTES: Final = 3
"""Times a heater must have shown on another phase, and never on its own, to be reported."""

NEAR_LIMIT: Final = 0.8
"""Part of the limit from which the meter's status bit may be about this phase."""


class SheddingPolicy:
    """The decision for all phases, one `step` at a time."""

    def __init__(
        self,
        wiring: Wiring,
        phases: Iterable[int],
        rules: Rules | None = None,
        steering: LoadSteering | None = None,
    ) -> None:
        self._rules = rules or Rules()
        self.steering = steering or LoadSteering((), volts=230.0, margin_a=0.0, import_a=0.0)
        self._rooms: dict[str, RoomHeat] = {}
        self._members: dict[str, list[tuple[PhaseDecision, int]]] = {}
        self._phases: dict[int, PhaseDecision] = {}
        self._places: dict[str, tuple[PhaseDecision, int]] = {}
        self._trials: dict[str, tuple[bool, dict[int, float | None]]] = {}
        self._misplaced: Counter[tuple[str, int]] = Counter()
        self._warned: dict[str, float] = {}
        self.energy: dict[str, tuple[float, float]] = {}
        """What each heater and load, and the house, drew since midnight, and its error, Wh."""
        self._energy_day: int | None = None
        self._now_s = self._roomed_s = NEVER
        for number in phases:
            self._phases[number] = self._phase(number, wiring.phases.get(number, ()))

    def adopt(self, now_s: float, masks: Mapping[int, int]) -> None:
        """Go on from masks that are in force, as if they had been decided now."""
        for number, mask in masks.items():
            if number in self._phases:
                self._phases[number].adopt(now_s, mask)

    def step(
        self,
        now_s: float,
        readings: Readings,
        *,
        decide: bool = True,
        local: tuple[int, float] = (0, 0.0),
    ) -> Decision:
        """Take what is new at a monotonic time, and decide; or only watch what another decides.

        Currents and limits outside their plausible range are left out.  `local` is the local time:
        the number of the day and the s of it.
        """
        self._now_s = now_s = max(now_s, self._now_s)
        self._take_house(now_s, readings)
        passed = self._pass_time(now_s, local[0])
        reasons: list[Reason] = []
        changes: list[LoadChange] = []
        moment = Moment(now_s, *local)
        self.steering.take(moment, readings.loads, watch=not decide)
        for number, phase in self._phases.items():
            phase.limit_a = plausible_limit(readings.limits.get(number)) or phase.limit_a
            current_a = plausible_current(readings.currents.get(number), phase.limit_a)
            warning_a = plausible_current(readings.warnings.get(number), phase.limit_a)
            warning_a = warning_a or self._standing_in(phase, readings)
            if current_a is not None and self.steering.loads:
                self.steering.hear(now_s, number, current_a)
                changes += self._relieve(now_s, number, current_a) if decide else []
            reasons += phase.step(now_s, current_a, warning_a, decide)
        if decide and self.steering.loads:
            changes += self._steer(moment, reasons)
        self._compare()
        self._watch(reasons)
        helpless = [number for number, phase in self._phases.items() if phase.helpless]
        masks = {number: phase.staged for number, phase in self._phases.items()}
        warnings = self._warnings(now_s) if passed else ()
        return Decision(masks, reasons, helpless, warnings, tuple(map(str, changes)))

    def _take_house(self, now_s: float, readings: Readings) -> None:
        """Take what is no current: orders, rooms, and heaters that matter more."""
        for codifier, order in readings.orders.items():
            if codifier in self._places:
                phase, bit = self._places[codifier]
                phase.order(now_s, bit, order)
        for name, reading in readings.rooms.items():
            if name in self._rooms:
                self._rooms[name].measure(now_s, reading)
        if readings.urgent is not None:
            for phase in self._phases.values():
                phase.take_urgent(readings.urgent)

    def shed_a(self, number: int) -> float:
        """Return what the shed heaters of a phase would draw at most, A."""
        phase = self._phases[number]
        return phase.seen.amperes.load(phase.mask)

    def shed_heaters(self) -> set[tuple[int, int]]:
        """Return the heaters that are shed now, as phase and bit."""
        return {
            (number, bit)
            for number, phase in self._phases.items()
            for bit in range(len(phase.heaters))
            if phase.mask >> bit & 1
        }

    def until_return(self, now_s: float, number: int, bit: int) -> UntilReturn:
        """Return what is known of the return of a shed heater."""
        return self._phases[number].until_return(now_s, bit)

    def peak(self, number: int, peak_va: float) -> float | None:
        """Take the meter's highest power of its day; see `Peaks.compare` for what it returns."""
        return self._phases[number].peaks.compare(peak_va, self._rules.volts)

    def memory(self, now_s: float, wall_ms: float) -> Memory:
        """Return what was learned, at a monotonic and a wall-clock time."""
        heaters, held = {}, {}
        for phase in self._phases.values():
            held.update(phase.held(now_s, wall_ms))
            known = phase.seen.amperes
            for bit, heater in enumerate(phase.heaters):
                if steps := known.steps(bit):
                    heaters[heater.codifier] = LearnedHeater(steps, known.seen[bit])
        misplaced: dict[str, dict[int, int]] = {}
        for (codifier, number), votes in self._misplaced.items():
            misplaced.setdefault(codifier, {})[number] = votes
        return Memory(
            wall_ms,
            heaters,
            held,
            {name: room.memory() for name, room in self._rooms.items()},
            {number: phase.peaks.memory() for number, phase in self._phases.items()},
            misplaced,
            self.steering.memory(),
            {code: (wh, error) for code, (wh, error) in self.energy.items()},
            self._energy_day,
        )

    def recall(self, memory: Memory, now_s: float, wall_ms: float) -> None:
        """Go on with what an earlier run learned, as far as it still holds."""
        age_s = max(0.0, (wall_ms - memory.saved_ms) / 1000)
        for number, phase in self._phases.items():
            for bit, heater in enumerate(phase.heaters):
                if learned := memory.heaters.get(heater.codifier):
                    phase.seen.amperes.recall(bit, learned.steps, learned.seen)
            if age_s <= HELD_S:
                phase.recall(now_s, wall_ms, memory.held)
            if age_s <= PEAKS_S and number in memory.peaks:
                phase.peaks.recall(memory.peaks[number])
        if age_s <= ROOM_MEMORY_S:
            for name, room in self._rooms.items():
                if name in memory.rooms:
                    room.recall(memory.rooms[name])
        for codifier, votes in memory.misplaced.items():
            if codifier in self._places:
                self._misplaced.update({(codifier, number): n for number, n in votes.items()})
        self._distrust()
        self.steering.recall(memory.loads)
        self._energy_day = memory.energy_day
        known = {*self._places, *self.steering.loads, HOUSE}
        self.energy.update({c: e for c, e in memory.energy.items() if c in known})

    def report(self, now_s: float) -> dict[int, Report]:
        """Return every phase as it is now."""
        return {number: phase.report(now_s) for number, phase in self._phases.items()}

    def _relieve(self, now_s: float, number: int, current_a: float) -> list[LoadChange]:
        """Let steered loads give way on a phase that has too much, before its heaters do."""
        phase = self._phases[number]
        view = self._view(now_s, phase)
        view = view._replace(current_a=current_a, left_a=current_a - phase.expected_a)
        before = {code: load.drawn_a for code, load in self.steering.loads.items() if load.on}
        changes = self.steering.relieve(now_s, number, view)
        for change in changes:
            code = change.load.settings.codifier
            drawn_a = change.load.drawn_a if change.load.on else 0.0
            for each in change.load.settings.phases:
                if each in self._phases:
                    self._phases[each].expect_relief(now_s, before[code] - drawn_a, now_s + OBEY_S)
        return changes

    def _steer(self, moment: Moment, reasons: list[Reason]) -> list[LoadChange]:
        """Plan the steered loads; heaters make room for those that must run now."""
        now_s = moment.now_s
        views = {n: self._view(now_s, phase) for n, phase in self._phases.items()}
        changes = self.steering.plan(moment, views)
        for number, phase in self._phases.items():
            lacking_a, code = self.steering.claims.get(number, (0.0, ""))
            reasons += phase.make_room(now_s, lacking_a, code)
        return changes

    def _view(self, now_s: float, phase: PhaseDecision) -> PhaseView:
        return PhaseView(
            phase.seen.current_a,
            phase.limit_a,
            phase.left_a,
            phase.trip.seconds_left(),
            phase.seen.silent_s(now_s) if phase.seen.current_a is not None else math.inf,
            phase.helpless or not phase.heaters,
            phase.switched_s,
            phase.waiting(),
        )

    def _phase(self, number: int, heaters: tuple[Load, ...]) -> PhaseDecision:
        names = [heater.room or heater.codifier for heater in heaters]
        rooms = [self._rooms.setdefault(name, RoomHeat()) for name in names]
        phase = PhaseDecision(number, heaters, rooms, self._rules)
        for bit, (name, heater) in enumerate(zip(names, heaters, strict=True)):
            self._members.setdefault(name, []).append((phase, bit))
            self._places[heater.codifier] = (phase, bit)
        return phase

    def _account(self, seconds: float, day: int) -> None:
        """Add what each heater and load and the house drew to its energy of the day."""
        if day != self._energy_day:
            self._energy_day = day
            self.energy.clear()
        for codifier, (phase, bit) in self._places.items():
            watts = phase.drawn_a(bit) * self._rules.volts
            if watts:
                self._add(codifier, watts * seconds / 3600, phase.seen.error(bit))
        for codifier, load in self.steering.loads.items():
            if watts := load.taken_w:
                self._add(codifier, watts * seconds / 3600, load.error)
        amperes = sum(phase.seen.current_a or 0.0 for phase in self._phases.values())
        self._add(HOUSE, amperes * self._rules.volts * seconds / 3600, SHOWN_ERROR)

    def _add(self, codifier: str, more_wh: float, error: float) -> None:
        wh, error_wh = self.energy.get(codifier, (0.0, 0.0))
        self.energy[codifier] = wh + more_wh, error_wh + more_wh * error

    def _pass_time(self, now_s: float, day: int) -> bool:
        """Let the rooms warm up and cool down; False if that is not due yet."""
        seconds = now_s - self._roomed_s
        if seconds < ROOMS_S:
            return False
        self._roomed_s = now_s
        if math.isinf(seconds):
            return False
        self._account(min(seconds, 60.0), day)
        for name, members in self._members.items():
            rated_a = sum(phase.seen.amperes.of[bit] for phase, bit in members)
            drawn_a = sum(phase.drawn_a(bit) for phase, bit in members)
            idle = any(phase.idle(bit) for phase, bit in members)
            self._rooms[name].pass_time(seconds, drawn_a / rated_a, idle)
        return True

    def _standing_in(self, phase: PhaseDecision, readings: Readings) -> float | None:
        """Return a current for a phase that the meter's status says may be over, else None."""
        last_a, limit_a = phase.seen.current_a, phase.limit_a
        if not readings.overrun or last_a is None or limit_a is None:
            return None
        return limit_a + 1.0 if last_a >= NEAR_LIMIT * limit_a else None

    def _watch(self, reasons: list[Reason]) -> None:
        """Keep the currents of all phases when a heater was switched alone."""
        if len(reasons) == 1:
            levels = {n: p.seen.current_a for n, p in self._phases.items()}
            self._trials[reasons[0].heater.codifier] = (reasons[0].shed, levels)

    def _compare(self) -> None:
        """Count heaters that do not show on their phase but on another."""
        for phase in self._phases.values():
            for shown in phase.seen.shown:
                codifier = phase.heaters[shown.bit].codifier
                trial = self._trials.pop(codifier, None)
                if trial is not None and not shown.drew and abs(shown.step_a) < STEP_A:
                    moved = self._moved(phase.number, *trial)
                    if len(moved) == 1:
                        self._misplaced[codifier, moved[0]] += 1
            phase.seen.shown.clear()
        self._distrust()

    def _distrust(self) -> None:
        """Count on no relief by heaters that show on another phase only."""
        for phase, bit, _ in self._elsewhere():
            phase.seen.amperes.absent(bit)

    def _elsewhere(self) -> Iterator[tuple[PhaseDecision, int, int]]:
        """Yield the heaters on a wrong phase: that phase, their bit, and the phase they move."""
        for (codifier, number), votes in self._misplaced.items():
            phase, bit = self._places[codifier]
            if votes >= VOTES and not phase.seen.amperes.seen[bit]:
                yield phase, bit, number

    def _moved(self, own: int, shed: bool, before: Mapping[int, float | None]) -> list[int]:
        """Return the other phases that stepped the way a switching of this kind would."""
        moved = []
        for number, phase in self._phases.items():
            then_a, now_a = before[number], phase.seen.current_a
            if number != own and then_a is not None and now_a is not None:
                step_a = then_a - now_a if shed else now_a - then_a
                if step_a >= STEP_A:
                    moved.append(number)
        return moved

    def _warnings(self, now_s: float) -> list[str]:
        """Return what people should know, each at most once an hour."""
        texts = [
            f"{heater} has been off for more than {self._rules.maximum_off_s / 60:.0f} min"
            for phase in self._phases.values()
            for heater in phase.overdue(now_s)
        ]
        texts += [
            f"{phase.heaters[bit]} never shows on phase {phase.number} but moves phase {number}: "
            f"is the wiring table right? Phase {phase.number} does not count on it"
            for phase, bit, number in self._elsewhere()
        ]
        fresh = [text for text in texts if now_s - self._warned.get(text, NEVER) >= WARNINGS_S]
        self._warned.update(dict.fromkeys(fresh, now_s))
        return fresh
