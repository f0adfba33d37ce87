"""Drawn and fed-in current of each phase, from the meter's figure and its power. Pure.

A meter measures the current of a phase without its direction: 24 A that solar panels feed in look
like 24 A drawn. Its power has a direction: SINSTSn, SINSTS and PAPP count drawn power only. So the
currents of a frame wait for the power, which the meter sends after them: 0.1 s later in standard
mode, 0.2 s (one phase) to 0.6 s (three) in historique mode. The frame's end releases them in any
case, and a frame of a warning (ADPS, ADIRn without power) ends at once.
"""

from collections.abc import Mapping, Set
from typing import NamedTuple

from jph.devices.tic.fields import CURRENTS, PHASES

POWERS: Mapping[str, int] = {f"SINSTS{phase}": phase for phase in PHASES} | {"SINSTS": 0, "PAPP": 0}
"""Labels of drawn apparent power, VA, and their phase; 0 is the sum of all phases."""

_VOLTS = 200
"""A phase has at least this voltage: the limit between a drawn and a fed-in current."""


class PhaseCurrent(NamedTuple):
    """One current of a frame, A: the meter's figure, and the part drawn and fed in."""

    phase: int
    label: str
    figure: int
    drawn: int

    @property
    def fed_in(self) -> int:
        """The current that goes into the grid."""
        return self.figure - self.drawn


class FrameCurrents:
    """Collects the currents of one frame until their direction is known."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[str, int]] = {}
        self._powers: dict[int, int] = {}
        self._labels: Set[str] = frozenset()
        self._feeding = False

    def add(self, label: str, amperes: int) -> None:
        """Take the figure of a phase."""
        self._held[CURRENTS[label]] = label, amperes

    def power(self, label: str, va: int) -> None:
        """Take a drawn power."""
        self._powers[POWERS[label]] = va

    def feeding(self, feeding: bool) -> None:
        """Take the direction of the whole house: STGE bit 9, or SINSTI above 0."""
        self._feeding = feeding

    def waits(self, phase: int) -> bool:
        """Whether the current of a phase waits for its direction."""
        return phase in self._held

    def ready(self, phases: int | None, contract_a: int | None) -> list[PhaseCurrent]:
        """Return the currents that need not wait any longer.

        They leave together. A phase that draws the subscribed current or more waits for its own
        power only. No current waits for a power that the last frame did not have.
        """
        if self._labels and self._labels.isdisjoint(POWERS):
            known = list(self._held)
            complete = bool(known) and (
                max(known) == (phases or 3) or self._held[max(known)][0] == "IINST"
            )
        else:
            known = [phase for phase in self._held if self._power_of(phase) is not None]
            complete = len(known) == len(self._held)
        if complete or contract_a is None:
            return self.release() if complete else []
        return [self._taken(phase) for phase in known if self._judged(phase).drawn >= contract_a]

    def release(self) -> list[PhaseCurrent]:
        """Return all that wait."""
        return [self._taken(phase) for phase in sorted(self._held)]

    def end(self, labels: Set[str]) -> list[PhaseCurrent]:
        """End a frame that had `labels`; return the currents that still wait."""
        released = self.release()
        self._powers.clear()
        self._labels = labels
        return released

    def drop(self) -> None:
        """Forget the currents that wait: they are of a meter that is not known yet."""
        self._held.clear()

    def _taken(self, phase: int) -> PhaseCurrent:
        judged = self._judged(phase)
        del self._held[phase]
        return judged

    def _power_of(self, phase: int) -> int | None:
        """Return the drawn power of a phase; that of the house if the meter gives no other."""
        label = self._held[phase][0]
        own = f"SINSTS{phase}"
        if len(self._held) > 1 and not label.startswith("IINST") and own in (self._labels or {own}):
            return self._powers.get(phase)
        return self._powers.get(phase, self._powers.get(0))

    def _judged(self, phase: int) -> PhaseCurrent:
        label, figure = self._held[phase]
        va = self._power_of(phase)
        if va is None:
            fed_in = self._feeding and len(self._held) == 1
        else:
            # A producer's meter shows a few VA drawn while it feeds in.
            fed_in = va == 0 or (self._feeding and 2 * va < (figure - 1) * _VOLTS)
        return PhaseCurrent(phase, label, figure, 0 if fed_in else figure)
