"""One house on one day, with properties of its meter, heaters and breaker."""

from dataclasses import dataclass
from random import Random
from typing import Final

from bench.judge.neighbourhood import Sizing, generate
from bench.judge.pace import Mode
from jph.config.house.loads import Load, PilotWire, Wiring
from jph.sim.physics import HouseSpec
from jph.sim.physics.protection import OPENS_AT

INDOOR_C: Final = (19.0, 20.0)
NAMEPLATE_SPREAD: Final = 0.05
"""Relative error of the watts on the plate of a heater."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One winter day of one house, or some `hours` of it.

    `obey_s` is the delay of its heaters (from, to), `opens_at` the multiple of the contract at
    which the breaker of the meter opens in the end. A policy knows the watts on the plates of the
    heaters only with `watts`.
    """

    sizing: Sizing
    seed: int
    mode: Mode = Mode.HISTORIQUE
    faults: bool = True
    obey_s: tuple[float, float] = (1.0, 2.0)
    opens_at: float = OPENS_AT
    watts: bool = False
    hours: float = 24.0
    start_s: float = 0.0
    """Time at which the power comes back, s since midnight."""
    meter_s: float = 0.0
    """Delay of the first frame of the meter."""

    @property
    def end_s(self) -> float:
        """End of the case, s since midnight."""
        return self.start_s + self.hours * 3600

    def house(self) -> HouseSpec:
        """Return the house of that day."""
        return generate(self.sizing, self.seed, obey_s=self.obey_s)

    def indoor_c(self) -> float:
        """Return the temperature of the rooms at the start."""
        return Random(f"indoor {self.seed}").uniform(*INDOOR_C)


def wiring(spec: HouseSpec, *, watts: bool = False, seed: int = 0) -> Wiring:
    """Return the wiring table a policy is given: phases, priorities, and plates if `watts`."""
    random = Random(f"plates {seed}")
    ranks = {heater.codifier: 0 for heater in spec.heaters}
    for phase in (1, 2, 3):
        mine = sorted(h.codifier for h in spec.heaters if h.phase == phase)
        ranks.update({codifier: rank for rank, codifier in enumerate(mine)})
    return Wiring(
        Load(
            codifier=heater.codifier,
            phase=heater.phase,
            bit=ranks[heater.codifier],
            room=heater.room,
            name="",
            watts=_plate(heater.watts, random) if watts else None,
            priority=heater.priority,
            actuator=PilotWire(f"P{heater.phase}", ranks[heater.codifier] + 1),
        )
        for heater in spec.heaters
    )


def _plate(watts: float, random: Random) -> float:
    return round(watts * random.uniform(1 - NAMEPLATE_SPREAD, 1 + NAMEPLATE_SPREAD), -1)
