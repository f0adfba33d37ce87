"""The last minutes in memory: frames in chunks, bounded by age and by bytes. Pure."""

from collections import deque
from typing import Final, NamedTuple

CHUNK_BYTES: Final = 64 * 1024


class _Chunk(NamedTuple):
    """Sealed bytes, their place in all that was ever appended, and when the last of them came."""

    start: int
    content: bytes
    newest_s: float


class RecentFrames:
    """Keeps what was appended in the last `seconds`, and never more than `max_bytes`.

    Frames are kept as they go to the disk: one frame is never parted between chunks, and handing
    all of them out copies no more than the last chunk.

    Attributes:
        end: bytes ever appended, which is the position behind the last one.
        size: bytes kept now.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self.end = 0
        self.size = 0
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._chunk_bytes = min(CHUNK_BYTES, max(1, max_bytes // 16))
        self._sealed: deque[_Chunk] = deque()
        self._open = bytearray()
        self._opened_s = self._newest_s = 0.0

    def append(self, frame: bytes, now_s: float) -> None:
        """Keep `frame`, which arrived at `now_s` (monotonic); the oldest frames are dropped."""
        if self._open and (
            len(self._open) + len(frame) > self._chunk_bytes
            or now_s - self._opened_s > self._seconds / 16
        ):
            self._seal()
        if not self._open:
            self._opened_s = now_s
        self._open += frame
        self._newest_s = now_s
        self.end += len(frame)
        self.size += len(frame)
        self.forget(now_s)

    def forget(self, now_s: float) -> None:
        """Drop what is too old, or too much."""
        while self._sealed and (
            self.size > self._max_bytes or now_s - self._sealed[0].newest_s > self._seconds
        ):
            self.size -= len(self._sealed.popleft().content)

    def since(self, position: int = 0) -> list[bytes | memoryview]:
        """Return what was appended from `position` on, as far as it is still kept, in parts."""
        parts: list[bytes | memoryview] = []
        for chunk in self._sealed:
            skipped = position - chunk.start
            if skipped <= 0:
                parts.append(chunk.content)
            elif skipped < len(chunk.content):
                parts.append(memoryview(chunk.content)[skipped:])
        skipped = max(0, position - (self.end - len(self._open)))
        if skipped < len(self._open):
            parts.append(bytes(self._open[skipped:]))
        return parts

    def _seal(self) -> None:
        content = bytes(self._open)
        self._sealed.append(_Chunk(self.end - len(content), content, self._newest_s))
        self._open = bytearray()
