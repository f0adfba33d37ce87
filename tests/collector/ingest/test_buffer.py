from collector.ingest.buffer import (
    BATCH_BYTES,
    BATCH_ROWS,
    MOST_GAPS,
    Batch,
    Buffer,
    gaps_of,
    limited,
)
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading

ROOM = 2**20


def reading(sequence: int, flag: str = "d", value: float | str = 1.5) -> Reading:
    return Reading(sequence, 7, 1000 * sequence, flag, "TI", "@@", 1, Quality.GOOD, value)


def sequences(batch: Batch | None) -> list[int]:
    assert batch is not None
    return [each.sequence for each in batch.readings]


def gap(first: int, count: int, cause: Cause) -> Gap:
    return Gap("TI", 7, first, count, cause, 1000 * first, 1000 * (first + count - 1))


def test_full_batches_grow_no_more() -> None:
    buffer = Buffer(100 * ROOM)
    for n in range(BATCH_ROWS + 1):
        buffer.add([reading(n)])
    assert buffer.full_batch
    assert (len(sequences(buffer.take())), sequences(buffer.take())) == (BATCH_ROWS, [BATCH_ROWS])
    assert buffer.take() is None
    assert not buffer


def test_a_batch_that_was_put_back_comes_first() -> None:
    buffer = Buffer(ROOM)
    buffer.add([reading(1)])
    batch = buffer.take()
    assert batch
    buffer.add([reading(2)])
    buffer.put_back(batch)
    assert buffer.rows == 2
    assert (sequences(buffer.take()), sequences(buffer.take())) == ([1], [2])
    assert (buffer.rows, buffer.bytes) == (0, 0)


def test_a_batch_that_was_taken_never_grows_again() -> None:
    """Who took it may still be busy with it when it comes back."""
    buffer = Buffer(ROOM)
    buffer.add([reading(1)])
    batch = buffer.take()
    assert batch
    buffer.put_back(batch)
    buffer.add([reading(2)])
    buffer.add_gaps([gap(1, 2, Cause.GONE)])
    assert sequences(batch) == [1]
    assert batch.gaps == []
    assert buffer.take() is batch
    assert sequences(buffer.take()) == [2]


def test_holes_wait_with_the_readings() -> None:
    buffer = Buffer(ROOM)
    buffer.add_gaps([gap(1, 2, Cause.GONE)])
    assert buffer
    batch = buffer.take()
    assert batch
    assert (list(batch.readings), batch.gaps) == ([], [gap(1, 2, Cause.GONE)])


def test_a_full_buffer_drops_the_oldest_and_keeps_them_as_holes() -> None:
    buffer = Buffer(ROOM)
    buffer.add_gaps([gap(500, 1, Cause.GONE)])
    for n in range(4 * BATCH_ROWS):
        buffer.add([reading(n, "n" if n == 0 else "d")])
        if n % 100 == 0:
            buffer.drop_oldest(Cause.DISK_FULL)
    buffer.drop_oldest(Cause.DISK_FULL)
    assert buffer.bytes <= ROOM
    gaps, kept = list[Gap](), list[int]()
    while batch := buffer.take():
        gaps += batch.gaps
        kept += sequences(batch)
    lost = sum(each.count for each in gaps if each.cause is Cause.DISK_FULL)
    assert gap(500, 1, Cause.GONE) in gaps
    assert lost + len(kept) == 4 * BATCH_ROWS
    assert lost == buffer.dropped + 1  # the announcement is no reading, but its sequence is one
    assert kept == list(range(lost, 4 * BATCH_ROWS))


def test_long_text_makes_a_batch_full() -> None:
    buffer = Buffer(4 * BATCH_BYTES)
    buffer.add([reading(1, "s", "x" * BATCH_BYTES)])
    buffer.add([reading(2)])
    assert (sequences(buffer.take()), sequences(buffer.take())) == ([1], [2])


def test_text_takes_room() -> None:
    buffer = Buffer(ROOM)
    buffer.add([reading(1, "s", "x" * (ROOM + 1)), reading(2)])
    assert buffer.drop_oldest(Cause.SPOOL_FULL) == 2
    assert buffer.rows == 0


def test_dropped_readings_leave_holes_source_by_source() -> None:
    other = reading(9)._replace(source="HO")
    found = gaps_of([reading(1), other, reading(2), reading(5)], Cause.SPOOL_FULL)
    assert found == [
        gap(1, 2, Cause.SPOOL_FULL),
        gap(5, 1, Cause.SPOOL_FULL),
        Gap("HO", 7, 9, 1, Cause.SPOOL_FULL, 9000, 9000),
    ]


def test_halves_have_everything_once() -> None:
    first, second = Batch([reading(n) for n in range(5)], [gap(9, 1, Cause.GONE)]).halves()
    assert (sequences(first), sequences(second)) == ([0, 1], [2, 3, 4])
    assert (first.gaps, second.gaps) == ([], [gap(9, 1, Cause.GONE)])


def test_the_gaps_of_a_source_are_limited() -> None:
    """A source that leaps through its sequences makes one gap of unknown size of the oldest."""
    many = [gap(3 * n, 2, Cause.NETWORK) for n in range(10 * MOST_GAPS)]
    other = Gap("HO", 7, 1, 3, Cause.NETWORK, 0, 0)
    buffer = Buffer(ROOM)
    for each in [*many, other]:
        buffer.add_gaps([each])
    batch = buffer.take()
    assert batch
    assert len(batch.gaps) <= MOST_GAPS + 3
    found = limited(batch.gaps)
    assert other in found
    assert many[-1] in found
    oldest = min((each for each in found if each.source == "TI"), key=lambda each: each.first)
    assert (oldest.first, oldest.count, oldest.from_ms) == (0, 0, 0)


def test_gaps_that_follow_each_other_are_one() -> None:
    assert limited([gap(1, 2, Cause.GONE), gap(3, 4, Cause.GONE)]) == [gap(1, 6, Cause.GONE)]
