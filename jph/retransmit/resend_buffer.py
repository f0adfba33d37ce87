"""A resend buffer: what a program sent lately, bounded by age and bytes. Pure.

The datagrams of a source are contiguous, so a sequence finds its datagram by its position. What was
sent together is kept together. The buffer drops a slice (about a second of sending) at a time.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from jph.wire.codec import SEQUENCE_LIMIT
from jph.wire.columns import Block, Piece
from jph.wire.sequence import offset

_SLICE_S: Final = 1.0
_SLICES: Final = 64
"""A slice is closed early when it holds this part of the buffer's bytes."""


class _Slice(NamedTuple):
    """The end of each source that sent in a slice."""

    newest_s: float
    size: int
    ends: tuple[tuple["Track", int], ...]


class Track:
    """The datagrams of one source: those from `base` on are kept, a piece at a time.

    Attributes:
        first: sequence of the announcement, which is always kept; position 0 is the announcement.
        base: position of the first datagram that is kept; end: position of the next.
        blocks, starts, ends: of each piece, where it lies, from which byte on, and the position
            behind it.
    """

    __slots__ = ("announcement", "base", "blocks", "closed", "end", "ends", "first", "starts")

    def __init__(self, first: int, announcement: bytes) -> None:
        self.first = first
        self.announcement = announcement
        self.base = self.end = 0
        self.closed = 0
        # A piece is often one datagram: an object for each would cost more than its content.
        self.blocks: list[Block] = []
        self.starts = array("Q")
        self.ends = array("Q")

    def forget(self, position: int) -> None:
        """Drop the pieces that end at `position` or before."""
        gone = bisect_right(self.ends, position)
        if gone:
            self.base = self.ends[gone - 1]
            del self.blocks[:gone], self.starts[:gone], self.ends[:gone]

    def take(self, start: int, end: int) -> list[bytes]:
        """Return what is kept of the positions from `start` to below `end`."""
        taken: list[bytes] = []
        index = bisect_right(self.ends, start)
        begin = self.ends[index - 1] if index else self.base
        while index < len(self.ends) and begin < end:
            (joined, size), there = self.blocks[index], self.ends[index]
            for position in range(max(start, begin), min(end, there)):
                at = self.starts[index] + size * (position - begin)
                taken.append(joined[at : at + size])
            begin = there
            index += 1
        return taken

    def position(self, sequence: int) -> int:
        """Return the position of `sequence`; negative before the announcement."""
        return offset(sequence, self.first)

    def sequence(self, position: int) -> int:
        """Return the sequence at `position`."""
        return (self.first + position) % SEQUENCE_LIMIT


class ResendBuffer:
    """The datagrams of one epoch of a program.

    Attributes:
        size: bytes of the datagrams kept.
    """

    def __init__(self, max_age_s: float, max_bytes: int) -> None:
        self.size = 0
        self.tracks: dict[str, Track] = {}
        self._max_age_s = max_age_s
        self._max_bytes = max_bytes
        self._slices: deque[_Slice] = deque()
        self._open_since_s = 0.0
        self._open_size = 0
        self._added_s = 0.0

    def begin(self, codifier: str, sequence: int, announcement: bytes) -> None:
        """Begin a source's track with its announcement, which `add` receives too."""
        self.tracks[codifier] = Track(sequence, announcement)

    def add(self, sent: Iterable[Piece], now_s: float) -> None:
        """Keep datagrams, each piece the next of its source."""
        if now_s - self._open_since_s > _SLICE_S or self._open_size * _SLICES > self._max_bytes:
            self._close(now_s)
        tracks, size = self.tracks, 0
        for codifier, block, start, count in sent:
            track = tracks[codifier]
            track.end += count
            track.blocks.append(block)
            track.starts.append(start)
            track.ends.append(track.end)
            size += block[1] * count
        self._open_size += size
        self._added_s = now_s
        self.size += size
        if self.size > self._max_bytes:
            self.expire(now_s)

    def expire(self, now_s: float) -> None:
        """Drop what is too old or too much."""
        slices = self._slices
        while slices and (
            now_s - slices[0].newest_s > self._max_age_s or self.size > self._max_bytes
        ):
            oldest = slices.popleft()
            self.size -= oldest.size
            for track, end in oldest.ends:
                track.forget(end)

    def take(self, codifier: str, start: int, end: int) -> Sequence[bytes]:
        """Return what is kept of the positions from `start` to below `end`."""
        return self.tracks[codifier].take(start, end)

    def _close(self, now_s: float) -> None:
        if self._open_size:
            grown = [track for track in self.tracks.values() if track.end > track.closed]
            ends = tuple((track, track.end) for track in grown)
            for track in grown:
                track.closed = track.end
            self._slices.append(_Slice(self._added_s, self._open_size, ends))
        self._open_since_s, self._open_size = now_s, 0
        self.expire(now_s)
