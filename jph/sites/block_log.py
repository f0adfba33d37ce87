"""Blocks that wait on disk until the carrier has them: segments of checksummed blocks, bounded.

magic  crc32 of the rest  length  number u64 │ payload

The numbers of a run begin at random: the carrier drops a number that it has had.
"""

import contextlib
import random
import struct
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Final, NamedTuple

from jph.util.segments import SegmentFile, SegmentFolder, find_blocks, surplus

_MAGIC: Final = b"jphX"
_HEAD: Final = struct.Struct("<4sIIQ")
_NUMBER: Final = struct.Struct("<Q")
_SEGMENT_BYTES: Final = 256 * 1024
_LARGEST: Final = 2**22


class _Place(NamedTuple):
    path: Path
    start: int
    size: int


class BlockLog:
    """Numbered blocks; every method may block.

    Attributes:
        dropped: blocks that were removed because there was no space for them.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.dropped = 0
        self._folder = SegmentFolder(folder, "{:012}.blocks")
        self._max_bytes = max_bytes
        self._segment: SegmentFile | None = None
        self._places: OrderedDict[int, _Place] = OrderedDict()
        self._next = random.getrandbits(62)

    def open(self) -> list[int]:
        """Read what a former run left; return the numbers, the oldest first.

        Raises:
            OSError: the disk refuses.
        """
        for path in self._folder.paths():
            for found in find_blocks(path.read_bytes(), _MAGIC, _read):
                number, payload = found.block
                self._places[number] = _Place(path, found.start + _HEAD.size, len(payload))
        return list(self._places)

    def append(self, payload: bytes) -> int:
        """Write a block and return its number; the disk has it then.

        Raises:
            OSError: the disk refuses.
        """
        number = self._next
        if self._segment is None or self._segment.size > _SEGMENT_BYTES:
            self._begin_segment()
        assert self._segment is not None
        start = self._segment.size + _HEAD.size
        rest = _NUMBER.pack(number) + payload
        self._segment.append(_HEAD.pack(_MAGIC, zlib.crc32(rest), len(payload), number), payload)
        self._segment.sync()
        self._places[number] = _Place(self._segment.path, start, len(payload))
        self._next = number + 1
        return number

    def read(self, number: int) -> bytes | None:
        """Return a block; None if it is not kept."""
        place = self._places.get(number)
        if place is None:
            return None
        with contextlib.suppress(OSError), place.path.open("rb") as file:
            file.seek(place.start)
            return file.read(place.size)
        return None

    def done(self, number: int) -> None:
        """Forget a block that the carrier has; a segment without blocks is removed."""
        place = self._places.pop(number, None)
        if place is None or any(each.path == place.path for each in self._places.values()):
            return
        if self._segment is not None and self._segment.path == place.path:
            self._segment.close()
            self._segment = None
        place.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files."""
        if self._segment is not None:
            self._segment.close()

    def _begin_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
        paths = self._folder.paths()
        for path in paths[: surplus([path.stat().st_size for path in paths], self._max_bytes)]:
            gone = [number for number, place in self._places.items() if place.path == path]
            for number in gone:
                del self._places[number]
            self.dropped += len(gone)
            path.unlink(missing_ok=True)
        self._segment = self._folder.create()


def _read(data: bytes, offset: int) -> tuple[tuple[int, bytes], int] | None:
    if len(data) - offset < _HEAD.size:
        return None
    magic, crc, length, number = _HEAD.unpack_from(data, offset)
    end = offset + _HEAD.size + length
    if magic != _MAGIC or length > _LARGEST or end > len(data):
        return None
    payload = data[offset + _HEAD.size : end]
    if zlib.crc32(_NUMBER.pack(number) + payload) != crc:
        return None
    return (number, payload), end
