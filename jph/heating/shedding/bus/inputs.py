"""Sorts readings of the data bus by what they mean to a shedder. Pure."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from jph.config.house.loads import Wiring
from jph.config.house.plausible import plausible_current
from jph.config.house.shedder import SheddingSettings
from jph.heating.orders.coding import Order
from jph.heating.shedding.rules import Readings, Urgent
from jph.wire.codec import Quality, Reading

TRUSTED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})
"""Qualities of readings that a shedder decides by."""

STGE_OVERRUN: Final = 1 << 7
"""Bit of the meter's status word (Enedis-NOI-CPT_54E, table of STGE): the contract is exceeded."""


class Inputs(NamedTuple):
    """What a batch of readings says: the policy's readings, and what does not go into it.

    `peaks` are phases and the meter's highest power of its day, VA, `implausible` the readings
    that were left out.
    """

    readings: Readings
    peaks: Sequence[tuple[int, float]]
    implausible: tuple[Reading, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing in it concerns a decision."""
        return self.readings == Readings()


class InputSorter:
    """Knows which codifiers a shedder listens to."""

    def __init__(self, settings: SheddingSettings, wiring: Wiring) -> None:
        phases = settings.phases
        self.declared = {p.phase: p.limit for p in phases if p.limit is not None}
        self.currents = {p.current: p.phase for p in phases}
        self._warnings = {p.warning: p.phase for p in phases if p.warning}
        self._peaks = {p.peak: p.phase for p in phases if p.peak}
        self._masks = {p.codifier: p.phase for p in phases}
        self._numbers = [p.phase for p in phases]
        self._status, self._subscribed = settings.status, settings.subscribed
        self._urgent = settings.urgent
        self._heaters = wiring.heaters
        self._limits: dict[int, float] = dict(self.declared)

    def sort(self, batch: Iterable[Reading]) -> Inputs:
        """Return what a batch of readings means, the newest of each codifier."""
        currents: dict[int, float] = {}
        warnings: dict[int, float] = {}
        limits: dict[int, float] = {}
        orders: dict[str, Order] = {}
        peaks: list[tuple[int, float]] = []
        implausible: list[Reading] = []
        overrun: bool | None = None
        urgent: Urgent | None = None
        for reading in batch:
            if reading.flag == "n" or reading.quality not in TRUSTED:
                continue
            source, number = reading.source, reading.number
            if source == self._status:
                overrun = _overrun(reading.value)
            elif source == self._urgent:
                urgent = _urgent(reading.value)
            elif number is None:
                continue
            elif source in self.currents:
                self._current(currents, self.currents[source], reading, implausible)
            elif source in self._warnings:
                self._current(warnings, self._warnings[source], reading, implausible)
            elif source in self._peaks:
                if 0 <= number < math.inf:
                    peaks.append((self._peaks[source], number))
            elif source == self._subscribed:
                limits = self._contract(number)
                if not limits:
                    implausible.append(reading)
            elif source in self._heaters and number in tuple(Order):
                orders[source] = Order(int(number))
        readings = Readings(currents, limits, warnings, orders, overrun, urgent)
        return Inputs(readings, peaks, tuple(implausible))

    def others(self, batch: Iterable[Reading]) -> Iterator[tuple[int, Reading]]:
        """Yield the masks in a batch, which other shedders sent, with their phase."""
        for reading in batch:
            if reading.source in self._masks and reading.flag != "n":
                yield self._masks[reading.source], reading

    def _current(
        self,
        found: dict[int, float],
        phase: int,
        reading: Reading,
        implausible: list[Reading],
    ) -> None:
        current_a = plausible_current(reading.number, self._limits.get(phase))
        if current_a is None:
            implausible.append(reading)
        else:
            found[phase] = current_a

    def _contract(self, subscribed_a: float) -> dict[int, float]:
        """Return the limits that follow from the contract's current, none if it cannot be one."""
        if not 1 <= subscribed_a < 1000:
            return {}
        limits = {n: min(subscribed_a, self.declared.get(n, subscribed_a)) for n in self._numbers}
        self._limits = dict(limits)
        return limits


def _urgent(value: object) -> Urgent | None:
    """Return the heaters that the Schedule names; None if the text is not of its form."""
    try:
        content = json.loads(str(value))
        return Urgent(frozenset(map(str, content["frost"])), frozenset(map(str, content["boost"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _overrun(value: object) -> bool | None:
    """Return bit 7 of the meter's status (STGE), given as a number or as its eight hex digits."""
    try:
        status = int(value, 16) if isinstance(value, str) else int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return bool(status & STGE_OVERRUN)
