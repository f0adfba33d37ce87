"""The resend log: sent datagrams on disk, for requests that reach back hours or over a restart.

A segment (`jph.util.segments`) is a row of blocks, one for each flush:

    magic "jphB", u32 crc32 of what follows, u32 size of what follows,
    f64 age of the log in s, u16 runs,
    runs × (codifier, flag of the first, u32 epoch, u32 first sequence, u32 count, u32 bytes),
    the datagrams of each run, as they were sent

An epoch that ends in order ends with a block of its own:

    magic "jphE", u32 crc32 of the epoch, u32 epoch

The age counts the time in which the log was written, so that a stepped clock removes nothing. Each
segment begins with the announcements of its sources, so the first sequence of an epoch is known as
long as anything of the epoch is. Each start writes to a segment of its own. Two instances may share
the folder for a while, when one replaces the other: each takes a new number, and reads again what
the other one writes.
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from jph.errors import StoreError
from jph.retransmit.gaps import IntervalSet
from jph.retransmit.messages import EpochSpan
from jph.util.segments import SegmentFile, SegmentFolder, find_blocks
from jph.wire.codec import HEADER_SIZE, SEQUENCE_LIMIT

_MAGIC: Final = b"jphB"
_BLOCK = struct.Struct("<4sII")
_END_MAGIC: Final = b"jphE"
_END = struct.Struct("<4sI4s")
_EPOCH = struct.Struct("<I")
_HEAD = struct.Struct("<dH")
_RUN = struct.Struct("<2scIIII")
_LENGTH_AT: Final = 24  # of the payload, in a datagram
_LENGTH = struct.Struct("<I")
_SEGMENTS: Final = 64
"""A segment holds this part of the log's bytes."""
_MOST_SEGMENTS: Final = 4096
"""A program that starts again and again must not fill the folder with small segments."""
_HALF: Final = SEQUENCE_LIMIT // 2


class DatagramRun(NamedTuple):
    """Consecutive datagrams of one epoch of one source, joined."""

    codifier: str
    epoch: int
    first: int
    length: int
    joined: bytes


class _Segment(msgspec.Struct):
    """One file: what it holds of each (codifier, epoch), and the log's age at its end."""

    path: Path
    size: int = 0
    damaged: int = 0
    age_s: float = 0.0
    held: dict[tuple[str, int], IntervalSet] = {}
    began: dict[tuple[str, int], int] = {}
    complete: set[int] = set()

    def note(self, codifier: str, epoch: int, first: int, count: int, flag: str) -> None:
        """Take note of a run; sequences are kept as they are, so a run that wraps is two."""
        held = self.held.setdefault((codifier, epoch), IntervalSet())
        held.add(first, min(first + count, SEQUENCE_LIMIT))
        held.add(0, first + count - SEQUENCE_LIMIT)
        if flag == "n":
            self.began[codifier, epoch] = first


class ResendLog:
    """The resend buffer of one node, on disk.

    Attributes:
        damaged: damaged bytes found when the log was opened.
    """

    def __init__(self, directory: Path, max_bytes: int, max_age_s: float) -> None:
        self.damaged = 0
        self._directory = directory
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s
        self._segments: list[_Segment] = []
        self._files = SegmentFolder(directory, "{:016x}.journal", base=16)
        self._file: SegmentFile | None = None
        self._written: _Segment | None = None
        self._age_s = 0.0
        self._lost = False
        self._read: tuple[object, dict[int, bytes]] = (None, {})

    def open(self) -> None:
        """Read the segments on disk.

        Raises:
            StoreError: the directory cannot be used.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._look()
        except OSError as error:
            raise StoreError(f"the resend log {self._directory} cannot be read: {error}") from error
        self.damaged = sum(segment.damaged for segment in self._segments)
        self._forget()

    def refresh(self) -> None:
        """Read what another instance has written or removed meanwhile."""
        with contextlib.suppress(OSError):  # then the known state remains
            self._look()

    def write(
        self, runs: Sequence[DatagramRun], announcements: Mapping[str, bytes], passed_s: float
    ) -> None:
        """Append runs of the present epoch and have them on the disk when this returns.

        `announcements` are those of all sources that are sent now, `passed_s` is the time since
        the last call.

        Raises:
            StoreError: the disk takes nothing; nothing of `runs` is in the log then.
        """
        if not runs:
            return
        self._age_s += passed_s
        try:
            if self._file is None:
                self._begin_segment()
                runs = [*_announcing(runs, announcements), *runs]
            assert self._file is not None
            assert self._written is not None
            self._append(self._file, self._written, runs)
        except OSError as error:
            self._lost = True
            self._end_segment()
            raise StoreError(
                f"the resend log {self._directory} cannot be written: {error}"
            ) from error
        if self._written.size * _SEGMENTS >= self._max_bytes:
            self._end_segment()
        self._forget()

    def close(self, epoch: int = 0) -> None:
        """End the segment that is written to, and mark `epoch` as complete.

        An epoch of which a write failed, or nothing was written, gets no mark.
        """
        held = any(known == epoch for segment in self._segments for _, known in segment.held)
        if held and not self._lost:
            with contextlib.suppress(OSError):  # without the mark, the end counts as not known
                if self._file is None:
                    self._begin_segment()
                assert self._file is not None
                number = _EPOCH.pack(epoch)
                self._file.append(_END.pack(_END_MAGIC, zlib.crc32(number), number))
                self._file.sync()
        self._end_segment()

    def lives(self, without: int) -> list[EpochSpan]:
        """Return all starts of all sources but the epoch `without`, newest first of each source."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        complete = set[int]().union(*(segment.complete for segment in self._segments))
        for segment in self._segments:
            for key, held in segment.held.items():
                known = found.get(key)
                first = known[0] if known else segment.began.get(key, held.first)
                ends = [(end - first + _HALF) % SEQUENCE_LIMIT - _HALF for _, end in held]
                found[key] = (first, max([*ends, known[1] if known else 0]))
        lives = [
            EpochSpan(codifier, epoch, first, (first + length) % SEQUENCE_LIMIT, epoch in complete)
            for (codifier, epoch), (first, length) in reversed(found.items())
            if epoch != without
        ]
        return sorted(lives, key=lambda life: life.codifier)

    def began(self, codifier: str, epoch: int) -> int | None:
        """Return the first sequence of an epoch of a source, or None if it is not known."""
        for segment in self._segments:
            if (first := segment.began.get((codifier, epoch))) is not None:
                return first
        return None

    def held(self, codifier: str, epoch: int, first: int) -> IntervalSet:
        """Return what is kept of an epoch of a source, as distances from sequence `first`."""
        found = IntervalSet()
        for segment in list(self._segments):
            for start, end in segment.held.get((codifier, epoch), ()):
                distance = (start - first + _HALF) % SEQUENCE_LIMIT - _HALF
                found.add(distance, distance + end - start)
        return found

    def find(self, codifier: str, epoch: int, first: int, count: int) -> dict[int, bytes]:
        """Return the datagrams that are kept of `count` sequences from `first` on."""
        found: dict[int, bytes] = {}
        for segment in list(self._segments):
            ranges = segment.held.get((codifier, epoch))
            if ranges is None or not any(
                ranges.within(start, end) for start, end in _unwrapped(first, count)
            ):
                continue
            held = self._datagrams(segment, codifier, epoch)
            if count < len(held):
                asked = [(first + step) % SEQUENCE_LIMIT for step in range(count)]
            else:
                asked = [each for each in held if (each - first) % SEQUENCE_LIMIT < count]
            found |= {sequence: held[sequence] for sequence in asked if sequence in held}
        return found

    def _datagrams(self, segment: _Segment, codifier: str, epoch: int) -> dict[int, bytes]:
        """Return the datagrams of an epoch of a source in a segment; the last result is kept.

        Requests for many small ranges ask for neighbours.
        """
        key = (segment.path, segment.size, codifier, epoch)
        if self._read[0] != key:
            with contextlib.suppress(OSError):  # removed meanwhile: then it is lost
                runs = _runs(segment.path.read_bytes(), codifier, epoch)
                self._read = (
                    key,
                    {
                        (run.first + position) % SEQUENCE_LIMIT: datagram
                        for run in runs
                        for position, datagram in enumerate(_datagrams(run.joined))
                    },
                )
        return self._read[1] if self._read[0] == key else {}

    def _look(self) -> None:
        """Read the segments that are new or have changed; forget those that are there no more."""
        known = {segment.path: segment for segment in self._segments}
        segments = []
        for path in self._files.paths():
            segment = known.get(path)
            with contextlib.suppress(FileNotFoundError):  # dropped while we look
                if segment is None or segment.size != path.stat().st_size:
                    segment = segment if segment is self._written and segment else _scan(path)
                segments.append(segment)
        self._segments = segments
        self._age_s = max([self._age_s, *(segment.age_s for segment in segments)])

    def _begin_segment(self) -> None:
        self._file = self._files.create()
        self._look()  # another program may have written meanwhile
        self._written = _Segment(self._file.path)
        self._segments = [*(s for s in self._segments if s.path != self._file.path), self._written]

    def _end_segment(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = self._written = None

    def _append(self, file: SegmentFile, segment: _Segment, runs: Sequence[DatagramRun]) -> None:
        file.append(_encode(runs, self._age_s))
        segment.size = file.size
        file.sync()
        segment.age_s = self._age_s
        for run in runs:
            segment.note(run.codifier, run.epoch, run.first, run.length, chr(run.joined[16]))

    def _forget(self) -> None:
        """Remove the oldest segments while the log is too large, or they are too old."""
        size = sum(segment.size for segment in self._segments)
        while (
            len(self._segments) > 1
            and self._segments[0] is not self._written
            and (
                size > self._max_bytes
                or len(self._segments) > _MOST_SEGMENTS
                or self._age_s - self._segments[0].age_s > self._max_age_s
            )
        ):
            oldest = self._segments.pop(0)
            size -= oldest.size
            with contextlib.suppress(OSError):
                oldest.path.unlink()


def _scan(path: Path) -> _Segment:
    """Read what a segment holds, skipping what is damaged."""
    data = path.read_bytes()
    segment = _Segment(path, len(data), len(data))
    for start, end, _ in find_blocks(data, _MAGIC, _read_block):
        segment.damaged -= end - start
        age_s, _ = _HEAD.unpack_from(data, start + _BLOCK.size)
        segment.age_s = max(segment.age_s, age_s)
        for codifier, flag, epoch, first, count, _, _ in _table(data, start):
            segment.note(codifier, epoch, first, count, flag)
    for start, end, epoch in find_blocks(data, _END_MAGIC, _read_end):
        segment.damaged -= end - start
        segment.complete.add(epoch)
    return segment


def _announcing(
    runs: Sequence[DatagramRun], announcements: Mapping[str, bytes]
) -> Iterator[DatagramRun]:
    """Yield runs of the announcements that `runs` does not contain."""
    epoch = runs[0].epoch
    written = {(run.codifier, run.first) for run in runs}
    for codifier, datagram in announcements.items():
        (first,) = _LENGTH.unpack_from(datagram)
        if (codifier, first) not in written:
            yield DatagramRun(codifier, epoch, first, 1, datagram)


def _encode(runs: Sequence[DatagramRun], age_s: float) -> bytes:
    table = [_HEAD.pack(age_s, len(runs))]
    for run in runs:
        code, flag = run.codifier.encode(), run.joined[16:17]
        table.append(_RUN.pack(code, flag, run.epoch, run.first, run.length, len(run.joined)))
    body = b"".join(table + [run.joined for run in runs])
    return _BLOCK.pack(_MAGIC, zlib.crc32(body), len(body)) + body


def _read_block(data: bytes, start: int) -> tuple[None, int] | None:
    """Return where the block at `start` ends, if it is good."""
    if not data.startswith(_MAGIC, start) or start + _BLOCK.size > len(data):
        return None
    _, crc, size = _BLOCK.unpack_from(data, start)
    body = start + _BLOCK.size
    whole = body + size <= len(data) and size >= _HEAD.size
    if not whole or zlib.crc32(memoryview(data)[body : body + size]) != crc:
        return None
    return None, body + size


def _read_end(data: bytes, start: int) -> tuple[int, int] | None:
    """Return the epoch that the block at `start` marks as complete, and where the block ends."""
    if not data.startswith(_END_MAGIC, start) or start + _END.size > len(data):
        return None
    _, crc, number = _END.unpack_from(data, start)
    if zlib.crc32(number) != crc:
        return None
    return _EPOCH.unpack(number)[0], start + _END.size


def _table(data: bytes, start: int) -> Iterator[tuple[str, str, int, int, int, int, int]]:
    """Yield the runs of a block: codifier, flag, epoch, first, count, where, bytes."""
    head = start + _BLOCK.size
    _, count = _HEAD.unpack_from(data, head)
    where = head + _HEAD.size + count * _RUN.size
    for index in range(count):
        code, flag, *numbers, size = _RUN.unpack_from(data, head + _HEAD.size + index * _RUN.size)
        epoch, first, datagrams = numbers
        yield code.decode(), flag.decode(), epoch, first, datagrams, where, size
        where += size


def _runs(data: bytes, codifier: str, epoch: int) -> Iterator[DatagramRun]:
    """Yield the runs of one epoch of one source in a segment."""
    for start, _, _ in find_blocks(data, _MAGIC, _read_block):
        for code, _, run_epoch, first, count, where, size in _table(data, start):
            if (code, run_epoch) == (codifier, epoch):
                yield DatagramRun(code, run_epoch, first, count, data[where : where + size])


def _datagrams(joined: bytes) -> Iterator[bytes]:
    """Split joined datagrams; each has the length of its payload in its header."""
    start = 0
    while start < len(joined):
        end = start + HEADER_SIZE + _LENGTH.unpack_from(joined, start + _LENGTH_AT)[0]
        yield joined[start:end]
        start = end


def _unwrapped(first: int, count: int) -> Iterator[tuple[int, int]]:
    yield first, min(first + count, SEQUENCE_LIMIT)
    yield 0, first + count - SEQUENCE_LIMIT
