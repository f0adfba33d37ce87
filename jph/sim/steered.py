"""Loads of the simulated house that programs order: a water heater, a car. Pure."""

from typing import Annotated, Final

import msgspec

from jph.config.settings import described
from jph.sim.physics.spec import VOLTS

DAY_S: Final = 86_400.0
AGAIN: Final = 0.95
"""Part of its energy below which a full store takes more: the band of its thermostat."""

LEAST_A: Final = 6.0
"""Smallest current of a car (IEC 61851): below it charges nothing."""


class StoreSettings(
    msgspec.Struct, rename="pascal", frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A load with a store: hot water, or the battery of a car."""

    codifier: Annotated[str, described("Element that takes its order: 0 and 1, or A")]
    phases: Annotated[tuple[int, ...], described("Its phases")] = (1,)
    watts: Annotated[float | None, described("Power when on; none: a car, ordered in A", "W")] = (
        None
    )
    capacity: Annotated[float, described("Energy that it holds", "kWh", gt=0)] = 8.0
    daily: Annotated[float, described("Energy that is used each day", "kWh", ge=0)] = 6.0

    def __post_init__(self) -> None:
        if not self.phases or not set(self.phases) <= {1, 2, 3}:
            raise ValueError("Phases: expected some of 1, 2 and 3")


class SimulatedStore:
    """The store of one load.

    Attributes:
        ordered: 0 and 1, or A.
        stored_kwh: the energy in it.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.ordered = 0.0
        self.stored_kwh = settings.capacity / 2
        self._full = False

    @property
    def watts(self) -> float:
        """The power on each of its phases, W."""
        settings = self.settings
        if self._full or self.ordered <= 0:
            return 0.0
        if settings.watts is not None:
            return settings.watts / len(settings.phases)
        return VOLTS * self.ordered if self.ordered >= LEAST_A else 0.0

    def advance(self, seconds: float) -> None:
        """Let it charge, and be used."""
        settings = self.settings
        kwh = self.watts * len(settings.phases) * seconds / 3.6e6
        used_kwh = settings.daily * seconds / DAY_S
        self.stored_kwh = min(settings.capacity, max(0.0, self.stored_kwh + kwh - used_kwh))
        if self.stored_kwh >= settings.capacity - 1e-9:
            self._full = True
        elif self.stored_kwh < AGAIN * settings.capacity:
            self._full = False
