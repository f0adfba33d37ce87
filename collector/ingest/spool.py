"""Batches that wait on disk for PostgreSQL: append-only segments, bounded, every block checksummed.

A segment is a file of blocks, a block is

    magic  crc32 of summary  crc32 of data  length of summary  length of data │ summary │ data

in little-endian u32; the data are the readings as datagrams of the wire, so that a spool survives
any change of tables, and the summary (MessagePack) lists them, so that a start needs to read no
data. What a crash or a power cut leaves of a last block is skipped. After damage, reading
goes on at the next good block; what the damaged ones held is a gap, as far as the summary or the
sequences before and after show. A segment is removed when all of it is known to be on PostgreSQL's
disk.

Every method blocks; one thread at a time.
"""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from collector.ingest.buffer import Batch
from collector.ingest.ledger import Key, ReadingRun, coalesce, runs
from jph.retransmit import Cause, Gap
from jph.util.segments import SegmentFile, SegmentFolder, SegmentView, find_blocks, surplus
from jph.wire.codec import HEADER_SIZE, SEQUENCE_LIMIT, decode_data, encode_data

SEGMENT_BYTES: Final = 4 * 2**20
_MAGIC: Final = b"jphS"
_HEAD: Final = struct.Struct("<4sIIII")
_U32: Final = struct.Struct("<I")
_LENGTH_AT: Final = HEADER_SIZE - _U32.size  # of a datagram: its payload's length
_LARGEST_SUMMARY: Final = 2**24


class _Summary(msgspec.Struct, array_like=True):
    """What a block holds."""

    heard: list[tuple[str, int, int, int, int, int]]
    gaps: list[Gap]


class _Block(NamedTuple):
    """The part of a block before its data, and where the data are."""

    summary: _Summary
    data_crc: int
    data_at: int
    data_size: int

    @property
    def end(self) -> int:
        """Where the data end."""
        return self.data_at + self.data_size


class _Segment:
    """One file: how much of it is good, read, and stored for sure."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.number = number
        self.size = 0
        self.read = 0
        self.released = 0


class _Trail:
    """What was read of each source last, and how many bytes could not be read since."""

    def __init__(self) -> None:
        self._last: dict[Key, ReadingRun] = {}
        self._unread: dict[Key, int] = {}

    def skip(self, size: int) -> None:
        """Pass over bytes that are damaged beyond telling."""
        for key in self._last:
            self._unread[key] = self._unread.get(key, 0) + size

    def follow(self, summary: _Summary) -> list[Gap]:
        """Go on to a good block; return what must have been in the bytes before it.

        That is what lies between its sequences and the last ones, if they had room for it. The
        rest is not known: it came in another order, or was never received.
        """
        gaps = []
        for source, epoch, *numbers in summary.heard:
            key, run = (source, epoch), ReadingRun(*numbers)
            before, unread = self._last.get(key, run), self._unread.pop(key, 0)
            first = (before.last + 1) % SEQUENCE_LIMIT
            many = (run.first - first) % SEQUENCE_LIMIT
            if 0 < many * HEADER_SIZE <= unread:
                times = before.to_ms, run.from_ms
                gaps.append(Gap(source, epoch, first, many, Cause.DAMAGED, *times))
            if epoch == 0 or (run.last - before.last) % SEQUENCE_LIMIT < SEQUENCE_LIMIT // 2:
                self._last[key] = run
        return gaps


class Spool:
    """Batches on disk, oldest first.

    Attributes:
        bytes: what they take.
        damaged: blocks, or rests of segments, that were not what had been written.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._files = SegmentFolder(directory, "{:012}.spool")
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max(max_bytes // 8, 1))
        self._segments: list[_Segment] = []
        self._file: SegmentFile | None = None
        self._last_number = 0
        self._trail = _Trail()
        self.bytes = 0
        self.damaged = 0

    def open(self) -> dict[Key, list[ReadingRun]]:
        """Find what an earlier run left; return what is in it.

        Raises:
            OSError: the directory cannot be made or read.
        """
        self.close()
        self._files.folder.mkdir(parents=True, exist_ok=True)
        self._segments, self.bytes, self._trail = [], 0, _Trail()
        found: dict[Key, list[ReadingRun]] = {}
        for path in self._files.paths():
            segment = _Segment(path, self._files.number(path))
            for block in _blocks(segment, 0):
                segment.size = block.end
                for source, epoch, *run in block.summary.heard:
                    found.setdefault((source, epoch), []).append(ReadingRun(*run))
            self.damaged += path.stat().st_size > segment.size
            self._last_number = segment.number
            self._segments.append(segment)
            self.bytes += segment.size
        return found

    def __bool__(self) -> bool:
        """Whether there is something to read."""
        return any(segment.read < segment.size for segment in self._segments)

    def append(self, batch: Batch) -> list[Gap]:
        """Put a batch at the end; return what had to be dropped for it.

        Raises:
            OSError: the disk is full or fails; nothing of the batch is in the spool then.
        """
        file = self._file
        if file is None or not file.is_open or file.size >= self._segment_bytes:
            file = self._start_segment()
        before = file.size
        file.append(_encode(batch))
        self._segments[-1].size = file.size
        self.bytes += file.size - before
        dropped: list[Gap] = []
        for segment in self._segments[: surplus([s.size for s in self._segments], self._max_bytes)]:
            dropped += self._drop(segment)
        return coalesce(dropped)

    def sync(self) -> None:
        """Have the disk keep what was appended.

        Raises:
            OSError: it does not.
        """
        if self._file is not None:
            self._file.sync()

    def next(self) -> Batch | None:
        """Return the oldest batch that was not returned yet; its `place` is for `release`.

        Raises:
            OSError: the disk fails.
        """
        for segment in self._segments:
            while segment.read < segment.size:
                batch = self._read(segment)
                if batch is not None:
                    return batch
        return None

    def release(self, place: tuple[int, int]) -> None:
        """Forget a batch, and all before it: they are stored for sure.

        Raises:
            OSError: the disk fails.
        """
        number, offset = place
        for segment in list(self._segments):
            if segment.number < number:
                segment.released = segment.size
            elif segment.number == number:
                segment.released = max(segment.released, offset)
            if segment.released >= segment.size:
                self._remove(segment)

    def rewind(self) -> None:
        """Let `next` begin again with what was not released."""
        for segment in self._segments:
            segment.read = segment.released
        self._trail = _Trail()

    def close(self) -> None:
        """Close the file that is written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _start_segment(self) -> SegmentFile:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self.sync()
        self.close()
        self._file = self._files.create(self._last_number)
        self._last_number = self._files.number(self._file.path)
        self._segments.append(_Segment(self._file.path, self._last_number))
        return self._file

    def _read(self, segment: _Segment) -> Batch | None:
        """Return the next batch of a segment; None if all that is left of it is damaged."""
        with segment.path.open("rb") as file:
            view = SegmentView(file, segment.size)
            found = next(find_blocks(view, _MAGIC, _read_summary, segment.read), None)
            start = segment.size if found is None else found.start
            if start > segment.read:
                self._skip(segment, start)
            if found is None:
                return None
            summary, data_crc, _, length = block = found.block
            data = view.read(block.data_at, length)
            segment.read = block.data_at + len(data)
            gaps = summary.gaps + self._trail.follow(summary)
            if len(data) == length and zlib.crc32(data) == data_crc:
                readings = [decode_data(each) for each in _datagrams(data)]
                return Batch(readings, gaps, (segment.number, block.end))
            # The length may be what is damaged.
            after = next(find_blocks(view, _MAGIC, _read_summary, block.data_at), None)
            segment.read = segment.size if after is None else after.start
        self.damaged += 1
        place = segment.number, segment.read
        return Batch([], gaps + _lost(summary, Cause.DAMAGED), place)

    def _skip(self, segment: _Segment, start: int) -> None:
        self.damaged += 1
        self._trail.skip(start - segment.read)
        segment.read = start

    def _drop(self, segment: _Segment) -> list[Gap]:
        """Remove a segment that may not be stored yet; return what is lost with it."""
        lost: list[Gap] = []
        with contextlib.suppress(OSError):
            for block in _blocks(segment, segment.released):
                lost += block.summary.gaps + _lost(block.summary, Cause.SPOOL_FULL)
        self._remove(segment)
        return lost

    def _remove(self, segment: _Segment) -> None:
        if segment is self._segments[-1]:
            self.close()
        self._segments.remove(segment)
        self.bytes -= segment.size
        segment.path.unlink(missing_ok=True)


def _encode(batch: Batch) -> bytes:
    data = b"".join(map(encode_data, batch.readings))
    heard = [(*key, *run) for key, listed in runs(batch.readings).items() for run in listed]
    summary = msgspec.msgpack.encode(_Summary(heard, batch.gaps))
    head = _HEAD.pack(_MAGIC, zlib.crc32(summary), zlib.crc32(data), len(summary), len(data))
    return head + summary + data


def _blocks(segment: _Segment, start: int) -> Iterator[_Block]:
    """Yield the blocks of a segment whose summary is good and whose data are complete."""
    size = segment.path.stat().st_size
    with segment.path.open("rb") as file:
        for found in find_blocks(SegmentView(file, size), _MAGIC, _read_complete, start):
            yield found.block


def _read_complete(view: SegmentView, start: int) -> tuple[_Block, int] | None:
    """Read a block's summary; None if it is damaged, or if the file ends before the data do."""
    found = _read_summary(view, start)
    if found is None or found[0].end > len(view):  # incomplete, or the length is damaged
        return None
    return found[0], found[0].end


def _read_summary(view: SegmentView, start: int) -> tuple[_Block, int] | None:
    """Read a block up to its data; None if the summary is damaged."""
    head = view.read(start, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, crc, data_crc, length, data_length = _HEAD.unpack(head)
    if magic != _MAGIC or length > _LARGEST_SUMMARY:
        return None
    text = view.read(start + _HEAD.size, length)
    if zlib.crc32(text) != crc:
        return None
    try:
        summary = msgspec.msgpack.decode(text, type=_Summary)
    except msgspec.DecodeError:
        return None
    data_at = start + _HEAD.size + length
    return _Block(summary, data_crc, data_at, data_length), data_at


def _datagrams(data: bytes) -> Iterator[memoryview]:
    view, at = memoryview(data), 0
    while at < len(view):
        (length,) = _U32.unpack_from(view, at + _LENGTH_AT)
        end = at + HEADER_SIZE + length
        yield view[at:end]
        at = end


def _lost(summary: _Summary, cause: Cause) -> list[Gap]:
    return [
        Gap(source, epoch, run.first, run.messages, cause, run.from_ms, run.to_ms)
        for source, epoch, *numbers in summary.heard
        for run in (ReadingRun(*numbers),)
    ]
