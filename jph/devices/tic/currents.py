"""Drawn and fed-in current of each phase, from the meter's figure and its power. Pure.

A meter measures the current of a phase without its direction: 24 A that solar panels feed in look
like 24 A drawn. Its power has a direction: SINSTSn, SINSTS and PAPP count drawn power only, but the
meter sends them after the currents: 0.1 s later in standard mode, 0.2 s (one phase) to 0.6 s
(three) in historique mode.

A shed must not wait, so a current leaves at once, as drawn. It is corrected when the power of the
same frame shows another direction. Four kinds of current wait for the power: those of a meter
whose direction was never heard, those of a phase that fed in within `PRODUCES_S`, those that reach
the contract in a house that feeds in, and in standard mode, where the wait is short, those of a
phase that is heard for less than that. The frame's end releases them in any case, and a frame of a
warning (ADPS, ADIRn without power) ends at once.
"""

import math
from collections.abc import Mapping, Set
from typing import Final, NamedTuple

from jph.devices.tic.fields import CURRENTS, PHASES

POWERS: Mapping[str, int] = {f"SINSTS{phase}": phase for phase in PHASES} | {"SINSTS": 0, "PAPP": 0}
"""Labels of drawn apparent power, VA, and their phase; 0 is the sum of all phases."""

PRODUCES_S: Final = 3600.0
"""Time after the last fed-in current in which a phase may feed in again from one frame to the next:
clouds pass, and a large load that ends turns the direction. Later only a current that reaches
the contract waits."""

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
    """The currents of one frame: which leave at once, which wait, and which are corrected.

    `produces`: the house is known to feed in, before it is heard.
    """

    def __init__(self, *, produces: bool = False) -> None:
        self._produces = produces
        self._figures: dict[int, tuple[str, int]] = {}
        self._held: set[int] = set()
        self._sent: dict[int, PhaseCurrent] = {}
        self._powers: dict[int, int] = {}
        self._labels: Set[str] = frozenset()
        self._feeding = False
        self._directed = False  # the direction was heard once
        self._first_s: dict[int, float] = {}
        self._fed_in_s: dict[int, float] = {}
        self._now_s = 0.0

    def add(self, label: str, amperes: int, now_s: float) -> None:
        """Take the figure of a phase."""
        phase = CURRENTS[label]
        self._figures[phase] = label, amperes
        self._held.add(phase)
        self._first_s.setdefault(phase, now_s)
        self._now_s = now_s

    def power(self, label: str, va: int) -> None:
        """Take a drawn power."""
        self._powers[POWERS[label]] = va

    def feeding(self, feeding: bool) -> None:
        """Take the direction of the whole house: STGE bit 9, or SINSTI above 0."""
        self._feeding = feeding

    def waits(self, phase: int) -> bool:
        """Whether the current of a phase waits for its direction."""
        return phase in self._held

    def ready(
        self, phases: int | None, contract_a: int | None, *, last: bool = False
    ) -> list[PhaseCurrent]:
        """Return the currents that need not wait any longer.

        They leave together: with the last phase or, if its line is lost, with the next group
        (`last`). A phase that has reached the subscribed current waits for no other.
        """
        if not self._held:
            return []
        free = {phase for phase in self._held if not self._waits_for_power(phase, contract_a)}
        known = {phase for phase in self._held - free if self._power_of(phase) is not None}
        last = last or self._is_last(max(self._figures), phases)
        leaving = {phase for phase in free if last or _reaches(self._judged(phase), contract_a)}
        if known == self._held - free:
            leaving |= known
        else:
            leaving |= {phase for phase in known if _reaches(self._judged(phase), contract_a)}
        return self._take(leaving)

    def corrected(self) -> list[PhaseCurrent]:
        """Return the currents of this frame whose direction turned out to be another one."""
        return self._take({p for p, sent in self._sent.items() if self._judged(p) != sent})

    def release(self) -> list[PhaseCurrent]:
        """Return all that wait."""
        return self._take(set(self._held))

    def end(self, labels: Set[str]) -> list[PhaseCurrent]:
        """End a frame that had `labels`; return the currents that still wait."""
        released = self.release()
        self._directed = self._directed or bool(self._powers)
        self._powers.clear()
        self._figures.clear()
        self._sent.clear()
        self._labels = labels
        return released

    def drop(self) -> None:
        """Forget the currents that wait: they are of a meter that is not known yet."""
        self._held.clear()
        self._figures.clear()
        self._sent.clear()

    def _take(self, phases: Set[int]) -> list[PhaseCurrent]:
        taken = [self._judged(phase) for phase in sorted(phases)]
        for current in taken:
            self._held.discard(current.phase)
            self._sent[current.phase] = current
            if current.fed_in:
                self._fed_in_s[current.phase] = self._now_s
        return taken

    def _waits_for_power(self, phase: int, contract_a: int | None) -> bool:
        """Whether a current waits: of doubtful direction, or it would shed and may be fed in."""
        may_feed_in = self._produces or phase in self._fed_in_s
        sheds = may_feed_in and _reaches(self._judged(phase), contract_a)
        return self._needs_power(phase) or (sheds and not self._is_without_power())

    def _is_without_power(self) -> bool:
        return bool(self._labels) and self._labels.isdisjoint(POWERS)

    def _needs_power(self, phase: int) -> bool:
        """Whether a current counts only with its direction; not where the meter sends no power."""
        if self._is_without_power():
            return False
        quick = not self._figures[phase][0].startswith("IINST")
        doubtful_s = self._fed_in_s.get(phase, self._first_s[phase] if quick else -math.inf)
        return not self._directed or self._now_s - doubtful_s < PRODUCES_S

    def _is_last(self, phase: int, phases: int | None) -> bool:
        return phase == (phases or 3) or self._figures[phase][0] == "IINST"

    def _power_of(self, phase: int) -> int | None:
        """Return the drawn power of a phase; that of the house if the meter gives no other."""
        label = self._figures[phase][0]
        own = f"SINSTS{phase}"
        several = len(self._figures) > 1
        if several and not label.startswith("IINST") and own in (self._labels or {own}):
            return self._powers.get(phase)
        return self._powers.get(phase, self._powers.get(0))

    def _judged(self, phase: int) -> PhaseCurrent:
        label, figure = self._figures[phase]
        va = self._power_of(phase)
        if va is None:
            fed_in = self._feeding and len(self._figures) == 1 and self._needs_power(phase)
        else:
            # A producer's meter shows a few VA drawn while it feeds in.
            fed_in = va == 0 or (self._feeding and 2 * va < (figure - 1) * _VOLTS)
        return PhaseCurrent(phase, label, figure, 0 if fed_in else figure)


def _reaches(current: PhaseCurrent, contract_a: int | None) -> bool:
    return contract_a is not None and current.drawn >= contract_a
