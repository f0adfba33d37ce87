"""Chooses the program whose shed masks a card follows, where several send the same mask. Pure.

A shed mask has one owner. A second program that sends it is a forgery, a wrong configuration, or
the successor of a shedder that has ended. So a card follows the epoch that it heard first until
that epoch's lease ends. A shedder repeats its masks, which tells how long its lease is: a
successor waits for two repetitions that do not come, and for `hold_s` at the most.

Only releases wait. A mask of another epoch that sheds more counts at once, on top of the owner's:
a restarted shedder must not wait with an overload, and a forged shed costs comfort only, while a
forged release would open a breaker. What others have shed stays until the successor owns the mask,
or until none of them has repeated it for a lease.
"""

import reprlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from jph.config.house.loads import colder_mask, mask_of
from jph.wire.codec import Reading

REPETITIONS: Final = 2.5
SHORTEST_S: Final = 2.0


class MaskSource:
    """The masks of one phase, of its owner and of others; times are monotonic seconds.

    Attributes:
        epoch: the epoch that is followed, or None.
        mask: what the owner sends and what others shed beside it.
    """

    def __init__(self, hold_s: float) -> None:
        self.epoch: int | None = None
        self.mask = 0
        self._hold_s = hold_s
        self._owned = 0
        self._heard_s = 0.0
        self._interval_s = hold_s
        self._added = 0
        self._added_s = 0.0

    def take(self, epoch: int, mask: int, now_s: float) -> bool:
        """Take a mask of `epoch`; return whether it owns the mask. `mask` is then in force."""
        owns = self._follows(epoch, now_s)
        if owns:
            self._owned = mask
            if now_s - self._added_s >= self.lease_s:
                self._added = 0
        elif colder_mask(self._owned, mask) != self._owned:
            self._added, self._added_s = colder_mask(self._added, mask), now_s
        self.mask = colder_mask(self._owned, self._added) if self._added else self._owned
        return owns

    @property
    def lease_s(self) -> float:
        """How long after its last mask the epoch is followed, s."""
        return min(self._hold_s, max(SHORTEST_S, REPETITIONS * self._interval_s))

    def _follows(self, epoch: int, now_s: float) -> bool:
        if self.epoch != epoch:
            if self.epoch is not None and now_s - self._heard_s < self.lease_s:
                return False
            self.epoch, self._interval_s, self._added = epoch, self._hold_s, 0
        elif (passed_s := now_s - self._heard_s) > SHORTEST_S / REPETITIONS:
            # Masks that follow at once are changes and say nothing about the repetition.
            self._interval_s = min(passed_s, self._hold_s)
        self._heard_s = now_s
        return True


class TakenMask(NamedTuple):
    """The mask in force for a phase after a reading, and whether the reading is its owner's."""

    phase: int
    mask: int
    owned: bool
    doubt: str


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

    def take(self, reading: Reading, now_s: float) -> TakenMask | str:
        """Return the mask in force after a reading, or the reason why the reading is no mask."""
        code, mask = reading.source, mask_of(reading.number)
        if mask is None:
            return f"{code} is no mask: {reprlib.repr(reading.value)}"
        source = self._sources[code]
        owned = source.take(reading.epoch, mask, now_s)
        doubt = (
            f"{code}: a second program (epoch {reading.epoch}) sends this shed mask; its releases "
            f"are ignored while epoch {source.epoch} repeats it. Are there two shedders?"
        )
        return TakenMask(self._phases[code], source.mask, owned, "" if owned else doubt)

    def measured(self, phase: int) -> bool:
        """Whether the card listens to the meter of a phase itself."""
        return phase in self.meters.values()
