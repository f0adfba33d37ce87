"""Recordings and the overrun log on disk. Each function waits for the disk: call it in a thread.

A recording appears whole or not at all and then grows. A reader finds what a power cut damaged of
the last growth.
"""

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from jph.errors import StoreError
from jph.recorder.frames import MAGIC
from jph.util import durable
from jph.util.segments import SegmentFile, SegmentFolder, surplus

SUFFIX: Final = ".rec"
OVERRUNS: Final = "overruns.jsonl"

Part = bytes | memoryview


def recordings(directory: Path) -> list[Path]:
    """Return the recordings, the newest first: by their number, as clocks may be stepped."""
    return _segments(directory).paths()[::-1]


def next_number(directory: Path) -> int:
    """Return the number of the recording after the newest one."""
    return max(map(number, recordings(directory)), default=0) + 1


def write(path: Path, length: int, parts: Iterable[Part]) -> int:
    """Append `parts` to a recording of `length` good bytes (0: none yet); return its length.

    A repetition after a failure does no harm.

    Raises:
        StoreError: the disk refuses.
    """
    try:
        if length == 0 or not path.exists():  # or a person deleted it
            return durable.replace(path, (MAGIC, *parts))
        segment = SegmentFile.reopen(path, length)
        try:
            segment.append(*parts)
            segment.sync()
        finally:
            segment.close()
        return segment.size
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def prune(directory: Path, most: int, max_bytes: int) -> None:
    """Delete the oldest recordings beyond `most` files or `max_bytes`, and half-begun ones.

    The newest recording stays, whatever its size.
    """
    kept = recordings(directory)[:most]
    sizes = []
    for path in reversed(kept):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    most = max(1, len(kept) - surplus(sizes, max_bytes))
    for path in [*recordings(directory)[most:], *directory.glob(f".*{SUFFIX}.new")]:
        with contextlib.suppress(OSError):
            path.unlink()


def add_lines(path: Path, lines: Sequence[str], most: int) -> None:
    """Append lines to a log; when it has grown to twice `most` lines, only the newest stay.

    Raises:
        StoreError: the disk refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                # A line that a power cut has cut stays alone.
                file.write(b"" if file.read(1) == b"\n" else b"\n")
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())
        known = path.read_bytes().splitlines(keepends=True)
        if len(known) > 2 * most:
            durable.replace(path, known[-most:])
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def number(path: Path) -> int:
    """Return a recording's number, 0 if its name has none."""
    return _segments(path.parent).number(path)


def _segments(directory: Path) -> SegmentFolder:
    return SegmentFolder(directory, "{:06d}" + SUFFIX)
