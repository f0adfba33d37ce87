import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collector.db.connecting import connect
from collector.history.query import Level, PointSeries, Range, read_history
from collector.history.stored import read_changes
from collector.statistics.buckets import HOUR_US, MINUTE_US, SECOND_US
from tests.collector.ingest.test_writer import dsn, query
from tests.collector.statistics.test_calculator import CHANGE, House, reading

NOW = CHANGE + 26 * HOUR_US + 15 * MINUTE_US
SPIKE = 99.0


@pytest.fixture
def house(sql: dict[str, Any]) -> Iterator[House]:
    """Store 26 hours of one reading in 10 s, with one spike; computed up to 5 minutes ago."""
    with contextlib.closing(House(sql)) as house:
        spike = CHANGE + 14 * HOUR_US
        moments = range(CHANGE, NOW, 10 * SECOND_US)
        house.write(
            *(
                reading(n, at + 1000, SPIKE if at == spike else float(n % 7))
                for n, at in enumerate(moments)
            )
        )
        house.calculate(NOW)
        yield house


def read(
    house: House, start: int, end: int, most: int = 1500, every: Level | None = None
) -> PointSeries:
    with contextlib.closing(connect(dsn(house.sql), "test", read_only=True)) as connection:
        wanted = Range("I1", start // 1000, end // 1000)
        return read_history(connection, wanted, most, every, ZoneInfo("Europe/Paris"))


@pytest.mark.parametrize(
    ("hours", "most", "level"),
    [
        (26, 300, Level.TEN_MINUTES),
        (26, 100, Level.HOUR),
        (26, 10, Level.DAY),
        (26, 9000, Level.RAW),
        (26, 10_000, Level.RAW),
        (5, 1000, Level.RAW),
        (0.1, 10, Level.RAW),
    ],
)
def test_a_page_gets_what_it_can_draw(house: House, hours: float, most: int, level: Level) -> None:
    found = read(house, NOW - int(hours * HOUR_US), NOW, most)
    assert found.level is level
    assert 0 < len(found.points) <= most


@pytest.mark.parametrize("most", [2, 10, 100, 300, 10_000])
def test_no_spike_disappears(house: House, most: int) -> None:
    points = read(house, CHANGE + HOUR_US, NOW, most).points
    assert max(point.max for point in points) == SPIKE
    assert min(point.min for point in points) == 0.0


@pytest.mark.parametrize("every", list(Level))
def test_every_reading_is_told_whatever_the_step(house: House, every: Level) -> None:
    """Those of the buckets that run included."""
    points = read(house, CHANGE, NOW, every=every).points
    assert sum(point.count for point in points) == len(range(CHANGE, NOW, 10 * SECOND_US))
    ends = [point.timestamp_ms for point in points]
    assert ends == sorted(set(ends))
    assert ends[-1] * 1000 < NOW + 1000


def test_days_are_local_and_the_running_one_is_told_as_far_as_it_is(house: House) -> None:
    midnight = int(datetime(2026, 10, 25, 23, tzinfo=UTC).timestamp()) * 1000
    first, second = read(house, CHANGE, NOW, every=Level.DAY).points
    assert first.timestamp_ms == midnight
    assert second.timestamp_ms == NOW // 1000 - 9999


def test_before_anything_is_computed_readings_serve(house: House) -> None:
    query(house.sql, "TRUNCATE statistic_10min, statistic_hour, statistic_day")
    query(house.sql, "UPDATE statistics_until SET timestamp = '1970-01-01 00:00+00'")
    found = read(house, CHANGE, NOW, 100)
    assert found.level is Level.HOUR
    assert sum(point.count for point in found.points) == 9450


def test_a_range_without_readings_is_empty(house: House) -> None:
    assert read(house, CHANGE - 9 * HOUR_US, CHANGE - HOUR_US).points == []
    assert read(house, NOW + HOUR_US, NOW + 9 * HOUR_US).points == []


def test_readings_at_the_start_are_out_at_the_end_in(house: House) -> None:
    found = read(house, CHANGE + 1000, CHANGE + 10 * SECOND_US + 1000, every=Level.RAW)
    assert [point.mean for point in found.points] == [1.0]


def test_text_is_told_by_its_changes(house: House) -> None:
    words = "HC", "HC", "HP", "HP", "HC"
    house.write(
        *(reading(n, CHANGE + n * SECOND_US, w, "TP", flag="s") for n, w in enumerate(words))
    )
    with contextlib.closing(connect(dsn(house.sql), "test")) as connection:
        wanted = Range("TP", CHANGE // 1000 - 1, NOW // 1000)
        found = read_changes(connection, wanted)
        assert [(ms - CHANGE // 1000, word) for ms, word in found] == [
            (0, "HC"),
            (2000, "HP"),
            (4000, "HC"),
        ]
        assert read_changes(connection, wanted, 1) == found[-1:]


@pytest.mark.parametrize("every", [None, *Level])
def test_an_extreme_number_does_not_end_a_query(house: House, every: Level | None) -> None:
    """Stored by an earlier version with quality good, and in its statistics."""
    query(
        house.sql,
        "INSERT INTO reading (codifier, timestamp, epoch, sequence, quality, value_real) SELECT "
        f"'I1', to_timestamp({CHANGE} / 1e6 + 5000 + n), 8, n, 0, v "
        "FROM (VALUES (1, 1e308), (2, -1e308), (3, 'NaN'), (4, 'Infinity')) AS bad (n, v)",
    )
    query(
        house.sql,
        "UPDATE statistic_10min SET mean = 1e308, max = 1.7e308, stdev = 1e308 WHERE timestamp = "
        "(SELECT min(timestamp) FROM statistic_10min)",
    )
    points = read(house, CHANGE, NOW, 20 if every is None else 1500, every).points
    assert points
    assert all(abs(point.mean) < 1e3 for point in points)
