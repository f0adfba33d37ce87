"""Steers switches and chargers beside the heaters: by need, off-peak hours, sun and room. Pure.

A load starts only where it fits below the limit of each of its phases.  Wanting heaters of its
priority or a higher one go first, unless the load must run now to have its need in time: then
heaters take turns with it.  At an overrun loads that can wait give way before any heater.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from jph.config.house.steered import SteeredLoadSettings
from jph.heating.shedding.loads.steered import WAITING, Moment, SteeredLoad
from jph.heating.shedding.loads.supply import SUN, PhaseView, Supply
from jph.heating.shedding.memory import LearnedLoad
from jph.heating.shedding.rules import NEVER, LoadReadings

PLAN_S: Final = 2.0
"""Interval of plans."""

OBEY_S: Final = 6.0
"""Time for an ordered load to show: the order, a contactor or a car (5 s), a frame of the meter."""

SILENT_S: Final = 20.0
"""Silence of the meter after which no steered load stays on."""

HAND_S: Final = 3600.0
"""Time for which a value that a person set is left as it is."""

RESEND_S: Final = 5.0
"""An order that its load does not report is sent again."""

NEAR_TRIP_S: Final = 20.0
"""Time to the trip from which loads that must run give way too."""

OVERRUN: Final = "overrun"
NEEDED: Final = "needed by its time"
OFF_PEAK: Final = "off-peak"
TODAY: Final = "needed today"
HEATERS_FIRST: Final = "heaters go first"
NO_ROOM: Final = "no room below the limit"
METER_SILENT: Final = "meter silent"
HAND: Final = "set by hand"


class LoadChange(NamedTuple):
    """A load that gets another value, and why."""

    load: SteeredLoad
    value: float
    reason: str

    def __str__(self) -> str:
        value = f"{self.value:g} A" if self.load.charger else ("on" if self.value else "off")
        return f"load {self.load.settings}: {value}, {self.reason}"


class LoadSteering:
    """All steered loads of a shedder.

    Attributes:
        claims: the current on each phase that loads which must run now still miss, A, and those
            loads; heaters make room for it.
    """

    def __init__(
        self,
        loads: Iterable[SteeredLoadSettings],
        *,
        volts: float,
        margin_a: float,
        import_a: float,
    ) -> None:
        self.loads = {each.codifier: SteeredLoad(each, volts) for each in loads}
        self.claims: dict[int, tuple[float, str]] = {}
        self._supply = Supply(margin_a, import_a)
        self._sent: dict[str, tuple[float, float]] = {}
        self._confirmed: set[str] = set()
        self._trial: tuple[str, float, dict[int, float]] | None = None
        self._plan_s = self._passed_s = NEVER

    def take(self, moment: Moment, readings: LoadReadings, *, watch: bool = False) -> None:
        """Take what loads report, and what is fed in; `watch` while another shedder decides."""
        now_s = moment.now_s
        self._supply.take(now_s, readings)
        for code, watts in readings.powers.items():
            self.loads[code].measure(now_s, watts)
        for code, value in readings.values.items():
            load = self.loads[code]
            load.reported = value
            if _same(value, load.value):
                self._confirmed.add(code)
            elif watch or code in self._confirmed or code not in self._sent:
                by_hand = code in self._confirmed and not watch
                load.set(moment.now_s, value, HAND if by_hand else WAITING)
                self._confirmed.add(code)
                self._sent[code] = value, moment.now_s
                load.hand_until_s = moment.now_s + HAND_S if by_hand else NEVER

    def hear(self, now_s: float, number: int, current_a: float) -> None:
        """Take the current of a phase."""
        self._supply.hear(now_s, number, current_a)

    def relieve(self, now_s: float, number: int, view: PhaseView) -> list[LoadChange]:
        """Let loads on a phase at its limit give way; none while enough is on its way."""
        if view.limit_a is None or view.current_a is None or view.current_a < view.limit_a:
            return []
        need_a = view.left_a - view.limit_a + 1.0
        last = view.helpless or view.trip_s < NEAR_TRIP_S
        changes = []
        for load in sorted(self.loads.values(), key=lambda each: each.settings.priority):
            must = load.reason == NEEDED and not last
            if need_a <= 0.5 or not load.on or must or number not in load.settings.phases:
                continue
            value = math.floor(load.value - need_a) if load.charger else 0
            value = value if load.charger and value >= load.least_a else 0
            need_a -= load.drawn_a - (value if load.charger else 0.0)
            changes.append(self._change(now_s, load, float(value), OVERRUN))
        return changes

    def plan(self, moment: Moment, views: Mapping[int, PhaseView]) -> list[LoadChange]:
        """Return what changes now; one load starts at a time."""
        now_s = moment.now_s
        if now_s < self._plan_s:
            return []
        self._plan_s = now_s + PLAN_S
        self._account(moment)
        self._learn(now_s, views)
        self.claims = {}
        order = sorted(
            self.loads.values(), key=lambda each: (-each.pressing(moment), -each.settings.priority)
        )
        changes: list[LoadChange] = []
        for load in order:
            if now_s < load.hand_until_s:
                continue
            change = self._decide(moment, load, views)
            if change is not None:
                changes.append(change)
                if change.value:
                    break
        return changes

    def orders(self, now_s: float) -> Iterator[tuple[str, float]]:
        """Yield the orders to send: new ones, and those that were not acknowledged in time."""
        for code, load in self.loads.items():
            sent = self._sent.get(code)
            if sent is None and not load.on:
                continue  # nothing was ordered, and nothing was heard of it
            if sent is None or sent[0] != load.value or self._unheard(code, now_s):
                self._sent[code] = load.value, now_s
                yield code, load.value

    def unanswered(self, now_s: float) -> list[SteeredLoad]:
        """Return the loads that do not report what they were ordered."""
        return [
            load
            for code, load in self.loads.items()
            if code in self._sent
            and code not in self._confirmed
            and now_s - load.since_s > 3 * RESEND_S
        ]

    def memory(self) -> dict[str, LearnedLoad]:
        """Return what survives a restart."""
        return {code: load.memory() for code, load in self.loads.items()}

    def recall(self, learned: Mapping[str, LearnedLoad]) -> None:
        """Go on with what an earlier run learned."""
        for code, each in learned.items():
            if code in self.loads:
                self.loads[code].recall(each)

    def _unheard(self, code: str, now_s: float) -> bool:
        return code not in self._confirmed and now_s - self._sent[code][1] >= RESEND_S

    def _decide(
        self, moment: Moment, load: SteeredLoad, views: Mapping[int, PhaseView]
    ) -> LoadChange | None:
        now_s = moment.now_s
        mine = [views[number] for number in load.settings.phases if number in views]
        if len(mine) < len(load.settings.phases):
            return None
        if any(view.silent_s > SILENT_S or view.limit_a is None for view in mine):
            return self._to(now_s, load, 0.0, METER_SILENT)
        most_a, reason = self._wish(moment, load)
        if most_a <= 0:
            return None if load.rests(now_s) else self._to(now_s, load, 0.0, reason)
        first = tuple(
            code for view in mine for rank, code in view.waiting if rank >= load.settings.priority
        )
        if first and reason != NEEDED:
            return self._wait(now_s, load, HEATERS_FIRST, first)
        most_a = min(most_a, (load.drawn_a if load.on else 0.0) + self._supply.room_a(load, views))
        if load.on:
            return self._go_on(now_s, load, most_a, reason)
        if most_a < load.least_a:
            if reason == NEEDED:
                self._claim(load, views)
            load.reason, load.turn_of = NO_ROOM, ()
            return None
        if load.rests(now_s):
            return None
        waiting = tuple(code for view in mine for _, code in view.waiting)
        return self._start(now_s, load, most_a, reason, waiting, views)

    def _wish(self, moment: Moment, load: SteeredLoad) -> tuple[float, str]:
        """Return the current that it should have on each phase at most, and why."""
        settings, now_s = load.settings, moment.now_s
        full_a = settings.most if load.charger else load.least_a
        if load.pressing(moment):
            return full_a, NEEDED
        if settings.surplus and (sun_a := self._supply.sun_a(now_s, load)):
            return min(full_a, sun_a), SUN
        if load.missing_s() > 0 and settings.off_peak:
            if self._supply.off_peak(now_s):
                return full_a, OFF_PEAK
        elif load.missing_s() > 0 and not settings.surplus:
            return full_a, TODAY
        return 0.0, WAITING

    def _claim(self, load: SteeredLoad, views: Mapping[int, PhaseView]) -> None:
        """Ask heaters to make room on each phase where it does not fit."""
        for number in load.settings.phases:
            alone = self._supply.free_a(views[number])
            lacking_a = load.least_a - alone
            self.claims[number] = max(0.0, lacking_a), load.settings.codifier

    def _go_on(
        self, now_s: float, load: SteeredLoad, most_a: float, reason: str
    ) -> LoadChange | None:
        """Keep a load on, a charger with what there is."""
        if not load.charger:
            load.reason = reason
            return None
        value = float(math.floor(min(most_a, load.settings.most)))
        if value < load.least_a:
            value = load.least_a if load.rests(now_s) or most_a > load.least_a - 1 else 0.0
        if 0 < value - load.value < 2 or now_s - self._sent_s(load) < OBEY_S:
            load.reason = reason
            return None
        return self._to(now_s, load, value, reason if value else NO_ROOM)

    def _wait(
        self, now_s: float, load: SteeredLoad, reason: str, waiting: tuple[str, ...]
    ) -> LoadChange | None:
        """Let heaters go first: a charger gives what it can, and each load its turn."""
        if not load.on:
            load.reason, load.turn_of = reason, waiting
            return None
        if load.rests(now_s):
            value = load.least_a if load.charger else load.value
            return self._to(now_s, load, value, load.reason) if value < load.value else None
        return self._change(now_s, load, 0.0, reason, waiting)

    def _start(
        self,
        now_s: float,
        load: SteeredLoad,
        most_a: float,
        reason: str,
        waiting: tuple[str, ...],
        views: Mapping[int, PhaseView],
    ) -> LoadChange:
        value = float(math.floor(min(most_a, load.settings.most))) if load.charger else 1.0
        before = {n: views[n].current_a or 0.0 for n in load.settings.phases}
        self._trial = (load.settings.codifier, now_s, before)
        return self._change(
            now_s,
            load,
            max(value, load.least_a if load.charger else 1.0),
            reason,
            waiting if reason == NEEDED else (),
        )

    def _to(self, now_s: float, load: SteeredLoad, value: float, reason: str) -> LoadChange | None:
        if value == load.value:
            load.reason = reason
            return None
        return self._change(now_s, load, value, reason)

    def _change(
        self, now_s: float, load: SteeredLoad, value: float, reason: str, turn: tuple[str, ...] = ()
    ) -> LoadChange:
        load.set(now_s, value, reason, turn)
        self._confirmed.discard(load.settings.codifier)
        return LoadChange(load, value, reason)

    def _sent_s(self, load: SteeredLoad) -> float:
        return self._sent.get(load.settings.codifier, (0.0, NEVER))[1]

    def _account(self, moment: Moment) -> None:
        seconds = moment.now_s - self._passed_s
        self._passed_s = moment.now_s
        if math.isfinite(seconds):
            for load in self.loads.values():
                load.pass_time(moment, min(seconds, 60.0))

    def _learn(self, now_s: float, views: Mapping[int, PhaseView]) -> None:
        """Take the step of a switch that was switched on alone."""
        if self._trial is None or now_s - self._trial[1] < OBEY_S:
            return
        code, at_s, before = self._trial
        self._trial = None
        load = self.loads[code]
        quiet = all(n in views and views[n].switched_s < at_s - OBEY_S for n in before)
        if load.on and code in self._confirmed and quiet:
            steps = [(views[n].current_a or 0.0) - a for n, a in before.items()]
            load.learn(sum(steps) / len(steps))


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
