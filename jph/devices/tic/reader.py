"""Cuts the stream of a meter into groups: bounded, resynchronising. Pure.

A frame is ``STX (LF group CR)* ETX``, and ``EOT`` where the meter breaks off. Real sources lose
any of these: terminals turn CR into LF, pasted text keeps only line ends, captures start in the
middle. So any control character among them ends a line, and a line is judged by itself. A group
leaves as soon as its line ends, because load shedding waits for it; the end of its frame follows
as an event of its own.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from jph.devices.tic.labels import Mode
from jph.devices.tic.line import LONGEST, MASK, Cause, Group, decode, has_high, has_odd

STX, ETX, EOT, LF, CR = 0x02, 0x03, 0x04, 0x0A, 0x0D

GROUPS_PER_FRAME = 256
"""Groups after which a frame without an end is closed (the longest of the norm has about 80)."""

PLAIN_GROUPS = 32
"""Good groups without a single bit 7 after which a source counts as stripped of its parity."""

MODE_FRAMES = 3
"""Frames in a row that speak one mode only, before it takes the place of another."""

MODE_LABELS = 3
"""Labels that a frame must have to count as one: the short frame of an overrun has four."""

UNKNOWN_LABELS = 32
"""Unknown labels remembered at once."""

# Both the seven-bit and the even-parity form of each, and the two that a lost bit 7 would give.
_DELIMITER = re.compile(rb"[\x02\x03\x04\n\r\x82\x83\x84\x8a\x8d]")


class FrameEnd(NamedTuple):
    """A frame has ended.

    ``complete``: both STX and ETX came. ``labels`` are those of its good groups, ``bad`` the
    lines refused since the frame before.
    """

    frame: int
    complete: bool
    labels: frozenset[str]
    bad: int


ReaderEvent = Group | FrameEnd


class JudgedLine(NamedTuple):
    """One line with bit 7, its place in the stream, and the group or the cause of refusal.

    Of a line that is too long only the beginning is kept.
    """

    raw: bytes
    offset: int
    outcome: Group | Cause


Trace = Callable[[JudgedLine], None]


class FrameReader:
    """Cut bytes into groups; keep no more than one line and the labels of one frame.

    Bytes are as an 8N1 port gives them. Even parity, in bit 7, is checked here and then masked:
    a serial driver in mode 7E1 would silently drop or alter what is wrong. Sources that already
    stripped bit 7 are recognised and read without it. ``trace`` gets each line.
    """

    def __init__(self, mode: Mode | None = None, trace: Trace | None = None) -> None:
        self.errors: dict[Cause, int] = dict.fromkeys(Cause, 0)
        self.groups = 0
        self.frames = 0
        self.bytes = 0
        self._fixed = mode is not None
        self.mode = mode
        self._candidate: Mode | None = None
        self._candidate_labels: set[str] = set()
        self._candidate_frames = 0
        self._trace = trace
        self._line = bytearray()
        self._line_at = 0
        self._overflow = False
        self._suspect = False  # the delimiter before this line broke parity
        self.parity = False
        self._plain_run = 0
        self._frame = 0
        self._started = False
        self._labels: set[str] = set()
        self._bad_before = 0
        self._unknown: dict[str, None] = {}

    @property
    def bad(self) -> int:
        """Lines refused so far, whatever the cause."""
        return sum(self.errors.values())

    def feed(self, chunk: bytes) -> list[ReaderEvent]:
        """Take what the port gave and return the groups and frame ends it completed."""
        before, self.bytes = self.bytes, self.bytes + len(chunk)
        events: list[ReaderEvent] = []
        start = 0
        for match in _DELIMITER.finditer(chunk):
            self._append(chunk[start : match.start()])
            self._delimit(chunk[match.start()], events)
            start = match.end()
            self._line_at = before + start
        self._append(chunk[start:])
        return events

    def flush(self) -> list[ReaderEvent]:
        """End the line and the frame under way: the source has stopped, or paused for long."""
        events: list[ReaderEvent] = []
        self._end_line(b"", events)
        self._end_frame(events, complete=False)
        self._suspect = self._started = False
        self._line_at = self.bytes
        return events

    def _append(self, piece: bytes) -> None:
        room = LONGEST - len(self._line)
        self._line += piece[:room]
        self._overflow = self._overflow or len(piece) > room

    def _delimit(self, raw: int, events: list[ReaderEvent]) -> None:
        byte = raw & 0x7F
        if byte == EOT:
            if self._line:
                self._count(Cause.ABORTED, events)
        else:
            self._end_line(bytes((raw,)), events)
        self._line.clear()
        self._overflow = False
        self._suspect = has_odd(bytes((raw,)))
        if byte in (STX, ETX, EOT):
            self._end_frame(events, complete=self._started and byte == ETX)
            self._started = byte == STX

    def _end_line(self, delimiter: bytes, events: list[ReaderEvent]) -> None:
        raw = bytes(self._line).replace(b"\0", b"")
        if self._overflow:
            self._count(Cause.OVERFLOW, events)
        elif raw.translate(MASK).strip():
            self._count(self._judge(raw, delimiter), events)
        self._line.clear()
        self._overflow = False

    def _count(self, outcome: Group | Cause, events: list[ReaderEvent]) -> None:
        """Count and hand on the outcome of the current line."""
        if isinstance(outcome, Cause):
            self.errors[outcome] += 1
        else:
            outcome = self._accept(outcome, events)
        if self._trace is not None:
            self._trace(JudgedLine(bytes(self._line), self._line_at, outcome))

    def _judge(self, raw: bytes, delimiter: bytes) -> Group | Cause:
        """Parity first: only a line that keeps it, or a source without any, is read further."""
        odd = self._suspect or has_odd(raw + delimiter)
        high = has_high(raw)
        if odd and high:
            return Cause.PARITY
        group = decode(raw.translate(MASK))
        if isinstance(group, Cause):
            return Cause.PARITY if odd and self.parity else group
        if high:
            self.parity, self._plain_run = True, 0
        elif self.parity and odd:
            self._plain_run += 1
            if self._plain_run < PLAIN_GROUPS:
                return Cause.PARITY
            self.parity = False
        return self._trusted(group)

    def _trusted(self, group: Group) -> Group | Cause:
        """Refuse the other mode until it has spoken for long, and a new label until repeated."""
        if not self._mode_agrees(group):
            return Cause.MODE
        if group.known or group.label in self._unknown:
            return group
        if len(self._unknown) >= UNKNOWN_LABELS:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[group.label] = None
        return Cause.LABEL

    def _mode_agrees(self, group: Group) -> bool:
        """Whether this is the meter's mode, or may be: until one is found both are heard."""
        if group.mode is self.mode:
            self._forget_candidate()
            return True
        if self._fixed:
            return False
        if group.mode is not self._candidate:
            self._forget_candidate()
            self._candidate = group.mode
        if group.label in self._candidate_labels:  # where frames have no ends: the next one begins
            self._end_candidate_frame()
        if group.known:  # which bounds the set
            self._candidate_labels.add(group.label)
        return self.mode in (None, group.mode)

    def _end_candidate_frame(self) -> None:
        """Take the other mode for the meter's once enough frames spoke it and nothing else."""
        self._candidate_frames += len(self._candidate_labels) >= MODE_LABELS
        self._candidate_labels.clear()
        if self._candidate_frames >= (1 if self.mode is None else MODE_FRAMES):
            self.mode = self._candidate
            self._forget_candidate()

    def _forget_candidate(self) -> None:
        self._candidate = None
        self._candidate_labels.clear()
        self._candidate_frames = 0

    def _accept(self, group: Group, events: list[ReaderEvent]) -> Group:
        repeated = group.label in self._labels and not self._started
        if repeated or len(self._labels) >= GROUPS_PER_FRAME:
            self._end_frame(events, complete=False)
        self.groups += 1
        self._labels.add(group.label)
        group = group._replace(frame=self._frame)
        events.append(group)
        return group

    def _end_frame(self, events: list[ReaderEvent], *, complete: bool) -> None:
        if self._candidate is not None:
            self._end_candidate_frame()
        if self._labels:  # STX and ETX alone come from noise, not from a meter
            bad = self.bad - self._bad_before
            events.append(FrameEnd(self._frame, complete, frozenset(self._labels), bad))
            self.frames += complete
            self._frame += 1
            self._bad_before = self.bad
        self._labels.clear()


def groups(events: Iterable[ReaderEvent]) -> list[Group]:
    """Keep the groups of what a reader returned."""
    return [event for event in events if isinstance(event, Group)]
