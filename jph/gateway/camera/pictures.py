"""Pictures out of the bytes of an HTTP answer. Pure.

Nothing but a JPEG or a PNG ever leaves here: what a camera sends instead, a page with a script
say, is refused and never reaches a browser.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from jph.errors import DeviceError

LARGEST: Final = 4 * 2**20
"""Bytes of a picture; a camera of 12 megapixels sends about 3 MB."""
_LARGEST_HEAD: Final = 4096
_BOUNDARY: Final = re.compile(r"boundary=(?:\"([^\"]{1,100})\"|([^\s;\"]{1,100}))", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"^content-length:\s*(\d{1,8})\s*$", re.IGNORECASE | re.MULTILINE)
_JPEG_END: Final = b"\xff\xd9"


class NoPicture(DeviceError):
    """What came is not what a camera sends; its text says why, and nothing of the address."""


class Picture(NamedTuple):
    """A picture and its media type."""

    content: bytes
    media_type: str


def picture(content: bytes) -> Picture:
    """Return what some bytes are.

    Raises:
        NoPicture: they are neither a JPEG nor a PNG, or too many.
    """
    if len(content) > LARGEST:
        raise NoPicture("its picture is too large")
    if content.startswith(b"\xff\xd8\xff"):
        end = content.rfind(_JPEG_END)
        if end > 0:
            return Picture(content[: end + 2], "image/jpeg")
    elif content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Picture(content, "image/png")
    raise NoPicture("it sends something that is no picture")


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary of a multipart answer; None if it is none."""
    if not content_type.strip().lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type)
    if found is None:
        return None
    return b"--" + (found[1] or found[2]).removeprefix("--").encode("latin-1", "replace")


class Splitter:
    """Cuts a stream of parts (multipart/x-mixed-replace) into pictures."""

    def __init__(self, boundary: bytes) -> None:
        self._boundary = boundary
        self._waiting = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Picture]:
        """Yield the pictures that are complete with this chunk.

        Raises:
            NoPicture: a part is too large, or no picture.
        """
        self._waiting += chunk
        while (part := self._next()) is not None:
            yield picture(part)
        if len(self._waiting) > LARGEST + _LARGEST_HEAD:
            raise NoPicture("its picture is too large")

    def _next(self) -> bytes | None:
        """Take the next whole part out of what waits."""
        waiting = self._waiting
        start = waiting.find(self._boundary)
        if start < 0:
            del waiting[: max(0, len(waiting) - len(self._boundary))]
            return None
        head_end = _end_of_head(waiting, start)
        if head_end is None:
            if len(waiting) - start > _LARGEST_HEAD:
                raise NoPicture("a part of its stream has no end of its head")
            return None
        length = _LENGTH.search(bytes(waiting[start:head_end]).replace(b"\r\n", b"\n"))
        if length is not None:
            end = head_end + int(length[1])
            if end - head_end > LARGEST:
                raise NoPicture("its picture is too large")
            if end > len(waiting):
                return None
        else:
            end = waiting.find(self._boundary, head_end)
            if end < 0:
                return None
        part = bytes(waiting[head_end:end])
        del waiting[:end]
        return part


def _end_of_head(waiting: bytearray, start: int) -> int | None:
    """Return where the body of a part begins; some cameras end lines with LF alone."""
    ends = [
        found + len(mark)
        for mark in (b"\r\n\r\n", b"\n\n")
        if (found := waiting.find(mark, start, start + _LARGEST_HEAD)) >= 0
    ]
    return min(ends, default=None)
