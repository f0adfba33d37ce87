"""A log of checksummed blocks in numbered segment files, beneath resend log, spool and recordings.

A segment is a file of blocks, one behind another. Each block begins with the magic bytes of its
format and carries its own checksum, so a block is understood alone. A reader that meets damage
continues at the next good block. Blocks are only appended; the oldest segments are removed whole.
The three users of this module keep their own block formats, which are described there.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Generic, NamedTuple, Protocol, TypeVar

from jph.util.durable import sync_folder

_CHUNK: Final = 256 * 1024
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


class Searchable(Protocol):
    """The bytes of a segment: `bytes`, or a `SegmentView` of a file."""

    def __len__(self) -> int:
        """Return the size in bytes."""

    def find(self, wanted: bytes, start: int, /) -> int:
        """Return the first position of `wanted` from `start` on, or -1."""


D = TypeVar("D", bound=Searchable)
B = TypeVar("B")


class Found(NamedTuple, Generic[B]):
    """A good block and its place in the segment: from `start` to before `end`."""

    start: int
    end: int
    block: B


def find_blocks(
    data: D, magic: bytes, read: Callable[[D, int], tuple[B, int] | None], start: int = 0
) -> Iterator[Found[B]]:
    """Yield the good blocks of a segment from `start` on; what lies between them is damage.

    `read` returns the block at an offset and the offset of its end, or None if no good block
    begins there.
    """
    offset = start
    while 0 <= offset < len(data):
        found = read(data, offset)
        if found is None:
            offset = data.find(magic, offset + 1)
        else:
            block, end = found
            yield Found(offset, end, block)
            offset = end


def surplus(sizes: Sequence[int], max_bytes: int) -> int:
    """Return how many of the oldest segments to remove; `sizes` begins with the oldest.

    The newest segment stays, whatever its size.
    """
    total, count = sum(sizes), 0
    while total > max_bytes and count < len(sizes) - 1:
        total -= sizes[count]
        count += 1
    return count


class SegmentView:
    """The first `size` bytes of an open segment, read only where a reader looks."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def __len__(self) -> int:
        """Return the size in bytes."""
        return self._size

    def read(self, start: int, size: int) -> bytes:
        """Return up to `size` bytes from `start` on."""
        self._file.seek(start)
        return self._file.read(max(0, min(size, self._size - start)))

    def find(self, wanted: bytes, start: int, /) -> int:
        """Return the first position of `wanted` from `start` on, or -1."""
        while start < self._size:
            chunk = self.read(start, _CHUNK)
            at = chunk.find(wanted)
            if at >= 0:
                return start + at
            if len(chunk) < _CHUNK:
                break
            start += _CHUNK - len(wanted) + 1
        return -1


class SegmentFile:
    """A segment that grows: a block is appended whole or not at all.

    Attributes:
        path: where it is.
        size: bytes of complete blocks.
        is_open: whether it takes more blocks.
    """

    def __init__(self, path: Path, handle: int, size: int) -> None:
        self.path = path
        self.size = size
        self.is_open = True
        self._handle = handle

    @classmethod
    def reopen(cls, path: Path, size: int) -> "SegmentFile":
        """Open an existing segment and cut off what is behind its first `size` bytes.

        Raises:
            OSError: the file cannot be opened.
        """
        handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        segment = cls(path, handle, size)
        try:
            os.ftruncate(handle, size)
        except OSError:
            segment.close()
            raise
        return segment

    def append(self, *parts: bytes | memoryview) -> None:
        """Write a block behind the others; the operating system has it when this returns.

        Raises:
            OSError: the disk refuses; nothing of the block is in the segment then.
        """
        size = 0
        try:
            for part in parts:
                left = memoryview(part)
                while left:
                    # A disk that fills up takes a part first and refuses the next.
                    taken = os.write(self._handle, left)
                    if not taken:
                        raise OSError(errno.EIO, "the disk takes nothing", str(self.path))
                    left = left[taken:]
                    size += taken
        except OSError:
            if size:
                self._cut_off()
            raise
        self.size += size

    def sync(self) -> None:
        """Return when the disk holds what was appended.

        Raises:
            OSError: the disk refuses.
        """
        os.fdatasync(self._handle)

    def close(self) -> None:
        """Close the file."""
        if self.is_open:
            self.is_open = False
            with contextlib.suppress(OSError):
                os.close(self._handle)

    def _cut_off(self) -> None:
        """Remove an incomplete block; a file that refuses takes no more blocks."""
        try:
            os.ftruncate(self._handle, self.size)
        except OSError:
            self.close()


class SegmentFolder:
    """The segments of one log: files whose names begin with their number.

    `name` formats a number to a file name, for example `"{:012}.spool"`.
    """

    def __init__(self, folder: Path, name: str, base: int = 10) -> None:
        self.folder = folder
        self._name = name
        self._suffix = name[name.index("}") + 1 :]
        self._base = base

    def paths(self) -> list[Path]:
        """Return the segments, the oldest first: by number, because clocks may be stepped."""
        return sorted(self.folder.glob(f"*{self._suffix}"), key=self.number)

    def number(self, path: Path) -> int:
        """Return a segment's number; 0 if its name has none."""
        digits = path.name.removesuffix(self._suffix).partition("-")[0]
        try:
            return int(digits, self._base)
        except ValueError:
            return 0

    def create(self, after: int = 0) -> SegmentFile:
        """Make the next segment; its number is above `after` and above all that exist.

        Two programs may share the folder: each gets a segment of its own.

        Raises:
            OSError: the disk refuses.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max([after, *map(self.number, self.paths())])
        while True:
            number += 1
            path = self.folder / self._name.format(number)
            with contextlib.suppress(FileExistsError):
                handle = os.open(path, _NEW, 0o644)
                break
        sync_folder(self.folder)
        return SegmentFile(path, handle, 0)
