"""Statistics in PostgreSQL: the same whatever came when, and those of Python's own module."""

import contextlib
import math
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.db.connecting import transaction
from collector.ingest.buffer import Batch
from collector.ingest.late import note_late
from collector.ingest.writer import Store
from collector.statistics.buckets import (
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    Bucket,
    Width,
    bucket_of,
    to_us,
)
from collector.statistics.calculator import Calculator
from collector.statistics.touched import rebuild
from jph.errors import StoreError
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading, Value
from tests.collector.ingest.test_writer import dsn, query
from tests.stores_fixtures import connect

PARIS = ZoneInfo("Europe/Paris")
CHANGE = to_us(datetime(2026, 10, 25, 1, tzinfo=UTC))  # Paris: 3 o'clock becomes 2
WIDTHS = {"10min": Width.TEN_MINUTES, "hour": Width.HOUR, "day": Width.DAY}


def reading(
    sequence: int, at: int, value: Value = 1.0, source: str = "I1", flag: str = "d", **more: int
) -> Reading:
    """Return a reading at a moment in µs."""
    quality = more.get("quality", Quality.GOOD)
    epoch = more.get("epoch", 7)
    return Reading(sequence, epoch, at // 1000, flag, source, "@@", 1, quality, value)


class House:
    """A collector and a calculator on one database."""

    def __init__(self, sql: dict[str, Any]) -> None:
        self.sql = sql
        self.store = Store("Q1")
        self.store.open(dsn(sql), CHANGE // 1000)
        self.calculator = Calculator(dsn(sql), "Q2", PARIS)

    def write(self, *readings: Reading, gaps: tuple[Gap, ...] = ()) -> None:
        self.store.write(Batch(list(readings), list(gaps)), CHANGE // 1000)

    def calculate(self, now: int) -> int:
        self.calculator.advance(now)
        return self.work()

    def work(self) -> int:
        changed = 0
        while (more := self.calculator.work()) is not None:
            changed += more
        return changed

    def tables(self) -> list[tuple[Any, ...]]:
        return [
            (width, *row)
            for width in WIDTHS
            for row in query(self.sql, f"SELECT * FROM statistic_{width} ORDER BY 11, 1")
        ]

    def bytes(self) -> list[str]:
        """Return every row as PostgreSQL writes it, which is exact."""
        return [
            row
            for width in WIDTHS
            for (row,) in query(
                self.sql, f"SELECT s::text FROM statistic_{width} s ORDER BY codifier, timestamp"
            )
        ]

    def raw(self) -> list[tuple[int, float]]:
        found = query(
            self.sql,
            "SELECT timestamp, coalesce(value_real, value_integer) FROM reading "
            "WHERE quality <> 2 ORDER BY timestamp, epoch, sequence",
        )
        return [
            (to_us(when), value)
            for when, value in found
            if value is not None and math.isfinite(value)
        ]

    def close(self) -> None:
        self.store.close()
        self.calculator.close()


@pytest.fixture
def house(sql: dict[str, Any]) -> Iterator[House]:
    with contextlib.closing(House(sql)) as house:
        yield house


def oracle(raw: list[tuple[int, float]], until: int) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Return what Python's `statistics` says of every bucket that is over, from the rows alone."""
    found: dict[tuple[str, int], list[float]] = {}
    for when, value in raw:
        for name, width in WIDTHS.items():
            end = bucket_of(width, when, PARIS).end
            if end <= until:
                found.setdefault((name, end), []).append(value)
    return {
        key: (
            statistics.mean(values),
            modes[0] if len(modes := statistics.multimode(values)) == 1 else None,
            statistics.median(values),
            max(values),
            min(values),
            statistics.pstdev(values),
            len(values),
        )
        for key, values in found.items()
    }


def computed(house: House) -> dict[tuple[str, int], tuple[Any, ...]]:
    rows = {}
    for name in WIDTHS:
        for when, *values in query(
            house.sql,
            f"SELECT timestamp, mean, mode, median, max, min, stdev, count FROM statistic_{name}",
        ):
            rows[name, to_us(when)] = tuple(values)
    return rows


value = st.one_of(
    st.integers(-(2**31), 2**31).map(lambda n: ("q", n)),
    st.sampled_from([0, 1, 1, 2]).map(lambda n: ("i", n)),
    st.floats(-1e6, 1e6).map(lambda x: ("d", x)),
    st.sampled_from([math.nan, math.inf, -math.inf]).map(lambda x: ("d", x)),
)
times = st.integers(-30 * 3600_000, 26 * 3600_000)
arrivals = st.lists(st.tuples(times, value, st.booleans()), min_size=1, max_size=40)


@given(arrivals, st.lists(st.integers(-30, 26), max_size=3))
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_order_of_arrival_gives_the_oracles_tables(
    house: House, arrived: list[tuple[int, tuple[str, Value], bool]], hours: list[int]
) -> None:
    """Late, double, out of order, across the change of clock, with the calculator in between."""
    everything = "reading, source, gap, touched, statistic_10min, statistic_hour, statistic_day"
    query(house.sql, f"TRUNCATE {everything}")
    query(house.sql, "UPDATE statistics_until SET timestamp = '1970-01-01 00:00+00'")
    clock = sorted(CHANGE + hour * HOUR_US for hour in hours)
    for sequence, (offset_ms, (flag, sent), now_calculate) in enumerate(arrived):
        house.write(reading(sequence, CHANGE + offset_ms * 1000, sent, flag=flag))
        if now_calculate and clock:
            house.calculate(clock.pop(0))
    end = CHANGE + 30 * HOUR_US
    house.calculate(end)
    until = bucket_of(Width.TEN_MINUTES, end - 5 * SECOND_US, PARIS).start
    assert computed(house) == oracle(house.raw(), until)

    incremental = house.bytes()
    query(house.sql, "TRUNCATE statistic_10min, statistic_hour, statistic_day")
    with transaction(house.calculator.connection) as cursor:
        rebuild(cursor, ["I1"])
    house.work()
    assert house.bytes() == incremental


def test_nothing_is_written_twice(house: House) -> None:
    house.write(*(reading(n, CHANGE + n * SECOND_US) for n in range(1, 4000)))
    end = CHANGE + 2 * HOUR_US + 6 * SECOND_US
    assert house.calculate(end) == 7 + 2
    assert house.calculate(end) == 0
    assert house.calculate(end + 11 * MINUTE_US) == 0


def test_exactly_the_buckets_of_a_late_reading_are_done_again(house: House) -> None:
    house.write(*(reading(n, CHANGE + n * 10 * SECOND_US) for n in range(1, 1000)))
    house.calculate(CHANGE + 26 * HOUR_US)
    before = {row[:2]: row for row in house.tables()}
    house.write(reading(5000, CHANGE + 65 * MINUTE_US + 3 * SECOND_US, 9.0))
    assert house.work() == 3
    after = {row[:2]: row for row in house.tables()}
    changed = {key for key in after if after[key] != before[key]}
    assert {(width, to_us(when)) for width, when in changed} == {
        ("10min", CHANGE + 70 * MINUTE_US),
        ("hour", CHANGE + 2 * HOUR_US),
        ("day", to_us(datetime(2026, 10, 26, tzinfo=PARIS))),
    }


def test_a_day_of_25_hours_is_one_bucket(house: House) -> None:
    day = bucket_of(Width.DAY, CHANGE, PARIS)
    house.write(*(reading(n, day.start + n * HOUR_US) for n in range(26)))
    house.calculate(day.end + 2 * HOUR_US)
    found = query(house.sql, "SELECT timestamp, count FROM statistic_day ORDER BY timestamp")
    assert [(to_us(when), count) for when, count in found] == [(day.start, 1), (day.end, 25)]


def test_an_hour_whose_source_falls_silent_is_computed_when_it_is_over(house: House) -> None:
    house.write(reading(1, CHANGE + MINUTE_US))
    for minutes in range(10, 80, 10):
        house.calculate(CHANGE + minutes * MINUTE_US + 6 * SECOND_US)
    assert query(house.sql, "SELECT count FROM statistic_hour") == [(1,)]
    assert query(house.sql, "SELECT count FROM statistic_10min") == [(1,)]


def test_coverage_knows_the_gap_table_and_the_expected_interval(house: House) -> None:
    house.calculator.expect({"I1": 20.0}, CHANGE)
    house.write(*(reading(n, CHANGE + 5 * n * SECOND_US) for n in range(120) if not 60 < n < 90))
    house.calculate(CHANGE + HOUR_US)
    coverage = "SELECT coverage FROM statistic_10min WHERE count > 1"
    assert query(house.sql, coverage) == [(100 * (600 - 150 + 20) / 600,)]
    lost = [(CHANGE + n * SECOND_US) // 1000 for n in (300, 450)]
    house.write(gaps=(Gap("I1", 7, 61, 29, Cause.GONE, *lost),))
    house.work()
    assert query(house.sql, coverage) == [(100 * (600 - 150) / 600,)]
    house.write(*(reading(n, CHANGE + 5 * n * SECOND_US) for n in range(61, 90)))
    house.work()
    assert query(house.sql, coverage) == [(100.0,)]
    assert query(house.sql, "SELECT count(*) FROM gap") == [(0,)]


def test_a_changed_interval_counts_from_its_change_on(house: House) -> None:
    ten = 10 * MINUTE_US
    house.calculator.expect({"I1": 60.0}, CHANGE)
    house.calculator.expect({"I1": 120.0}, CHANGE + ten + 1)
    house.write(reading(1, CHANGE + MINUTE_US), reading(2, CHANGE + ten + MINUTE_US))
    house.calculate(CHANGE + HOUR_US)
    found = query(house.sql, "SELECT coverage FROM statistic_10min ORDER BY timestamp")
    assert found == [(10.0,), (20.0,)]


def test_what_is_no_plausible_number_is_left_out(house: House) -> None:
    house.write(
        reading(1, CHANGE + 1000, 5.0),
        reading(2, CHANGE + 2000, 999.0, quality=Quality.IMPLAUSIBLE),
        reading(3, CHANGE + 3000, "word", flag="s"),
        reading(4, CHANGE + 4000, '{"value": 7}', flag="j"),
        reading(5, CHANGE + 5000, '{"value": 1e999}', flag="j"),
        reading(6, CHANGE + 6000, "[1, 2]", flag="j"),
        reading(7, CHANGE + 7000, 3, flag="q"),
    )
    house.calculate(CHANGE + HOUR_US)
    found = query(house.sql, "SELECT count, mean, max, min FROM statistic_10min")
    assert found == [(3, 5.0, 7.0, 3.0)]


def test_statistics_outlive_their_readings(house: House) -> None:
    house.write(*(reading(n, CHANGE + n * SECOND_US) for n in range(1, 100)))
    house.calculate(CHANGE + 30 * HOUR_US)
    before = house.tables()
    query(house.sql, "DELETE FROM reading")
    house.write(reading(5000, CHANGE + 30 * SECOND_US, 9.0))
    house.work()
    assert house.tables() == before


def test_a_clock_that_was_ahead_does_no_harm(house: House) -> None:
    house.write(reading(1, CHANGE + MINUTE_US))
    house.calculate(CHANGE + 24 * HOUR_US)
    house.write(reading(2, CHANGE + 2 * MINUTE_US))
    house.calculate(CHANGE + HOUR_US)
    house.write(reading(3, CHANGE + 90 * MINUTE_US))
    house.calculate(CHANGE + 30 * HOUR_US)
    assert query(house.sql, "SELECT count FROM statistic_day") == [(3,)]


def test_one_computes_at_a_time(house: House) -> None:
    assert house.calculator.alone()
    with contextlib.closing(Calculator(dsn(house.sql), "other", PARIS)) as other:
        assert not other.alone()


def test_a_reading_on_its_way_while_the_time_moves_is_not_missed(house: House) -> None:
    """Its transaction began before; the calculator waits for it."""
    house.write(reading(1, CHANGE + MINUTE_US))
    late = reading(2, CHANGE + 2 * MINUTE_US)
    query(house.sql, "ALTER ROLE jph SET lock_timeout = '50ms'")
    try:
        impatient = Calculator(dsn(house.sql), "other", PARIS)
    finally:
        query(house.sql, "ALTER ROLE jph RESET lock_timeout")
    with contextlib.closing(impatient), contextlib.closing(connect(house.sql)) as slow:
        note_late(slow.cursor(), [late])
        with pytest.raises(StoreError, match="lock timeout"):
            impatient.advance(CHANGE + HOUR_US)
        slow.commit()
        impatient.advance(CHANGE + HOUR_US)
    house.write(late)
    house.work()
    assert query(house.sql, "SELECT count FROM statistic_10min") == [(2,)]


def test_the_label_is_the_end(house: House) -> None:
    end = CHANGE + 10 * MINUTE_US
    house.write(reading(1, CHANGE), reading(2, CHANGE + 1000), reading(3, end))
    house.calculate(CHANGE + HOUR_US)
    found = query(house.sql, "SELECT timestamp, count FROM statistic_10min ORDER BY 1")
    assert [(to_us(when), count) for when, count in found] == [(CHANGE, 1), (end, 2)]
    assert bucket_of(Width.TEN_MINUTES, end, PARIS) == Bucket(CHANGE, end)
