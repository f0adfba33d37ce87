"""One steered load: a switch or a charger, its need, its times and its energy. Pure.

Values are as they are ordered: 0 and 1 of a switch, A of a charger (0 is off).
"""

import math
from collections import deque
from typing import Final, NamedTuple

from jph.config.house.steered import LoadSort, SteeredLoadSettings, minute_of
from jph.heating.shedding.memory import LearnedLoad
from jph.heating.shedding.rules import NEVER

DAY_S: Final = 86_400.0
ASSUMED_W: Final = 2000.0
"""Power of a switch that is neither declared nor learned: a water heater."""

STEPS_KEPT: Final = 9
LEAST_STEP_A: Final = 1.0

ASSUMED_ERROR: Final = 0.3
DECLARED_ERROR: Final = 0.1
LEAST_ERROR: Final = 0.03
"""Relative errors of a power: assumed, declared (EN 60335-1: +5 % -10 %), learned."""

SPARE_S: Final = 900.0
"""A load that needs its energy by a time starts this much before it must."""

SPARE: Final = 1.15
"""Factor of the time that its need takes: it may be shed meanwhile."""


MEASURED_S: Final = 120.0
"""Age from which a measured power is not known any more."""

WAITING: Final = "nothing is needed"


class Moment(NamedTuple):
    """A moment: monotonic s, the day as a number and s of the day in local time."""

    now_s: float
    day: int
    of_day_s: float


class SteeredLoad:
    """The state of one load.

    Attributes:
        value: what it was ordered last.
        measured_w: its measured power, None where none is measured.
        reported: what it reports itself, None before it was heard.
        reason: why it is as it is.
        turn_of: the heaters that are held off for it, or that it waits for.
    """

    def __init__(self, settings: SteeredLoadSettings, volts: float) -> None:
        self.settings = settings
        self.value = 0.0
        self.reported: float | None = None
        self.measured_w: float | None = None
        self._measured_s = NEVER
        self.reason = WAITING
        self.turn_of: tuple[str, ...] = ()
        self.since_s = NEVER
        self.hand_until_s = NEVER
        self.wh = self.error_wh = self.on_s = 0.0
        self._volts = volts
        self._steps: deque[float] = deque(maxlen=STEPS_KEPT)
        self._period: int | None = None

    @property
    def charger(self) -> bool:
        """Whether its current can be set."""
        return self.settings.sort is LoadSort.CHARGER

    @property
    def on(self) -> bool:
        """Whether it is ordered to be on."""
        return self.value > 0

    @property
    def least_a(self) -> float:
        """The smallest current on each of its phases, A."""
        if self.charger:
            return self.settings.least
        return self._watts() / self._volts / len(self.settings.phases)

    @property
    def drawn_a(self) -> float:
        """What it draws on each of its phases now by its order, A."""
        return self.value if self.charger else self.value * self.least_a

    @property
    def watts(self) -> float:
        """Its power while it is on, W: of a charger that of its current."""
        amperes = self.drawn_a if self.on else self.least_a
        return amperes * self._volts * len(self.settings.phases)

    @property
    def taken_w(self) -> float:
        """What it takes now, W: measured, or by its order."""
        if self.measured_w is not None:
            return self.measured_w
        return self.watts if self.on and self.reported else 0.0

    @property
    def known(self) -> bool:
        """Whether its power was learned."""
        return bool(self._steps)

    def measure(self, now_s: float, watts: float) -> None:
        """Take its measured power."""
        self.measured_w, self._measured_s = watts, now_s

    def learn(self, step_a: float) -> None:
        """Take the step that it made on one of its phases when it was switched alone."""
        if step_a >= LEAST_STEP_A and not self.charger:
            self._steps.append(step_a)

    def pass_time(self, moment: Moment, seconds: float) -> None:
        """Account for its energy; the need begins anew at its time of day."""
        period = moment.day + (moment.of_day_s >= 60 * minute_of(self.settings.by))
        if self._period is not None and period != self._period:
            self.wh = self.error_wh = self.on_s = 0.0
        self._period = period
        if moment.now_s - self._measured_s > MEASURED_S:
            self.measured_w = None
        wh = self.taken_w * seconds / 3600
        self.wh += wh
        self.error_wh += wh * self.error
        if self.on and self.reported:
            self.on_s += seconds

    @property
    def error(self) -> float:
        """Relative error of its power."""
        if self.measured_w is not None:
            return LEAST_ERROR
        if self.charger:
            return DECLARED_ERROR
        if not self._steps:
            return ASSUMED_ERROR if self.settings.watts is None else DECLARED_ERROR
        return LEAST_ERROR + 0.3 / (self.least_a * math.sqrt(len(self._steps)))

    def missing_s(self) -> float:
        """Return the time for which it must still be on to have its need, 0 without one."""
        settings = self.settings
        if settings.hours is not None:
            return max(0.0, 3600 * settings.hours - self.on_s)
        if settings.kwh is None:
            return 0.0
        most_w = settings.most * self._volts * len(settings.phases) if self.charger else self.watts
        return max(0.0, 1000 * settings.kwh - self.wh) / most_w * 3600

    def pressing(self, moment: Moment) -> bool:
        """Return whether it must be on now to have its need by its time."""
        missing_s = self.missing_s()
        left_s = (60 * minute_of(self.settings.by) - moment.of_day_s) % DAY_S
        return missing_s > 0 and left_s <= SPARE * missing_s + SPARE_S

    def rests(self, now_s: float) -> bool:
        """Return whether it was switched too lately to be switched again."""
        least_s = self.settings.minimum_on if self.on else self.settings.minimum_off
        return now_s - self.since_s < least_s

    def set(self, now_s: float, value: float, reason: str, turn_of: tuple[str, ...] = ()) -> None:
        """Order a value."""
        if (value > 0) != self.on:
            self.since_s = now_s
        self.value, self.reason, self.turn_of = value, reason, turn_of

    def memory(self) -> LearnedLoad:
        """Return what survives a restart."""
        return LearnedLoad(list(self._steps), self._period, self.wh, self.error_wh, self.on_s)

    def recall(self, learned: LearnedLoad) -> None:
        """Go on with what an earlier run learned."""
        if all(LEAST_STEP_A <= step <= 100 for step in learned.steps):
            self._steps.extend(learned.steps)
        if all(0 <= each < math.inf for each in (learned.wh, learned.error_wh, learned.on_s)):
            self._period = learned.period
            self.wh, self.error_wh, self.on_s = learned.wh, learned.error_wh, learned.on_s

    def _watts(self) -> float:
        if self._steps:
            middle = sorted(self._steps)[len(self._steps) // 2]
            return middle * self._volts * len(self.settings.phases)
        return self.settings.watts or ASSUMED_W
