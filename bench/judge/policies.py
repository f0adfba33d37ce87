"""The compared policies, behind one small interface.

A further policy is a class with `step` and an entry in `POLICIES`.
"""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from jph.config.house.loads import Load, Wiring
from jph.heating.shedding import Decision, Readings, SheddingPolicy


class Policy(Protocol):
    """A policy: `step` takes the readings of the meter since the last call and returns the masks.

    It is called for each group of the meter with currents or warnings, and every second without
    one. The first call carries the limits.
    """

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        """Decide at a monotonic time."""


Maker = Callable[[Wiring], Policy]


def ours(wiring: Wiring) -> Policy:
    """Return the policy of the node Shedding."""
    return SheddingPolicy(wiring, wiring.phases)


class Unmeasured:
    """The policy of the node Shedding in a house without thermometers."""

    def __init__(self, wiring: Wiring) -> None:
        self._policy = ours(wiring)

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        """Decide without the rooms' temperatures."""
        return self._policy.step(now_s, readings._replace(rooms={}))


class Nothing:
    """No shedding at all."""

    def __init__(self, wiring: Wiring) -> None:
        self._decision = Decision(dict.fromkeys(wiring.phases, 0), (), ())

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        """Return empty masks."""
        return self._decision


class RadiatorRule:
    """The rule of the radiator project: from 30 A on one more heater off, below one back."""

    def __init__(self, wiring: Wiring) -> None:
        self._heaters = {phase: len(heaters) for phase, heaters in wiring.phases.items()}
        self._shed = dict.fromkeys(self._heaters, 0)
        self._limits: dict[int, float] = {}

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        """Move by one heater on each current."""
        self._limits.update(readings.limits)
        for phase, current in readings.currents.items():
            step = 1 if current >= self._limits[phase] else -1
            self._shed[phase] = min(self._heaters[phase], max(0, self._shed[phase] + step))
        return Decision({phase: (1 << n) - 1 for phase, n in self._shed.items()}, (), ())


class CommercialRule:
    """The rule of devices on sale: fixed order of priority, each heater back after five minutes."""

    BACK_S: Final = 300.0
    CASCADE_S: Final = 5.0
    """Time between a heater and the next."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._order: Mapping[int, list[Load]] = {
            phase: sorted(heaters, key=lambda h: (h.priority, h.codifier))
            for phase, heaters in wiring.phases.items()
        }
        self._limits: dict[int, float] = {}
        self._until_s: dict[str, float] = {}
        self._shed_s = dict.fromkeys(wiring.phases, 0.0)

    def step(self, now_s: float, readings: Readings, /) -> Decision:
        """Shed the next heater of a phase over the limit; restore heaters whose time has passed."""
        self._limits.update(readings.limits)
        for codifier in [c for c, until_s in self._until_s.items() if now_s >= until_s]:
            del self._until_s[codifier]
        for phase, current in readings.currents.items():
            if current > self._limits[phase] and now_s - self._shed_s[phase] >= self.CASCADE_S:
                free = [h for h in self._order[phase] if h.codifier not in self._until_s]
                for heater in free[:1]:
                    self._until_s[heater.codifier] = now_s + self.BACK_S
                    self._shed_s[phase] = now_s
        masks = {phase: self._wiring.mask(phase, self._until_s) for phase in self._order}
        return Decision(masks, (), ())


POLICIES: Final[dict[str, Maker]] = {
    "none": Nothing,
    "radiator rule": RadiatorRule,
    "commercial": CommercialRule,
    "ours": Unmeasured,
    "thermometers": ours,
}
