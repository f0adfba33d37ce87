import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from collector.ingest.buffer import Batch
from collector.ingest.late import late_hours
from collector.ingest.writer import Store
from jph.retransmit import Cause, Gap
from tests.collector.ingest.test_writer import NOW_MS, batch, dsn, query

HOUR_MS = 3_600_000


@pytest.fixture
def store(sql: dict[str, Any]) -> Iterator[Store]:
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), NOW_MS)
        query(sql, f"UPDATE statistics_until SET timestamp = to_timestamp({NOW_MS / 1000})")
        yield store


def touched(sql: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return codifier, first and last ms after NOW_MS."""
    found = query(sql, "SELECT codifier, from_time, to_time FROM touched ORDER BY from_time")
    return [(code, *(int(t.timestamp() * 1000) - NOW_MS for t in times)) for code, *times in found]


def test_a_late_reading_is_noted_in_its_transaction(store: Store, sql: dict[str, Any]) -> None:
    store.write(batch(0, 1, at_ms=NOW_MS), NOW_MS)  # one is late, the other 1 ms after
    assert touched(sql) == [("TI", 0, 0)]


def test_a_timely_reading_is_not(store: Store, sql: dict[str, Any]) -> None:
    store.write(batch(1, 2), NOW_MS)
    assert touched(sql) == []


def test_a_reading_that_is_stored_already_is_not_late(store: Store, sql: dict[str, Any]) -> None:
    for _ in range(2):
        store.write(batch(5, at_ms=NOW_MS - 10), NOW_MS)
    assert touched(sql) == [("TI", -5, -5)]


def test_hours_that_lie_far_apart_are_noted_apart() -> None:
    readings = [
        each
        for hours in (5, 1, 5)
        for each in batch(hours, 7, at_ms=NOW_MS - hours * HOUR_MS).readings
    ]
    late = late_hours(readings, NOW_MS)
    assert sorted(first - NOW_MS for first, _ in late.values()) == [
        -5 * HOUR_MS + 5,
        -HOUR_MS + 1,
    ]


def test_a_gap_touches_what_it_lies_in_and_so_does_its_end(
    store: Store, sql: dict[str, Any]
) -> None:
    gap = Gap("TI", 7, 3, 2, Cause.GONE, NOW_MS - 9000, NOW_MS - 1000)
    store.write(Batch(batch(2, 5, at_ms=NOW_MS + 10).readings, [gap]), NOW_MS)
    assert len(touched(sql)) == 1
    store.write(batch(3, 4, at_ms=NOW_MS + 10), NOW_MS)
    assert query(sql, "SELECT * FROM gap") == []
    assert len(touched(sql)) == 2


def test_a_gap_in_times_that_are_not_computed_yet_touches_nothing(
    store: Store, sql: dict[str, Any]
) -> None:
    gap = Gap("TI", 7, 3, 2, Cause.GONE, NOW_MS + 1000, NOW_MS + 9000)
    store.write(Batch(batch(2, 5, at_ms=NOW_MS + 10).readings, [gap]), NOW_MS)
    assert touched(sql) == []
