"""Batches that wait on disk for PostgreSQL: append-only segments, bounded, every block checksummed.

A segment is a file of blocks, a block is

    magic  crc32 of summary  crc32 of data  length of summary  length of data │ summary │ data

in little-endian u32; the data are the readings as datagrams of the wire, so that a spool survives
any change of tables, and the summary (MessagePack) says what is in them, so that a start needs to
read no data. What a crash or a power cut leaves of a last block is skipped. After damage, reading
goes on at the next good block; what the damaged ones held is a gap, as far as the summary or the
sequences before and after tell. A segment is removed when all of it is known to be on PostgreSQL's
disk.

Every method blocks; one thread at a time.
"""

import contextlib
import errno
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from collector.ingest.buffer import Batch
from collector.ingest.ledger import Key, ReadingRun, coalesce, runs
from jph.retransmit import Cause, Gap
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


class _Segment:
    """One file: how much of it is good, read, and stored for sure."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = int(path.stem)
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
        rest is not told: what came in another order, or was never received.
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
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = min(SEGMENT_BYTES, max(max_bytes // 8, 1))
        self._segments: list[_Segment] = []
        self._file: BinaryIO | None = None
        self._next_number = 0
        self._trail = _Trail()
        self.bytes = 0
        self.damaged = 0

    def open(self) -> dict[Key, list[ReadingRun]]:
        """Find what an earlier run left; return what is in it.

        Raises:
            OSError: the directory cannot be made or read.
        """
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._segments, self.bytes, self._trail = [], 0, _Trail()
        found: dict[Key, list[ReadingRun]] = {}
        for path in sorted(self._directory.glob("*.spool")):
            segment = _Segment(path)
            for end, summary in self._summaries(segment, 0):
                segment.size = end
                for source, epoch, *run in summary.heard:
                    found.setdefault((source, epoch), []).append(ReadingRun(*run))
            self.damaged += path.stat().st_size > segment.size
            self._next_number = segment.number + 1
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
        block = _encode(batch)
        last = self._segments[-1] if self._segments else None
        if self._file is None or last is None or last.size >= self._segment_bytes:
            last = self._start_segment()
        assert self._file is not None
        try:
            _write(self._file, block)
        except OSError:
            self._undo(last)
            raise
        last.size += len(block)
        self.bytes += len(block)
        dropped: list[Gap] = []
        while self.bytes > self._max_bytes and len(self._segments) > 1:
            dropped += self._drop(self._segments[0])
        return coalesce(dropped)

    def sync(self) -> None:
        """Have the disk keep what was appended.

        Raises:
            OSError: it does not.
        """
        if self._file is not None:
            os.fdatasync(self._file.fileno())

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
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def _start_segment(self) -> _Segment:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self.sync()
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{self._next_number:012}.spool"
        # unbuffered: what is written is the system's, whatever becomes of us
        self._file = path.open("xb", buffering=0)
        self._next_number += 1
        self._segments.append(_Segment(path))
        return self._segments[-1]

    def _undo(self, segment: _Segment) -> None:
        """Cut off what a full disk took of a block."""
        assert self._file is not None
        with contextlib.suppress(OSError):
            self._file.truncate(segment.size)
            self._file.seek(segment.size)
            return
        self.close()

    def _read(self, segment: _Segment) -> Batch | None:
        """Return the next batch of a segment; None if all that is left of it is damaged."""
        with segment.path.open("rb") as file:
            start = _next_block(file, segment.read, segment.size)
            if start > segment.read:
                self._skip(segment, start)
            found = _block(file, start) if start < segment.size else None
            if found is None:
                return None
            summary, data_crc, length = found
            after_summary = file.tell()
            data = file.read(length)
            segment.read = end = file.tell()
            gaps = summary.gaps + self._trail.follow(summary)
            if len(data) == length and zlib.crc32(data) == data_crc:
                readings = [decode_data(each) for each in _datagrams(data)]
                return Batch(readings, gaps, (segment.number, end))
            # The length may be what is damaged.
            segment.read = _next_block(file, after_summary, segment.size)
        self.damaged += 1
        place = segment.number, segment.read
        return Batch([], gaps + _lost(summary, Cause.DAMAGED), place)

    def _skip(self, segment: _Segment, start: int) -> None:
        self.damaged += 1
        self._trail.skip(start - segment.read)
        segment.read = start

    def _summaries(self, segment: _Segment, start: int) -> Iterator[tuple[int, _Summary]]:
        """Yield where each good block ends, and what is in it."""
        size = segment.path.stat().st_size
        with segment.path.open("rb") as file:
            while (start := _next_block(file, start, size)) < size:
                found = _block(file, start)
                if found is None:
                    return
                end = file.tell() + found[2]
                if end > size:  # torn, or the length is damaged
                    start = file.tell()
                    continue
                yield end, found[0]
                start = end

    def _drop(self, segment: _Segment) -> list[Gap]:
        """Remove a segment that may not be stored yet; return what is lost with it."""
        lost: list[Gap] = []
        with contextlib.suppress(OSError):
            for _, summary in self._summaries(segment, segment.released):
                lost += summary.gaps + _lost(summary, Cause.SPOOL_FULL)
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


def _write(file: BinaryIO, block: bytes) -> None:
    """Write all of a block; a disk that fills up takes a part first, and says so only later."""
    left = memoryview(block)
    while left:
        taken = file.write(left)
        if not taken:
            raise OSError(errno.EIO, "the disk takes nothing", file.name)
        left = left[taken:]


def _next_block(file: BinaryIO, start: int, size: int) -> int:
    """Return where the next block with a good summary begins, from `start` on; else `size`."""
    if _block(file, start) is not None:
        return start
    file.seek(start)
    rest = file.read(max(size - start, 0))
    at = rest.find(_MAGIC, 1)
    while at >= 0:
        if _block(file, start + at) is not None:
            return start + at
        at = rest.find(_MAGIC, at + 1)
    return size


def _block(file: BinaryIO, start: int) -> tuple[_Summary, int, int] | None:
    """Read the summary of a block, up to its data; return it with their checksum and length.

    None if it is damaged.
    """
    file.seek(start)
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    magic, crc, data_crc, length, data_length = _HEAD.unpack(head)
    if magic != _MAGIC or length > _LARGEST_SUMMARY:
        return None
    text = file.read(length)
    if zlib.crc32(text) != crc:
        return None
    try:
        return msgspec.msgpack.decode(text, type=_Summary), data_crc, data_length
    except msgspec.DecodeError:
        return None


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
