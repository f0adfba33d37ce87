"""Reads a whole capture: its mode, the last value of each label, and its refused lines."""

from typing import Final, NamedTuple

from jph.devices.tic.fields import Value
from jph.devices.tic.labels import BAUD_RATES, Mode
from jph.devices.tic.line import Cause, Group
from jph.devices.tic.meter import POLYPHASE, Fact, Meter
from jph.devices.tic.reader import FrameEnd, FrameReader, JudgedLine, ReaderEvent

WARNINGS_LAST_S: Final = 15.0
REFUSED_KEPT: Final = 10_000
"""Refused lines kept; beyond it they are only counted."""

LABELS_KEPT: Final = 256
"""Labels kept: twice what the norms have."""

BITS: Final = 10
"""Of a character on the line: start, seven, parity, stop."""


class Last(NamedTuple):
    """The last group of a label and how often the label came."""

    group: Group
    times: int


class Capture:
    """Read a capture piece by piece; bounded by ``LABELS_KEPT`` and ``REFUSED_KEPT``.

    A capture has no time but that of its bytes: the line's speed gives their duration.
    """

    def __init__(self, mode: Mode | None = None) -> None:
        self.reader = FrameReader(mode, self._judged)
        self.last: dict[str, Last] = {}
        self.facts: dict[str, Value] = {}
        self.implausible: list[Fact] = []
        self.refused: list[JudgedLine] = []
        self.cut = 0
        self.spoken: dict[Mode, int] = dict.fromkeys(Mode, 0)
        self._meter = Meter(WARNINGS_LAST_S)
        self._clock_s = 0.0

    @property
    def mode(self) -> Mode | None:
        """The mode at the end; of one too short to be sure of, that of most groups."""
        if self.reader.mode is not None or not any(self.spoken.values()):
            return self.reader.mode
        return max(self.spoken, key=lambda mode: self.spoken[mode])

    @property
    def phases(self) -> int | None:
        """1 or 3; None where nothing was understood."""
        if not self.last:
            return None
        return 3 if self.last.keys() & POLYPHASE else 1

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        self._clock_s += len(chunk) * BITS / BAUD_RATES[self.mode or Mode.HISTORIQUE]
        self._take(self.reader.feed(chunk))

    def end(self) -> None:
        """End the line under way: there is no more."""
        self._take(self.reader.flush())

    def _take(self, events: list[ReaderEvent]) -> None:
        for event in events:
            if isinstance(event, FrameEnd):
                self.cut += not event.complete
                continue
            self.spoken[event.mode] += 1
            before = self.last.get(event.label)
            if before is not None or len(self.last) < LABELS_KEPT:
                self.last[event.label] = Last(event, before.times + 1 if before else 1)
        for fact in self._meter.update(events, self._clock_s):
            if fact.plausible:
                self.facts[fact.field] = fact.value
            elif len(self.implausible) < REFUSED_KEPT:
                self.implausible.append(fact)

    def _judged(self, judged: JudgedLine) -> None:
        if isinstance(judged.outcome, Cause) and len(self.refused) < REFUSED_KEPT:
            self.refused.append(judged)
