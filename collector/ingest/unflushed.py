"""Unflushed commits: batches that PostgreSQL may still lose in a crash. Pure.

With `synchronous_commit` off (it spares SD cards; the embedded server's setting) a commit is
confirmed before it is on the disk. Batches are kept until PostgreSQL's log is on disk beyond them.
"""

from collections import deque
from typing import Final

from collector.ingest.buffer import Batch

_MOST: Final = 64
"""Batches kept at most; PostgreSQL flushes its log every 0.6 s, which is a few batches."""


class UnflushedCommits:
    """Batches in the order they were committed, about `max_bytes` of them."""

    def __init__(self, max_bytes: int = 2**24) -> None:
        self._max_bytes = max_bytes
        self._batches: deque[tuple[int, Batch]] = deque()
        self._bytes = 0

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def full(self) -> bool:
        """Whether the next commit must wait for the disk."""
        return self._bytes >= self._max_bytes or len(self._batches) >= _MOST

    def add(self, batch: Batch, log: int) -> None:
        """Keep a batch whose commit ends at byte `log` of the log."""
        self._batches.append((log, batch))
        self._bytes += batch.bytes

    def sure(self, flushed: int) -> list[Batch]:
        """Remove and return the batches that are safe: the log is on disk up to `flushed`."""
        safe = []
        while self._batches and (self._batches[0][0] <= flushed or len(self._batches) > _MOST):
            safe.append(self._batches.popleft()[1])
            self._bytes -= safe[-1].bytes
        return safe

    def take_back(self) -> list[Batch]:
        """Remove and return all batches: the server has restarted."""
        batches = [batch for _, batch in self._batches]
        self._batches.clear()
        self._bytes = 0
        return batches
