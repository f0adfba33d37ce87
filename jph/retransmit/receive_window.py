"""A receive window: what arrived, is missing, and is lost of one epoch of one source. Pure.

A window counts in positions (`jph.wire.sequence`). Each position from `lowest` to `top` has
arrived, is wanted, or is lost.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator
from enum import Enum, auto
from itertools import pairwise
from typing import Final, NamedTuple

from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.gaps import Interval, IntervalSet
from jph.retransmit.ranges import Interval as Sequences
from jph.wire.codec import SEQUENCE_LIMIT
from jph.wire.sequence import MASK, RESTART_JUMP, Probation, position

LOOK_BACK: Final = 2**20 - 1
"""How far before the first reading that was heard the source is asked."""
_CHUNK: Final = 2_000
"""Sequences in one request: a long gap arrives as a stream, and a lost answer costs no more."""
_RANGES_A_REQUEST: Final = 300
"""They fit a usual datagram: a range takes two or three bytes."""
_MOST_RANGES: Final = 20_000


class Placed(Enum):
    """What a reading's position means to the window."""

    NEW = auto()
    DUPLICATE = auto()
    SUSPECT = auto()  # too far ahead to be believed alone


class Request(NamedTuple):
    """What to ask for next.

    Attributes:
        ranges: sequences; a count of 0 asks for the next sequence of the source.
        clip: positions that an answer may speak of.
        tail: whether the next sequence is asked for.
        top: the newest position when the request was made.
    """

    ranges: tuple[Sequences, ...]
    clip: Interval
    tail: bool
    top: int


class _Missing(NamedTuple):
    """Positions found missing, the timestamps on both sides, and when and how they were found."""

    start: int
    end: int
    from_ms: int
    to_ms: int
    overflow: bool
    noticed_s: float


class ReceiveWindow:
    """One epoch of one source, as one receiver has it.

    Attributes:
        top: the newest position.
        lowest: the oldest known position.
        floor: where the source began, or what it keeps; None while that is not known.
        listed: whether the epoch is known only from the source's resend log.
        resumed: whether a checkpoint began the window.
        joined: positions below it that the source dropped do not count as lost: they were sent
            before we joined.
        latest_ms: timestamp of the newest reading.
        wanted: missing positions that may still arrive.
        tail: whether the next sequence of the source has to be asked for.
        look_back: whether the source has to be asked for what lies before `lowest`.
        asked_end: the last request lies before this position.
    """

    __slots__ = (
        "_missing", "_more", "_probation", "asked_end", "epoch", "floor", "joined", "latest_ms",
        "listed", "look_back", "lowest", "resumed", "source", "tail", "top", "wanted",
    )  # fmt: skip

    def __init__(self, source: str, epoch: int, sequence: int) -> None:
        self.source = source
        self.epoch = epoch
        self.top = self.lowest = (sequence & MASK) + SEQUENCE_LIMIT
        self.latest_ms = 0
        self.floor: int | None = None
        self.joined = 0
        self.look_back = self.tail = self.resumed = self.listed = False
        self.wanted = IntervalSet()
        self.asked_end = 0
        self._missing: list[_Missing] = []
        self._more = False
        self._probation = Probation()

    # Three ways to begin

    @classmethod
    def from_reading(
        cls, source: str, epoch: int, sequence: int, announces: bool, source_known: bool
    ) -> "ReceiveWindow":
        """Begin with the first reading that was heard, which is placed next."""
        window = cls(source, epoch, sequence)
        window.top -= 1  # so that the first reading is the next one
        window.joined = 0 if source_known else window.lowest
        window.floor = window.lowest if announces or epoch == 0 else None
        window.look_back = window.floor is None
        return window

    @classmethod
    def from_checkpoint(cls, checkpoint: Checkpoint, now_s: float) -> "ReceiveWindow":
        """Begin after what a store has."""
        window = cls(checkpoint.source, checkpoint.epoch, checkpoint.last)
        window.latest_ms, window.resumed = checkpoint.last_ms, True
        window.floor = window.lowest
        window._want_missing(checkpoint, window.top + 1, now_s)
        return window

    @classmethod
    def from_log(
        cls, source: str, epoch: int, first: int, count: int, source_known: bool, now_s: float
    ) -> "ReceiveWindow":
        """Want `count` readings of an earlier epoch that the source's resend log lists.

        If the source was not known before, readings that its log dropped do not count as lost.
        """
        window = cls(source, epoch, first)
        window.listed, window.floor = True, window.lowest
        window.top += count - 1
        window.joined = 0 if source_known else window.top + 1
        window._miss(window.lowest, window.top + 1, 0, 0, now_s)
        return window

    # What arrives

    def position(self, sequence: int) -> int:
        """Return the position of a sequence: the one nearest to the newest."""
        return position(sequence, self.top)

    def follow(self, sequence: int, timestamp_ms: int) -> bool:
        """Take a reading if it follows the newest position; return whether it does."""
        if (sequence - self.top) & MASK != 1:
            return False
        self.top += 1
        self.latest_ms = timestamp_ms
        return True

    def is_next(self, sequence: int) -> bool:
        """Whether a sequence follows the newest position."""
        return (sequence - self.top) & MASK == 1

    def advance(self, count: int, latest_ms: int) -> None:
        """Note that the next `count` readings arrived."""
        self.top += count
        self.latest_ms = latest_ms

    def restarts(self, sequence: int, announces: bool) -> bool:
        """Whether a reading of an original program belongs to a new start of it."""
        jump = abs(self.position(sequence) - self.top)
        return self.epoch == 0 and (jump > RESTART_JUMP or (announces and jump > 0))

    def place(
        self, sequence: int, timestamp_ms: int, now_s: float, overflow: bool = False
    ) -> Placed:
        """Place a reading of the bus."""
        where = self.position(sequence)
        ahead = where - self.top
        if ahead > 0 and self.epoch and not self._probation.admits(sequence, ahead):
            return Placed.SUSPECT
        if ahead > 0:
            self._miss(self.top + 1, where, self.latest_ms, timestamp_ms, now_s, overflow)
            self.top, self.latest_ms = where, timestamp_ms
            return Placed.NEW
        return self._place_old(where, timestamp_ms, now_s)

    def place_resent(
        self, sequence: int, timestamp_ms: int, now_s: float, clip: Interval
    ) -> Placed:
        """Place a reading that answers a request; outside the clip it is a duplicate."""
        where = self.position(sequence)
        if not clip[0] <= where < clip[1] or where > self.top:
            return Placed.DUPLICATE
        backwards = where <= self.lowest - LOOK_BACK
        placed = self._place_old(where, timestamp_ms, now_s)
        if backwards and self.floor is None:
            self.floor = self.lowest
        return placed

    def announce(self, sequence: int) -> None:
        """Note that the source sent nothing of this epoch before its announcement."""
        where = self.position(sequence)
        self.floor = where
        self.lowest = min(self.lowest, where)
        self.wanted.remove(0, where)
        self.look_back = False

    def resume(self, checkpoint: Checkpoint, now_s: float) -> None:
        """Narrow what is wanted from before our time to what a store lacks."""
        before = self.lowest if self.floor is None else self.floor
        last = self.position(checkpoint.last)
        lacking = IntervalSet((last + 1, self.top + 1) for _ in (0,) if last < self.top)
        for first, count in checkpoint.missing:
            lacking.add(self.position(first), self.position(first) + count)
        edges = [0, *(edge for pair in lacking for edge in pair), self.lowest]
        known = list(pairwise(edges))[::2]  # what lies between the lacking intervals
        for start, end in known:
            self.wanted.remove(start, min(end, self.lowest))
        if self.floor is None:
            self.floor = min(last + 1, self.lowest)
            self._miss(self.floor, self.lowest, checkpoint.last_ms, 0, now_s)
            self.lowest = self.floor
        self._want_missing(checkpoint, before, now_s)

    def know_past(self) -> None:
        """Count all that the source dropped as lost: a checkpoint knows the source."""
        self.joined = 0

    # What the source reports

    def learn_next(self, sequence: int, request: Request, running: bool, now_s: float) -> None:
        """Note the next sequence of the source, if the request asked for it.

        If the epoch is running and the source reports less than was heard before the request, it
        never sent the rest: those readings were forged, and the window returns to what was sent.
        """
        where = self.position(sequence)
        if running and where <= request.top:
            self._retract(where)
        if not request.tail:
            return
        self.tail = False
        if self.top + 1 < where <= self.top + LOOK_BACK:
            self._miss(self.top + 1, where, self.latest_ms, 0, now_s)
            self.top = where - 1

    def lose(self, first: int, count: int, request: Request, now_s: float) -> Iterator[Gap]:
        """Give up what the source does not keep, within the request's clip; yield the gaps."""
        start = max(self.position(first), request.clip[0])
        end = min(self.position(first) + count, request.clip[1])
        if start >= end:
            return
        yield from self.give_up(start, end, Cause.GONE)
        if self.floor is None and start < self.lowest:
            known, before = min(end, self.lowest), self.lowest
            if self.joined < known:
                yield self._gap(max(start, self.joined), known, Cause.GONE, None)
            self._miss(known, before, 0, 0, now_s)
            self.lowest = start  # the announcement still lies before what is lost, unless:
            if start <= before - LOOK_BACK:
                self.floor = start

    # What is given up

    def give_up(self, start: int, end: int, cause: Cause) -> Iterator[Gap]:
        """Want the positions from `start` to below `end` no more; yield the gaps."""
        for here, there in self.wanted.remove(start, end):
            covered = max(here, self.joined) if cause is Cause.GONE else here
            for missing in self._missing_from(covered):
                if missing.start >= there:
                    break
                left, right = max(covered, missing.start), min(there, missing.end)
                if left < right:
                    yield self._gap(left, right, cause, missing)
                    covered = right
            if covered < there:
                yield self._gap(covered, there, cause, None)

    def give_up_all(self, cause: Cause) -> Iterator[Gap]:
        """Want nothing more; yield the gaps."""
        return self.give_up(0, self.top + 1, cause)

    def give_up_asked(self) -> Iterator[Gap]:
        """Want no more what the last request asked for: the source never answers it."""
        self.look_back = False
        return self.give_up(0, self.asked_end, Cause.GONE)

    def give_up_late(self, noticed_before_s: float) -> Iterator[Gap]:
        """Give up what was found missing before a time; yield the gaps."""
        late = [(m.start, m.end) for m in self._missing if m.noticed_s < noticed_before_s]
        for start, end in late:
            yield from self.give_up(start, end, Cause.NETWORK)

    def give_up_excess(self) -> Iterator[Gap]:
        """Give up the oldest wanted intervals beyond the limit; yield the gaps."""
        excess = list(self.wanted)[: max(0, len(self.wanted) - _MOST_RANGES)]
        for start, end in excess:
            yield from self.give_up(start, end, Cause.NETWORK)

    def unknown_end(self) -> Gap:
        """Return a gap of unknown size after the newest position: the epoch's end is not known."""
        first = (self.top + 1) & MASK
        return Gap(self.source, self.epoch, first, 0, Cause.SOURCE_GONE, self.latest_ms, 0)

    # What to ask for

    def needs(self) -> bool:
        """Whether the source has to be asked for anything."""
        return bool(self.wanted) or self.tail or self.look_back

    def missing_state(self) -> tuple[object, ...]:
        """Return a value that changes with what is missing."""
        return len(self.wanted), self.wanted.total, self.tail, self.floor, self.lowest

    def ask_tail(self, wanted: bool) -> None:
        """Choose whether the next sequence of the source has to be asked for."""
        self.tail = wanted

    def stop_looking_back(self) -> None:
        """Ask no more for what lies before the oldest known position."""
        self.look_back = False

    def request(self) -> Request:
        """Return what to ask for next, oldest first: a source drops its oldest first."""
        ranges: list[Sequences] = []
        clip = (self.wanted.first, self.wanted.end) if self.wanted else (self.lowest, self.lowest)
        if self.look_back:
            ranges.append(((self.lowest - LOOK_BACK) & MASK, 1))
            clip = (self.lowest - LOOK_BACK, max(clip[1], self.lowest))
        if self.tail:
            ranges.append(((self.top + 1) & MASK, 0))
        left = _CHUNK
        for start, end in self.wanted:
            count = min(end - start, left)
            ranges.append((start & MASK, count))
            self.asked_end = start + count
            left -= count
            if not left or len(ranges) >= _RANGES_A_REQUEST:
                break
        self._more = bool(self.wanted) and self.wanted.end > self.asked_end
        return Request(tuple(ranges), clip, self.tail, self.top)

    def chunk_done(self) -> bool:
        """Whether all that was asked last has arrived, and more is wanted."""
        return self._more and bool(self.wanted) and self.wanted.first >= self.asked_end

    # Inside

    def _place_old(self, where: int, timestamp_ms: int, now_s: float) -> Placed:
        if self.wanted.discard(where):
            return Placed.NEW
        if where < self.lowest and self.floor is None:
            self._miss(where + 1, self.lowest, timestamp_ms, 0, now_s)
            self.lowest = where
            return Placed.NEW
        return Placed.DUPLICATE

    def _want_missing(self, checkpoint: Checkpoint, before: int, now_s: float) -> None:
        """Want what a checkpoint lacks, below a position."""
        self.look_back = False
        self.joined = 0
        for first, count in checkpoint.missing:
            start = self.position(first)
            self._miss(start, min(start + count, before), 0, checkpoint.last_ms, now_s)

    def _miss(
        self,
        start: int,
        end: int,
        from_ms: int,
        to_ms: int,
        now_s: float,
        overflow: bool = False,
    ) -> None:
        """Want the positions from `start` to below `end`."""
        if start < end:
            self.wanted.add(start, end)
            insort(self._missing, _Missing(start, end, from_ms, to_ms, overflow, now_s))
            if len(self._missing) > 2 * len(self.wanted) + 64:
                self._missing = [m for m in self._missing if self.wanted.within(m.start, m.end)]

    def _retract(self, end: int) -> None:
        """Forget all positions from `end` on."""
        self.wanted.remove(end, self.top + 1)
        self.top = end - 1
        self.lowest = min(self.lowest, end)

    def _missing_from(self, where: int) -> Iterator[_Missing]:
        """Yield the entry that a position lies in, and those after it."""
        index = bisect_right(self._missing, where, key=lambda missing: missing.start)
        yield from self._missing[max(index - 1, 0) :]

    def _gap(self, start: int, end: int, cause: Cause, missing: _Missing | None) -> Gap:
        from_ms, to_ms = (missing.from_ms, missing.to_ms) if missing else (0, 0)
        cause = Cause.OVERFLOW if missing and missing.overflow else cause
        return Gap(self.source, self.epoch, start & MASK, end - start, cause, from_ms, to_ms)
