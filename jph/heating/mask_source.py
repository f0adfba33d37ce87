"""Chooses the program whose shed masks a card follows, where several send the same mask. Pure.

A shed mask has one owner. A second program that sends it is a forgery, a wrong configuration, or
the successor of a shedder that has ended. So a card follows the epoch that it heard first until
that epoch's lease ends. A shedder repeats its masks, which tells how long its lease is: a
successor waits for two repetitions that do not come, and for `hold_s` at the most.
"""

import reprlib
from collections.abc import Mapping
from typing import Final

from jph.config.house.loads import mask_of
from jph.wire.codec import Reading

REPETITIONS: Final = 2.5
SHORTEST_S: Final = 2.0


class MaskSource:
    """The epoch that is followed for one mask; times are seconds of a monotonic clock.

    Attributes:
        epoch: the epoch that is followed, or None.
    """

    def __init__(self, hold_s: float) -> None:
        self.epoch: int | None = None
        self._hold_s = hold_s
        self._heard_s = 0.0
        self._interval_s = hold_s

    def follows(self, epoch: int, now_s: float) -> bool:
        """Take a mask of `epoch`; return whether it counts."""
        if self.epoch != epoch:
            if self.epoch is not None and now_s - self._heard_s < self.lease_s:
                return False
            self.epoch, self._interval_s = epoch, self._hold_s
        elif (passed_s := now_s - self._heard_s) > SHORTEST_S / REPETITIONS:
            # Masks that follow at once are changes and say nothing about the repetition.
            self._interval_s = min(passed_s, self._hold_s)
        self._heard_s = now_s
        return True

    @property
    def lease_s(self) -> float:
        """How long after its last mask the epoch is followed, s."""
        return min(self._hold_s, max(SHORTEST_S, REPETITIONS * self._interval_s))


class MaskInputs:
    """The elements that a card listens to: shed masks and, where configured, meter currents.

    Attributes:
        meters: phase of each meter current, by its element.
    """

    def __init__(
        self,
        shed: Mapping[str, str],
        meter: Mapping[str, str],
        hold_s: float,
        before: "MaskInputs | None" = None,
    ) -> None:
        self.meters = {code: int(phase) for phase, code in meter.items() if phase in shed}
        self._phases = {code: int(phase) for phase, code in shed.items()}
        known: Mapping[str, MaskSource] = before._sources if before else {}
        self._sources: dict[str, MaskSource] = {
            code: known.get(code) or MaskSource(hold_s) for code in self._phases
        }

    def __contains__(self, codifier: str) -> bool:
        """Whether an element is a shed mask."""
        return codifier in self._phases

    def take(self, reading: Reading, now_s: float) -> tuple[int, int] | str:
        """Return the phase and the mask of a reading that counts, or the reason why it does not."""
        code, mask = reading.source, mask_of(reading.number)
        if mask is None:
            return f"{code} is no mask: {reprlib.repr(reading.value)}"
        source = self._sources[code]
        if not source.follows(reading.epoch, now_s):
            return (
                f"{code}: a second program (epoch {reading.epoch}) sends this shed mask; it is "
                f"ignored while epoch {source.epoch} repeats it. Are there two shedders?"
            )
        return self._phases[code], mask

    def measured(self, phase: int) -> bool:
        """Whether the card listens to the meter of a phase itself."""
        return phase in self.meters.values()
