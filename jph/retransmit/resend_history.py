"""Messages that a program can resend: this epoch's buffer, then its log. Pure but for files.

Places are counted from the sequence that was asked first: it is place 0.
"""

from typing import Final, NamedTuple

import msgspec

from jph.retransmit.gaps import IntervalSet
from jph.retransmit.messages import Asked, Life
from jph.retransmit.resend_buffer import Ring
from jph.retransmit.resend_log import ResendLog
from jph.wire.codec import SEQUENCE_LIMIT

_HALF: Final = SEQUENCE_LIMIT // 2


class Found(msgspec.Struct):
    """An answer, or a part of one.

    Attributes:
        datagrams: as they were sent.
        gone: ranges that existed and are kept no more.
        next: the sequence after the source's last, where that was asked.
        rest: what is still to be looked up.
    """

    datagrams: list[bytes] = []
    gone: list[Asked] = []
    next: int | None = None
    rest: Asked | None = None


class _View(NamedTuple):
    """Where a start of a source begins and ends, and what is kept of it, as places."""

    began: int | None
    end: int
    held: IntervalSet


class History:
    """The datagrams of one program, by source, epoch and sequence."""

    def __init__(self, epoch: int, ring: Ring, journal: ResendLog | None = None) -> None:
        self.epoch = epoch
        self.ring = ring
        self.journal = journal

    def in_memory(self, codifier: str, epoch: int, first: int) -> bool:
        """Whether sequences from `first` on can be looked up without reading the disk."""
        if self.journal is None:
            return True
        track = self.ring.tracks.get(codifier)
        if track is None or epoch not in (0, self.epoch):
            return False
        return track.position(first) >= track.base

    def lives(self) -> list[Life]:
        """Return which earlier starts can be asked for."""
        if self.journal is None:
            return []
        self.journal.refresh()
        return self.journal.lives(without=self.epoch)

    def find(self, codifier: str, epoch: int, asked: Asked, limit: int) -> Found:
        """Look up to `limit` sequences up; the rest is to be asked again.

        A count of 0 asks what the next sequence will be. An epoch of which nothing is known is
        gone as it was asked.
        """
        first, count = asked
        epoch = epoch or self.epoch
        view = self._view(codifier, epoch, first)
        if view is None:
            return Found(gone=[asked] if count else [], next=None if count else first)
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
        for here, there in _gone(view, start, stop):
            found.gone.append(((first + here) % SEQUENCE_LIMIT, there - here))
            stop = max(stop, there)
        if stop < end:
            found.rest = ((first + stop) % SEQUENCE_LIMIT, end - stop)
        return found

    def _view(self, codifier: str, epoch: int, first: int) -> _View | None:
        track = self.ring.tracks.get(codifier)
        if epoch == self.epoch and track is not None:
            asked = track.position(first)
            held = IntervalSet()
            if asked < track.base and self.journal is not None:
                held = self.journal.held(codifier, epoch, first)
            held.add(track.base - asked, track.end - asked)
            return _View(-asked, track.end - asked, held)
        if self.journal is None:
            return None
        self.journal.refresh()
        held = self.journal.held(codifier, epoch, first)
        if not held:
            return None
        began = self.journal.began(codifier, epoch)
        if began is not None:
            began = (began - first + _HALF) % SEQUENCE_LIMIT - _HALF
        return _View(began, max(end for _, end in held), held)

    def _take(self, codifier: str, epoch: int, first: int, start: int, end: int) -> list[bytes]:
        """Return the datagrams from place `start` to below `end`, all of which are kept."""
        track = self.ring.tracks.get(codifier)
        taken: list[bytes] = []
        if epoch == self.epoch and track is not None:
            asked = track.position(first)
            if start + asked == 0:
                return [track.announcement]
            kept = max(start, track.base - asked)
            taken += self.ring.take(codifier, kept + asked, end + asked)
            end = min(end, kept)
        if start < end and self.journal is not None:
            sequence = (first + start) % SEQUENCE_LIMIT
            taken += self.journal.find(codifier, epoch, sequence, end - start).values()
        return taken


def _gone(view: _View, start: int, stop: int) -> list[tuple[int, int]]:
    """Return what is not kept between two places, each as far as it reaches to both sides.

    Who asks for a part of what is gone learns of the whole.
    """
    gone = IntervalSet([(start, stop)])
    for here, there in view.held.within(start, stop):
        gone.remove(here, there)
    edges = [end for _, end in view.held]
    lowest = view.began + 1 if view.began is not None else start
    whole = []
    for here, there in gone:
        left = max((end for end in edges if end <= here), default=min(lowest, here))
        right = min((begin for begin, _ in view.held if begin >= there), default=there)
        whole.append((left, right))
    return whole
