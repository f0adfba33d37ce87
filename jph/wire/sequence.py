"""Sequence arithmetic: positions that do not wrap, losses, duplicates and probation. Pure.

A sender numbers its messages per bus and source and draws a new epoch at each start. The epoch
separates a restart from a loss, even when the announcement (`n`, `N`) itself was lost. Original
programs have epoch 0: for them an announcement, or a jump too large for a loss, is a restart.

A position is a sequence that does not wrap: the sequence is the position modulo 2³¹.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from jph.wire.codec import SEQUENCE_LIMIT, Reading
from jph.wire.columns import Readings

MASK: Final = SEQUENCE_LIMIT - 1
"""A position's lower bits are its sequence."""
MAX_MISSING: Final = 1024
"""Missing sequences that a stream remembers, to recognise one that arrives late."""
MAX_STREAMS: Final = 4
"""Epochs followed at once per source: several consoles may share a codifier."""
MAX_DROPOUT: Final = 3000
"""The longest loss that one message proves (RFC 3550, A.1). A longer jump needs a second one."""
RESTART_JUMP: Final = 100_000
"""From an original program, a jump beyond this is a restart, not a loss."""
_HALF: Final = SEQUENCE_LIMIT // 2


def offset(sequence: int, origin: int) -> int:
    """Return how far `sequence` lies after the sequence or position `origin`; negative: before."""
    return ((sequence - origin + _HALF) & MASK) - _HALF


def position(sequence: int, near: int) -> int:
    """Return the position of `sequence` that is nearest to the position `near`."""
    return near + offset(sequence, near)


class Probation:
    """Admits a long jump only when the next message continues it (RFC 3550, A.1).

    One forged sequence far ahead then changes nothing.
    """

    __slots__ = ("_expected",)

    def __init__(self) -> None:
        self._expected = -1

    def admits(self, sequence: int, ahead: int) -> bool:
        """Whether a message `ahead` of the newest is believed."""
        if ahead <= MAX_DROPOUT or sequence == self._expected:
            self._expected = -1
            return True
        self._expected = (sequence + 1) & MASK
        return False


class Event(Enum):
    """Meaning of a message's sequence."""

    FIRST = auto()  # the first message of this source
    RESET = auto()  # the source has restarted
    NEXT = auto()
    GAP = auto()  # messages before this one are missing
    LATE = auto()  # one that was missing
    DUPLICATE = auto()
    SUSPECT = auto()  # too far ahead to be believed alone


class Outcome(NamedTuple):
    """The event, and how many messages are newly missing (0 except for GAP)."""

    event: Event
    missing: int = 0


class _Stream:
    """The sequence of one (source, epoch)."""

    __slots__ = ("last", "missing", "probation")

    def __init__(self, sequence: int) -> None:
        self.last = sequence % SEQUENCE_LIMIT
        self.missing: dict[int, None] = {}  # an ordered set
        self.probation = Probation()

    def observe(self, sequence: int, known_epoch: bool) -> Outcome:
        ahead = offset(sequence, self.last)
        if ahead == 1:
            self.last = sequence % SEQUENCE_LIMIT
            return Outcome(Event.NEXT)
        if ahead > 1:
            if known_epoch and not self.probation.admits(sequence, ahead):
                return Outcome(Event.SUSPECT)
            confirmed = known_epoch and ahead > MAX_DROPOUT  # the message before was heard
            self._remember(ahead - 1 - confirmed)
            self.last = sequence % SEQUENCE_LIMIT
            return Outcome(Event.GAP, ahead - 1 - confirmed)
        if sequence % SEQUENCE_LIMIT in self.missing:
            del self.missing[sequence % SEQUENCE_LIMIT]
            return Outcome(Event.LATE)
        return Outcome(Event.DUPLICATE)

    def jumps(self, sequence: int) -> bool:
        """Whether `sequence` is too far from the last one for the same run of a program."""
        return abs(offset(sequence, self.last)) > RESTART_JUMP

    def _remember(self, count: int) -> None:
        for step in range(max(1, count - MAX_MISSING + 1), count + 1):
            self.missing[(self.last + step) % SEQUENCE_LIMIT] = None
        while len(self.missing) > MAX_MISSING:
            del self.missing[next(iter(self.missing))]


class Source:
    """Counters of one source on one bus.

    Attributes:
        received: messages since the source's last reset, without duplicates.
        lost: messages still missing since then.
        epoch: the epoch heard last; 0 is an original program.
        streams: the epochs that are followed.
    """

    __slots__ = ("epoch", "lost", "received", "streams")

    def __init__(self) -> None:
        self.received = 0
        self.lost = 0
        self.epoch = 0
        self.streams: dict[int, _Stream] = {}

    def observe(self, sequence: int, epoch: int, announces: bool) -> Outcome:
        """Count one message; `announces` is true of the flags `n` and `N`."""
        stream = self.streams.get(epoch)
        if stream is not None and epoch == 0 and (announces or stream.jumps(sequence)):
            stream = None
        if stream is None:
            outcome = self._start(sequence, epoch)
        else:
            outcome = stream.observe(sequence, known_epoch=epoch != 0)
        self.epoch = epoch
        self.lost += outcome.missing
        if outcome.event is Event.LATE:
            self.lost -= 1
        if outcome.event is not Event.DUPLICATE:
            self.received += 1
        return outcome

    def follow(self, sequences: range, epoch: int) -> bool:
        """Count messages in order if they are the next ones; return whether they are."""
        stream = self.streams.get(epoch)
        if stream is None or sequences[0] != stream.last + 1:
            return False
        stream.last = sequences[-1]
        self.received += len(sequences)
        self.epoch = epoch
        return True

    def _start(self, sequence: int, epoch: int) -> Outcome:
        known = bool(self.streams)
        self.streams.pop(epoch, None)
        while len(self.streams) >= MAX_STREAMS:
            del self.streams[next(iter(self.streams))]
        self.streams[epoch] = _Stream(sequence)
        self.received = self.lost = 0
        return Outcome(Event.RESET if known else Event.FIRST)


class SequenceTable:
    """All sources of one bus. Bounded: there are no more than 1,296 codifiers."""

    def __init__(self) -> None:
        self.sources: dict[str, Source] = {}

    def observe(
        self, source: str, sequence: int, epoch: int = 0, announces: bool = False
    ) -> Outcome:
        """Count one message of `source` and return what its sequence means."""
        known = self.sources.get(source)
        if known is None:
            known = self.sources[source] = Source()
        return known.observe(sequence, epoch, announces)

    def take(self, readings: Sequence[Reading]) -> None:
        """Count readings of the data bus; a run without a gap costs one step."""
        if type(readings) is Readings:
            known = self.sources.get(readings.source)
            if known is not None and known.follow(readings.sequences, readings.epoch):
                return
        sources = self.sources
        for sequence, epoch, _, flag, source, _, _, _, _ in readings:
            known = sources.get(source)
            stream = known.streams.get(epoch) if known is not None else None
            if known is None or stream is None or sequence != stream.last + 1 or flag == "n":
                self.observe(source, sequence, epoch, flag == "n")
                continue
            stream.last = sequence
            known.received += 1
            known.epoch = epoch

    def lost(self, source: str) -> int:
        """Messages of `source` missing since its last reset."""
        known = self.sources.get(source)
        return known.lost if known else 0
