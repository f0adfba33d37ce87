"""Receive window of one epoch of one source: received, missing, still obtainable. Pure.

Positions are sequences that do not wrap: the sequence is the position modulo 2³¹.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.gaps import Interval, IntervalSet
from jph.retransmit.messages import Asked
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import SEQUENCE_LIMIT

MASK: Final = SEQUENCE_LIMIT - 1
LOOK_BACK: Final = 2**20 - 1
"""How far before the first that was heard readings are asked for."""
_HALF: Final = SEQUENCE_LIMIT // 2
_CHUNK: Final = 2_000
"""Sequences asked at once: a long gap streams, and a lost answer costs no more."""
_ASKED_RANGES: Final = 300
"""They fit a usual datagram: a range takes two or three bytes."""
_MOST_RANGES: Final = 20_000
_ASKS_A_SECOND: Final = 2.0
_ASKS_AT_ONCE: Final = 4.0


class _Gap(NamedTuple):
    """Where and when something was found missing, between which timestamps."""

    start: int
    end: int
    from_ms: int
    to_ms: int
    overflow: bool
    noticed_s: float


class Stream:
    """One start of one source.

    Attributes:
        top: the newest position; everything up to it came, is wanted, or is given up.
        lowest: the oldest position that is known of.
        floor: where the source began, or what it keeps; None as long as that is not known.
        listed: whether it is only known from its source's journal.
        claimed: what its source had forgotten before this position was before our time: no hole.
        wanted: positions that are missing.
        tail: whether what the source sent last is asked.
        asked_end: what was asked last lies before this position.
    """

    __slots__ = (
        "_gaps", "_more", "address", "allowance", "asked_end", "claimed", "due_s", "ended",
        "epoch", "floor", "heard_s", "interval_s", "latest_ms", "listed", "look_back", "looked",
        "lowest", "probed_s", "resumed", "signed_s", "source", "superseded_s", "tail", "top",
        "tries", "wanted",
    )  # fmt: skip

    def __init__(self, source: str, epoch: int, sequence: int, now_s: float) -> None:
        self.source = source
        self.epoch = epoch
        self.top = self.lowest = (sequence & MASK) + SEQUENCE_LIMIT
        self.latest_ms = 0
        self.floor: int | None = None
        self.claimed = 0
        self.look_back = self.tail = self.ended = self.resumed = self.listed = False
        self.wanted = IntervalSet()
        self.address: tuple[str, int] | None = None
        self.heard_s = self.signed_s = now_s
        self.interval_s = 0.0
        self.looked = (now_s, self.top)
        self.probed_s = self.superseded_s = -1.0
        self.due_s = float("inf")
        self.tries = 0
        self.allowance = TokenBucket(_ASKS_A_SECOND, _ASKS_AT_ONCE)
        self._gaps: list[_Gap] = []
        self.asked_end = 0
        self._more = False

    def position(self, sequence: int) -> int:
        """Return the position of a sequence: the one nearest to the newest."""
        return self.top + ((sequence - self.top + _HALF) & MASK) - _HALF

    def place(self, sequence: int, timestamp_ms: int, now_s: float, overflow: bool = False) -> bool:
        """Take note of a reading; tell whether it is new to us."""
        position = self.position(sequence)
        if position > self.top:
            self.miss(self.top + 1, position, self.latest_ms, timestamp_ms, now_s, overflow)
            self.top, self.latest_ms = position, timestamp_ms
            return True
        if self.wanted.discard(position):
            return True
        if position < self.lowest and self.floor is None:
            self.miss(position + 1, self.lowest, timestamp_ms, 0, now_s)
            self.lowest = position
            return True
        return False

    def miss(
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
            insort(self._gaps, _Gap(start, end, from_ms, to_ms, overflow, now_s))
            if len(self._gaps) > 2 * len(self.wanted) + 64:
                self._gaps = [gap for gap in self._gaps if self.wanted.within(gap.start, gap.end)]

    def begins(self, position: int) -> None:
        """Take note that nothing of this start was sent before `position`."""
        self.floor = position
        self.lowest = min(self.lowest, position)
        self.wanted.remove(0, position)

    def ends(self, position: int, now_s: float) -> None:
        """Take note that nothing was sent yet from `position` on."""
        self.tail = False
        if position > self.top + 1:
            self.miss(self.top + 1, position, self.latest_ms, 0, now_s)
            self.top = position - 1

    def reconcile(self, mark: Checkpoint) -> None:
        """Narrow what is wanted from before our time to what the mark lacks."""
        last = self.position(mark.last)
        lacking = IntervalSet((last + 1, self.top + 1) for _ in (0,) if last < self.top)
        for first, count in mark.missing:
            lacking.add(self.position(first), self.position(first) + count)
        edges = [0, *(edge for pair in lacking for edge in pair), self.lowest]
        known = list(pairwise(edges))[::2]  # what lies between the lacking ranges
        for start, end in known:
            self.wanted.remove(start, min(end, self.lowest))
        if self.floor is None:
            self.floor = min(last + 1, self.lowest)
            self.miss(self.floor, self.lowest, mark.last_ms, 0, self.heard_s)
            self.lowest = self.floor

    def want_past(self, count: int, known: bool, address: tuple[str, int], now_s: float) -> None:
        """Want all `count` readings of an earlier start that a journal lists, from the first on.

        Of one that ended before our time, what the journal has forgotten is no hole.
        """
        self.listed, self.address, self.floor = True, address, self.lowest
        self.top += count - 1
        self.claimed = 0 if known else self.top + 1
        self.superseded_s = now_s
        self.miss(self.lowest, self.top + 1, 0, 0, now_s)

    def gone(self, start: int, end: int) -> Iterator[Gap]:
        """Give up what the source does not keep; yield what that leaves as holes."""
        yield from self.give_up(start, end, Cause.GONE)
        if self.floor is None and start < self.lowest:
            known, before = min(end, self.lowest), self.lowest
            if self.claimed < known:
                yield self._hole(max(start, self.claimed), known, Cause.GONE, None)
            self.miss(known, before, 0, 0, self.signed_s)
            self.lowest = start  # the announcement still lies before what is gone, unless:
            if start <= before - LOOK_BACK:
                self.floor = start

    def give_up(self, start: int, end: int, cause: Cause) -> Iterator[Gap]:
        """Want the positions from `start` to below `end` no more; yield them as holes."""
        for here, there in self.wanted.remove(start, end):
            covered = max(here, self.claimed) if cause is Cause.GONE else here
            for gap in self._gaps_from(covered):
                if gap.start >= there:
                    break
                left, right = max(covered, gap.start), min(there, gap.end)
                if left < right:
                    yield self._hole(left, right, cause, gap)
                    covered = right
            if covered < there:
                yield self._hole(covered, there, cause, None)

    def overdue_ranges(self, noticed_before_s: float) -> list[Interval]:
        """Return what was noticed missing before then."""
        return [(gap.start, gap.end) for gap in self._gaps if gap.noticed_s < noticed_before_s]

    def too_many(self) -> list[Interval]:
        """Return the oldest wanted ranges, where there are more than can be kept."""
        return list(self.wanted)[: max(0, len(self.wanted) - _MOST_RANGES)]

    def unknown(self) -> Gap:
        """Return the hole, of unknown size, at the edge of what is known of a start."""
        return Gap(
            self.source, self.epoch, (self.top + 1) & MASK, 0, Cause.SOURCE_GONE, self.latest_ms, 0
        )

    def needs(self) -> bool:
        """Whether the source has to be asked for anything."""
        return bool(self.wanted) or self.tail or self.look_back

    def lacks(self) -> tuple[object, ...]:
        """Return a value that changes with what is lacking."""
        return len(self.wanted), self.wanted.total, self.tail, self.floor, self.lowest

    def ask(self) -> tuple[Asked, ...]:
        """Return what to ask for next, oldest first: a source forgets its oldest first."""
        ranges: list[Asked] = []
        if self.look_back:
            ranges.append(((self.lowest - LOOK_BACK) & MASK, 1))
        if self.tail:
            ranges.append(((self.top + 1) & MASK, 0))
        left = _CHUNK
        for start, end in self.wanted:
            count = min(end - start, left)
            ranges.append((start & MASK, count))
            self.asked_end = start + count
            left -= count
            if not left or len(ranges) >= _ASKED_RANGES:
                break
        self._more = bool(self.wanted) and self.wanted.end > self.asked_end
        return tuple(ranges)

    def chunk_done(self) -> bool:
        """Whether all that was asked last is there, and more is wanted that was wanted then."""
        return self._more and bool(self.wanted) and self.wanted.first >= self.asked_end

    def _gaps_from(self, position: int) -> Iterator[_Gap]:
        """Yield the gap that `position` lies in, and those after it."""
        index = bisect_right(self._gaps, position, key=lambda gap: gap.start)
        yield from self._gaps[max(index - 1, 0) :]

    def _hole(self, start: int, end: int, cause: Cause, gap: _Gap | None) -> Gap:
        from_ms, to_ms = (gap.from_ms, gap.to_ms) if gap else (0, 0)
        told = Cause.OVERFLOW if gap and gap.overflow else cause
        return Gap(self.source, self.epoch, start & MASK, end - start, told, from_ms, to_ms)
