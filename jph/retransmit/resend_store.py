"""Finds readings to resend: in the resend buffer of this epoch, then in the resend log.

Places are counted from the first sequence that was asked for: it is place 0.
"""

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from jph.retransmit.gaps import IntervalSet
from jph.retransmit.messages import EpochSpan
from jph.retransmit.ranges import Interval
from jph.retransmit.resend_buffer import ResendBuffer
from jph.wire.codec import SEQUENCE_LIMIT
from jph.wire.sequence import offset

if TYPE_CHECKING:  # a program without a resend log does not load it
    from jph.retransmit.resend_log import ResendLog


class Found(msgspec.Struct):
    """An answer, or a part of one.

    Attributes:
        datagrams: as they were sent.
        lost: intervals that existed and are kept no more.
        next: the sequence after the source's last, if it was asked for.
        rest: what has still to be looked up.
    """

    datagrams: list[bytes] = []
    lost: list[Interval] = []
    next: int | None = None
    rest: Interval | None = None


class _View(NamedTuple):
    """Where an epoch of a source begins and ends, and what is kept of it, as places."""

    began: int | None
    end: int
    held: IntervalSet


class ResendStore:
    """The datagrams of one program, by source, epoch and sequence."""

    def __init__(self, epoch: int, buffer: ResendBuffer, log: "ResendLog | None" = None) -> None:
        self.epoch = epoch
        self.buffer = buffer
        self.log = log

    def in_memory(self, codifier: str, epoch: int, first: int) -> bool:
        """Whether sequences from `first` on can be looked up without reading the disk."""
        if self.log is None:
            return True
        track = self.buffer.tracks.get(codifier)
        if track is None or epoch not in (0, self.epoch):
            return False
        return track.position(first) >= track.base

    def epochs(self) -> list[EpochSpan]:
        """Return the earlier epochs that can be asked for."""
        if self.log is None:
            return []
        self.log.refresh()
        return self.log.lives(without=self.epoch)

    def find(self, codifier: str, epoch: int, asked: Interval, limit: int) -> Found:
        """Look up at most `limit` sequences; the result names the rest.

        A count of 0 asks for the next sequence. An unknown epoch is lost as far as it was asked
        for.
        """
        first, count = asked
        epoch = epoch or self.epoch
        view = self._view(codifier, epoch, first)
        if view is None:
            return Found(lost=[asked] if count else [], next=None if count else first)
        found = Found()
        if count == 0 or count > view.end:
            found.next = (first + view.end) % SEQUENCE_LIMIT
        start, end = 0, min(count, view.end)
        if view.began is not None and view.began >= 0:
            if count:
                found.datagrams += self._take(codifier, epoch, first, view.began, view.began + 1)
            start = view.began + 1
        stop = min(end, start + limit)
        for here, there in view.held.within(start, stop):
            found.datagrams += self._take(codifier, epoch, first, here, there)
        for here, there in _lost(view, start, stop):
            found.lost.append(((first + here) % SEQUENCE_LIMIT, there - here))
            stop = max(stop, there)
        if stop < end:
            found.rest = ((first + stop) % SEQUENCE_LIMIT, end - stop)
        return found

    def _view(self, codifier: str, epoch: int, first: int) -> _View | None:
        track = self.buffer.tracks.get(codifier)
        if epoch == self.epoch and track is not None:
            asked = track.position(first)
            held = IntervalSet()
            if asked < track.base and self.log is not None:
                held = self.log.held(codifier, epoch, first)
            held.add(track.base - asked, track.end - asked)
            return _View(-asked, track.end - asked, held)
        if self.log is None:
            return None
        self.log.refresh()
        held = self.log.held(codifier, epoch, first)
        if not held:
            return None
        began = self.log.began(codifier, epoch)
        if began is not None:
            began = offset(began, first)
        return _View(began, max(end for _, end in held), held)

    def _take(self, codifier: str, epoch: int, first: int, start: int, end: int) -> list[bytes]:
        """Return the datagrams from place `start` to below `end`, all of which are kept."""
        track = self.buffer.tracks.get(codifier)
        taken: list[bytes] = []
        if epoch == self.epoch and track is not None:
            asked = track.position(first)
            if start + asked == 0:
                return [track.announcement]
            kept = max(start, track.base - asked)
            taken += self.buffer.take(codifier, kept + asked, end + asked)
            end = min(end, kept)
        if start < end and self.log is not None:
            sequence = (first + start) % SEQUENCE_LIMIT
            taken += self.log.find(codifier, epoch, sequence, end - start).values()
        return taken


def _lost(view: _View, start: int, stop: int) -> list[tuple[int, int]]:
    """Return what is not kept between two places, each extended to both sides.

    A receiver that asks for a part learns the whole, as far as its clip allows.
    """
    lost = IntervalSet([(start, stop)])
    for here, there in view.held.within(start, stop):
        lost.remove(here, there)
    edges = [end for _, end in view.held]
    lowest = view.began + 1 if view.began is not None else start
    whole = []
    for here, there in lost:
        left = max((end for end in edges if end <= here), default=min(lowest, here))
        right = min((begin for begin, _ in view.held if begin >= there), default=there)
        whole.append((left, right))
    return whole
