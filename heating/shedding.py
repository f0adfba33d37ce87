"""When to shed which heaters: readings and time in, masks and reasons out.

Per phase, on every current from the meter:

* above the limit, heaters are shed in one step until the current is expected at the limit less a
  margin: least important first, among equals the one that was shed longest ago;
* what has just been shed takes some seconds to show in the meter's frames, and counts as gone
  while it does (`Rules.settle_s`), so that nobody is shed twice for the same ampere;
* below, heaters come back one at a time, most important first, each only if the current expected
  with it stays at the limit less the margin.

Minimum off times always hold.  Minimum on times hold unless only heaters younger than that are
left to prevent an overrun.  While the meter is silent nothing is restored; when it has been
silent for very long (`Rules.blind_after_s`), only as many heaters stay on, most important first,
as draw together `Rules.blind_share` of the limit.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from heating.orders import Order
from heating.wiring import Heater, Wiring

NEVER: Final = -math.inf
_NOTHING: Final[Mapping[int, float]] = MappingProxyType({})
_NO_ORDERS: Final[Mapping[str, Order]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The policy's numbers: amperes, seconds, volts."""

    margin_a: float = 1.0
    settle_s: float = 5.0
    minimum_off_s: float = 60.0
    minimum_on_s: float = 60.0
    restore_interval_s: float = 10.0
    silence_s: float = 15.0
    blind_after_s: float = 300.0
    blind_share: float = 0.5
    assumed_a: float = 5.0
    volts: float = 230.0


class Readings(NamedTuple):
    """What came since the last step; any part may be missing.

    `warnings` are the currents of the meter's overrun warnings (ADIR1–3); they stand in for
    currents that have not come for a while.
    """

    currents: Mapping[int, float] = _NOTHING
    limits: Mapping[int, float] = _NOTHING
    warnings: Mapping[int, float] = _NOTHING
    orders: Mapping[str, Order] = _NO_ORDERS


class Reason(NamedTuple):
    """One heater switched, and why."""

    phase: int
    heater: Heater
    shed: bool
    current_a: float | None
    limit_a: float
    cause: str

    def __str__(self) -> str:
        verb = "shed" if self.shed else "restored"
        current = "no current known" if self.current_a is None else f"{self.current_a:g} A"
        text = f"phase {self.phase}: {self.heater} {verb}, {self.cause}"
        return f"{text} ({current}, limit {self.limit_a:g} A)"


class Decision(NamedTuple):
    """Masks of all phases, what changed and why, and the phases nothing more can be done for."""

    masks: Mapping[int, int]
    reasons: Sequence[Reason]
    helpless: Sequence[int]

    @property
    def shed(self) -> int:
        """The number of heaters shed."""
        return sum(mask.bit_count() for mask in self.masks.values())


class SheddingPolicy:
    """The decision for all phases, one `step` at a time."""

    def __init__(self, wiring: Wiring, phases: Iterable[int], rules: Rules | None = None) -> None:
        self._rules = rules or Rules()
        self._wiring = wiring
        self._orders: dict[str, Order] = {}
        self._now_s = NEVER
        self._phases = {
            phase: _Phase(phase, wiring.phases.get(phase, ()), self._rules, self._orders)
            for phase in phases
        }

    def adopt(self, now_s: float, masks: Mapping[int, int]) -> None:
        """Go on from masks that were in force before, as if they had been decided now."""
        for phase, mask in masks.items():
            if phase in self._phases:
                self._phases[phase].adopt(now_s, self._wiring.shed(phase, mask))

    def step(self, now_s: float, readings: Readings) -> Decision:
        """Take what is new at a monotonic time, and decide.

        Currents and limits that are no such thing (negative, infinite, not a number) are left out.
        """
        self._now_s = now_s = max(now_s, self._now_s)
        self._orders.update(readings.orders)
        reasons: list[Reason] = []
        for number, phase in self._phases.items():
            current = _plausible(readings.currents.get(number))
            warning = _plausible(readings.warnings.get(number))
            phase.take_limit(_plausible(readings.limits.get(number)))
            reasons += phase.step(now_s, current, warning)
        masks = {
            number: self._wiring.mask(number, phase.shed) for number, phase in self._phases.items()
        }
        helpless = [number for number, phase in self._phases.items() if phase.helpless]
        return Decision(masks, reasons, helpless)


def _plausible(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) and number >= 0 else None


class _Relief(NamedTuple):
    """Load that was switched off and may not show yet."""

    before_a: float
    expected_a: float
    until_s: float

    def seen(self, now_s: float, current_a: float) -> "_Relief":
        """Return what is still to go after a current: every new low is relief that has come."""
        if now_s >= self.until_s:
            return _NO_RELIEF
        gone_a = max(0.0, self.before_a - current_a)
        return _Relief(self.before_a - gone_a, max(0.0, self.expected_a - gone_a), self.until_s)


_NO_RELIEF: Final = _Relief(0.0, 0.0, NEVER)


@dataclass(slots=True)
class _Phase:
    number: int
    heaters: Sequence[Heater]
    rules: Rules
    orders: Mapping[str, Order]
    limit_a: float | None = None
    current_a: float | None = None
    heard_s: float | None = None
    over_s: float = NEVER
    switched_s: float = NEVER
    relief: _Relief = _NO_RELIEF
    shed: dict[str, float] = field(default_factory=dict)  # codifier -> since
    on_since: dict[str, float] = field(default_factory=dict)
    last_shed: dict[str, float] = field(default_factory=dict)
    helpless: bool = False

    def adopt(self, now_s: float, heaters: Iterable[Heater]) -> None:
        self.switched_s = now_s
        for heater in heaters:
            self.shed[heater.codifier] = self.last_shed[heater.codifier] = now_s

    def take_limit(self, limit_a: float | None) -> None:
        if limit_a:
            self.limit_a = limit_a

    def step(self, now_s: float, current_a: float | None, warning_a: float | None) -> list[Reason]:
        if self.heard_s is None:
            self.heard_s = now_s  # the meter's silence counts from the first step
        silent_s = now_s - self.heard_s
        if current_a is None and warning_a and (silent_s > self.rules.settle_s):
            current_a = warning_a
        if current_a is not None:
            self.current_a, self.heard_s, silent_s = current_a, now_s, 0.0
            self.relief = self.relief.seen(now_s, current_a)
        if self.limit_a is None:
            return []
        if silent_s > self.rules.blind_after_s:
            return self._blind(now_s, self.limit_a)
        if current_a is not None and current_a > self.limit_a:
            self.over_s = now_s
            return self._relieve(now_s, current_a, self.limit_a)
        self.helpless = False
        if self.current_a is None or silent_s > self.rules.silence_s:
            return []
        return self._restore(now_s, self.current_a, self.heard_s, self.limit_a)

    def _relieve(self, now_s: float, current_a: float, limit_a: float) -> list[Reason]:
        pending_a = self.relief.expected_a
        if current_a - pending_a <= limit_a:
            return []
        chosen = self._choose(now_s, current_a - pending_a - (limit_a - self.rules.margin_a))
        self.helpless = not chosen
        if not chosen:
            return []
        expected_a = pending_a + sum(self._amperes(heater) for heater in chosen)
        self.relief = _Relief(current_a, expected_a, now_s + self.rules.settle_s)
        return [self._switch_off(now_s, heater, limit_a, "overrun") for heater in chosen]

    def _choose(self, now_s: float, need_a: float) -> list[Heater]:
        """Return the heaters to shed for `need_a`, no more than are needed."""
        candidates = [
            heater
            for heater in self.heaters
            if heater.codifier not in self.shed and self._amperes(heater) > 0
        ]
        candidates.sort(key=lambda heater: self._sparing(now_s, heater))
        chosen: list[Heater] = []
        relief_a = 0.0
        for heater in candidates:
            if relief_a >= need_a:
                break
            chosen.append(heater)
            relief_a += self._amperes(heater)
        for heater in reversed(chosen[:]):
            if relief_a - self._amperes(heater) >= need_a:
                chosen.remove(heater)
                relief_a -= self._amperes(heater)
        return chosen

    def _sparing(self, now_s: float, heater: Heater) -> tuple[bool, int, float, str]:
        last = self.last_shed.get(heater.codifier, NEVER)
        return (self._young(now_s, heater), heater.priority, last, heater.codifier)

    def _young(self, now_s: float, heater: Heater) -> bool:
        return now_s - self.on_since.get(heater.codifier, NEVER) < self.rules.minimum_on_s

    def _restore(
        self, now_s: float, current_a: float, heard_s: float, limit_a: float
    ) -> list[Reason]:
        rules = self.rules
        calm_s = now_s - max(self.over_s, self.switched_s)
        settled = heard_s - self.switched_s >= rules.settle_s
        if not self.shed or calm_s < rules.restore_interval_s or not settled:
            return []
        room_a = limit_a - rules.margin_a - current_a
        for heater in self._returning(now_s):
            if self._amperes(heater) <= room_a:
                return [self._switch_on(now_s, heater, limit_a, "room again")]
        return []

    def _returning(self, now_s: float) -> list[Heater]:
        """Return the heaters whose minimum off time is over, most important first."""
        ready = [
            heater
            for heater in self.heaters
            if now_s - self.shed.get(heater.codifier, math.inf) >= self.rules.minimum_off_s
        ]
        return sorted(ready, key=lambda heater: (-heater.priority, self.shed[heater.codifier]))

    def _blind(self, now_s: float, limit_a: float) -> list[Reason]:
        room_a = limit_a * self.rules.blind_share
        keep: set[str] = set()
        for heater in sorted(self.heaters, key=lambda h: (-h.priority, h.codifier)):
            if self._amperes(heater) <= room_a:
                room_a -= self._amperes(heater)
                keep.add(heater.codifier)
        cause = "meter silent"
        self.current_a = None
        reasons = [
            self._switch_off(now_s, heater, limit_a, cause)
            for heater in self.heaters
            if heater.codifier not in keep
            and heater.codifier not in self.shed
            and not self._young(now_s, heater)
        ]
        if not reasons and now_s - self.switched_s >= self.rules.restore_interval_s:
            back = [heater for heater in self._returning(now_s) if heater.codifier in keep]
            reasons += [self._switch_on(now_s, heater, limit_a, cause) for heater in back[:1]]
        return reasons

    def _amperes(self, heater: Heater) -> float:
        """Return what a heater draws when it heats; nothing if its order keeps it cold."""
        if self.orders.get(heater.codifier, Order.COMFORT) in (Order.OFF, Order.FROST):
            return 0.0
        return self.rules.assumed_a if heater.watts is None else heater.watts / self.rules.volts

    def _switch_off(self, now_s: float, heater: Heater, limit_a: float, cause: str) -> Reason:
        self.shed[heater.codifier] = self.last_shed[heater.codifier] = self.switched_s = now_s
        self.on_since.pop(heater.codifier, None)
        return Reason(self.number, heater, True, self.current_a, limit_a, cause)

    def _switch_on(self, now_s: float, heater: Heater, limit_a: float, cause: str) -> Reason:
        del self.shed[heater.codifier]
        self.on_since[heater.codifier] = self.switched_s = now_s
        return Reason(self.number, heater, False, self.current_a, limit_a, cause)
