"""Readings and gaps on their way to PostgreSQL, in batches; bounded in memory. Pure."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from collector.ingest.ledger import by_key, coalesce, runs
from collector.ingest.rows import LAST_MS
from collector.ingest.runs import MixedReadings, announcements, memory_of
from jph.retransmit import Cause, Gap
from jph.wire.codec import Reading

BATCH_ROWS: Final = 32_768
"""A full batch: the costs of a transaction and of the index do not count any more."""
BATCH_BYTES: Final = 16 * 2**20
"""A batch is also full by its memory: text may be long."""


MOST_GAPS: Final = 500
"""A batch has at most so many gaps of one epoch of a source."""


def limited(gaps: Iterable[Gap]) -> list[Gap]:
    """Return gaps coalesced, at most MOST_GAPS of each epoch of a source.

    The oldest ones beyond become one gap of unknown size: a source that leaps through its sequences
    makes as many gaps as it likes.
    """
    kept: list[Gap] = []
    for listed in by_key(coalesce(gaps)).values():
        beyond = listed[: max(0, len(listed) - MOST_GAPS)]
        if beyond:
            first, last = beyond[0], beyond[-1]
            kept.append(
                Gap(
                    first.source,
                    first.epoch,
                    first.first,
                    0,
                    first.cause,
                    first.from_ms,
                    last.to_ms,
                )
            )
        kept += listed[len(beyond) :]
    return kept


class Batch:
    """Readings and gaps that are stored together.

    Attributes:
        readings: in the order they came, announcements included.
        gaps: gaps that are given up.
        place: segment and end of its block in the spool, if it is there.
    """

    __slots__ = ("gaps", "place", "readings")

    def __init__(
        self,
        readings: Sequence[Reading] = (),
        gaps: list[Gap] | None = None,
        place: tuple[int, int] | None = None,
    ) -> None:
        self.readings = readings
        self.gaps = [] if gaps is None else gaps
        self.place = place

    def __bool__(self) -> bool:
        return bool(self.readings or self.gaps)

    @property
    def full(self) -> bool:
        """Whether it takes no more readings."""
        return len(self.readings) >= BATCH_ROWS or self.bytes >= BATCH_BYTES

    @property
    def bytes(self) -> int:
        """The memory that the readings take, about."""
        return memory_of(self.readings)

    def halves(self) -> "tuple[Batch, Batch]":
        """Return the first and the second half; the gaps go with the second."""
        middle = len(self.readings) // 2
        first, second = self.readings[:middle], self.readings[middle:]
        return Batch(first), Batch(second, self.gaps)


def gap_of(reading: Reading, cause: Cause) -> Gap:
    """Return the gap that a refused reading leaves."""
    when = min(reading.timestamp_ms, LAST_MS)
    return Gap(reading.source, reading.epoch, reading.sequence, 1, cause, when, when)


def gaps_of(readings: Sequence[Reading], cause: Cause) -> list[Gap]:
    """Return the gaps that dropped readings leave."""
    return [
        Gap(
            *key, run.first, run.messages, cause, min(run.from_ms, LAST_MS), min(run.to_ms, LAST_MS)
        )
        for key, listed in runs(readings).items()
        for run in listed
    ]


class Buffer:
    """Readings that wait to be stored or spooled, in the order they came; bounded.

    Attributes:
        rows: the number of readings.
        bytes: the memory they take, about.
        dropped: the number of readings dropped, the oldest first, because the buffer was full.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._batches: deque[Batch] = deque()
        self._parts = MixedReadings()  # of the last batch, while it grows
        self._growing: Batch | None = None
        self.rows = 0
        self.bytes = 0
        self.dropped = 0

    def add(self, readings: Sequence[Reading]) -> None:
        """Take readings in."""
        if not readings:
            return
        self._open()
        self.bytes += self._parts.add(readings)
        self.rows += len(readings)

    def add_gaps(self, gaps: Iterable[Gap]) -> None:
        """Take in gaps that are given up; those of a source are limited (`limited`)."""
        batch = self._open()
        batch.gaps += gaps
        if len(batch.gaps) > MOST_GAPS:
            batch.gaps = limited(batch.gaps)

    @property
    def full_batch(self) -> bool:
        """Whether the oldest batch does not grow any more."""
        return bool(self._batches) and self._batches[0].full

    def __bool__(self) -> bool:
        return any(self._batches)

    def take(self) -> Batch | None:
        """Remove and return the oldest batch; None if there is none."""
        while self._batches:
            batch = self._popleft()
            if batch:
                self.rows -= len(batch.readings)
                self.bytes -= batch.bytes
                return batch
        return None

    def put_back(self, batch: Batch) -> None:
        """Put a batch that could not be stored to the front."""
        if self._batches and not self._batches[0]:
            self._popleft()
        self._batches.appendleft(batch)
        self.rows += len(batch.readings)
        self.bytes += batch.bytes

    def drop_oldest(self, cause: Cause) -> int:
        """Drop the oldest readings beyond the bound; they become gaps of `cause`."""
        before = self.dropped
        while self.bytes > self._max_bytes:
            oldest = self.take()
            assert oldest is not None
            self.dropped += len(oldest.readings) - announcements(oldest.readings)
            next_one = self._batches[0] if self._batches else self._open()
            next_one.gaps = coalesce(
                [*oldest.gaps, *gaps_of(oldest.readings, cause), *next_one.gaps]
            )
        return self.dropped - before

    def _open(self) -> Batch:
        """Return the batch that takes the next reading."""
        if self._growing is None or self._growing.full:
            self._parts = MixedReadings()
            self._growing = Batch(self._parts)
            self._batches.append(self._growing)
        return self._growing

    def _popleft(self) -> Batch:
        """Remove the oldest batch; it never grows again, because a thread may still write it."""
        batch = self._batches.popleft()
        if batch is self._growing:
            self._growing = None
        return batch
