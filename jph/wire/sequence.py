"""Which messages of a source came, came twice, came late or never came. Pure.

A sender counts its messages per bus and source and draws a new epoch at each start, so that a
restart is told from a loss even when the announcement (`n`, `N`) itself was lost. Original programs
have epoch 0: for them an announcement, or a jump too large to be a loss, is a restart.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from jph.wire.codec import SEQUENCE_LIMIT, Reading
from jph.wire.readings import Readings

MAX_MISSING: Final = 1024
"""How many missing sequences a stream remembers, to know one when it comes late."""
MAX_STREAMS: Final = 4
"""Epochs followed at once per source: several consoles may share a codifier."""
_RESTART_JUMP: Final = 100_000
"""From an original program, a jump beyond this is taken for a restart, not for a loss."""


class Event(Enum):
    """What a sequence tells about the message that carries it."""

    FIRST = auto()  # nothing of this source was heard before
    RESET = auto()  # the source has started anew
    NEXT = auto()
    GAP = auto()  # messages before this one are missing
    LATE = auto()  # one that was missing
    DUPLICATE = auto()


class Outcome(NamedTuple):
    """The event, and how many messages are newly missing (0 but for GAP)."""

    event: Event
    missing: int = 0


class _Stream:
    """The sequence of one (source, epoch)."""

    __slots__ = ("last", "missing")

    def __init__(self, sequence: int) -> None:
        self.last = sequence % SEQUENCE_LIMIT
        self.missing: dict[int, None] = {}  # an ordered set

    def observe(self, sequence: int) -> Outcome:
        ahead = (sequence - self.last) % SEQUENCE_LIMIT
        if ahead == 1:
            self.last = sequence % SEQUENCE_LIMIT
            return Outcome(Event.NEXT)
        if 1 < ahead < SEQUENCE_LIMIT // 2:
            self._remember(ahead - 1)
            self.last = sequence % SEQUENCE_LIMIT
            return Outcome(Event.GAP, ahead - 1)
        if sequence % SEQUENCE_LIMIT in self.missing:
            del self.missing[sequence % SEQUENCE_LIMIT]
            return Outcome(Event.LATE)
        return Outcome(Event.DUPLICATE)

    def jumps(self, sequence: int) -> bool:
        """Whether `sequence` lies too far from the last one to belong to the same run."""
        ahead = (sequence - self.last) % SEQUENCE_LIMIT
        return min(ahead, SEQUENCE_LIMIT - ahead) > _RESTART_JUMP

    def _remember(self, count: int) -> None:
        for step in range(max(1, count - MAX_MISSING + 1), count + 1):
            self.missing[(self.last + step) % SEQUENCE_LIMIT] = None
        while len(self.missing) > MAX_MISSING:
            del self.missing[next(iter(self.missing))]


class Source:
    """What is known of one source on one bus.

    Attributes:
        received: messages heard since the source's last reset, duplicates left out.
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
        """Take note of one message; `announces` is true of the flags `n` and `N`."""
        stream = self.streams.get(epoch)
        if stream is not None and epoch == 0 and (announces or stream.jumps(sequence)):
            stream = None
        outcome = self._start(sequence, epoch) if stream is None else stream.observe(sequence)
        self.epoch = epoch
        self.lost += outcome.missing
        if outcome.event is Event.LATE:
            self.lost -= 1
        if outcome.event is not Event.DUPLICATE:
            self.received += 1
        return outcome

    def follow(self, sequences: range, epoch: int) -> bool:
        """Take note of messages in order, if they are the next ones; tell whether they are."""
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
        """Take note of one message of `source` and say what its sequence tells."""
        known = self.sources.get(source)
        if known is None:
            known = self.sources[source] = Source()
        return known.observe(sequence, epoch, announces)

    def take(self, readings: Sequence[Reading]) -> None:
        """Take note of readings of the data bus, at once where they only follow on."""
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
