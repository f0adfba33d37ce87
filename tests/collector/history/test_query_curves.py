"""Curves: the columns that pages draw, beside the points of `read_history`."""

import contextlib
import json
import statistics
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collector.db.connecting import connect
from collector.history.gaps import read_gaps
from collector.history.query import Curve, Level, Wanted, read_curves
from collector.statistics.buckets import HOUR_US, SECOND_US
from collector.statistics.statistics import Statistic
from jph.retransmit import Cause, Gap
from tests.collector.history.test_query import NOW, SPIKE, house, read
from tests.collector.ingest.test_writer import dsn, query
from tests.collector.statistics.test_calculator import CHANGE, House, reading

__all__ = ["house"]
START_MS, NOW_MS = CHANGE // 1000, NOW // 1000
MANY = len(range(CHANGE, NOW, 10 * SECOND_US))
HOUR_MS = 3_600_000


def curves(house: House, *codifiers: str, **more: Any) -> list[Curve]:
    wanted = Wanted(codifiers or ("I1",), START_MS, NOW_MS)._replace(**more)
    with contextlib.closing(connect(dsn(house.sql), "test", read_only=True)) as connection:
        connection.autocommit = True
        return read_curves(connection, wanted, ZoneInfo("Europe/Paris"))


def columns(curve: Curve) -> list[list[float]]:
    return [json.loads(column) for column in curve[5:9] if column]


def test_the_points_of_read_history(house: House) -> None:
    """Running buckets included."""
    for every, back_ms in product([Level.TEN_MINUTES, Level.HOUR, Level.DAY], [0, 2 * HOUR_MS]):
        like_read_history(house, every, back_ms)


def like_read_history(house: House, every: Level, back_ms: int) -> None:
    (curve,) = curves(house, every=every, end_ms=NOW_MS - back_ms)
    expected = read(house, CHANGE, NOW - 1000 * back_ms, every=every).points
    times, values, low, high = columns(curve)
    assert times == [point.timestamp_ms for point in expected]
    assert values == pytest.approx([point.mean for point in expected])
    assert low == [point.min for point in expected]
    assert high == [point.max for point in expected]
    assert curve.level is every
    assert curve.readings == sum(point.count for point in expected)


def test_as_fine_as_can_be_drawn(house: House) -> None:
    for hours, points, level in (
        (26, 300, Level.TEN_MINUTES),
        (26, 1000, Level.RAW),
        (26, 100, Level.HOUR),
        (26, 10, Level.DAY),
        (0.2, 50, Level.RAW),
    ):
        (curve,) = curves(house, points=points, start_ms=NOW_MS - int(hours * HOUR_MS))
        assert curve.level is level, (hours, points)
        assert 0 < len(columns(curve)[0]) <= points


def test_no_spike_disappears_and_no_reading(house: House) -> None:
    for every, points in product([None, *Level], [7, 100, 2000]):
        (curve,) = curves(house, every=every, points=points)
        times, _, *envelope = columns(curve)
        assert curve.readings == MANY, (every, points)
        assert len(times) <= points + 2
        assert times == sorted(set(times))
        assert max(envelope[-1]) == SPIKE
        assert min(envelope[0]) == 0


def test_readings_as_they_are_have_no_envelope(house: House) -> None:
    (curve,) = curves(house, end_ms=START_MS + 100_000, points=1000)
    assert columns(curve) == [[START_MS + 1 + 10_000 * n for n in range(10)], [*range(7), 0, 1, 2]]
    assert (curve.low, curve.high, curve.step_ms) == ("", "", 0)


def test_few_readings_are_not_joined_however_long_the_time(house: House) -> None:
    (curve,) = curves(house, start_ms=START_MS - 9 * HOUR_MS, end_ms=START_MS + 600_000, points=99)
    assert len(columns(curve)[0]) == 60
    assert (curve.level, curve.step_ms) == (Level.RAW, 0)


def test_statistics_are_those_of_the_table(house: House) -> None:
    wanted = {"every": Level.HOUR, "end_ms": START_MS + 20 * HOUR_MS}
    for statistic in Statistic:
        (curve,) = curves(house, **wanted, statistic=statistic)
        column = f"SELECT {statistic} FROM statistic_hour ORDER BY timestamp LIMIT 20"
        values = [value for (value,) in query(house.sql, column)]
        for error_text, stored in zip(columns(curve)[1], values, strict=True):
            assert error_text == (None if stored is None else pytest.approx(stored)), statistic
        (joined,) = curves(house, **wanted, statistic=statistic, points=5)
        assert len(columns(joined)[0]) in (5, 6)


def test_deviations_are_joined_exactly(house: House) -> None:
    until = START_MS + 24 * HOUR_MS
    (curve,) = curves(house, end_ms=until, points=1, statistic=Statistic.DEVIATION)
    values = [float(n % 7) for n in range(MANY)]
    values[14 * 360] = SPIKE
    _, _, low, high = columns(curve)
    assert (min(low), max(high)) == (0, SPIKE)
    (day,) = curves(house, every=Level.HOUR, end_ms=until, points=12, statistic=Statistic.DEVIATION)
    exact = statistics.pstdev(values[360 * 14 : 360 * 16])
    assert max(columns(day)[1]) == pytest.approx(exact, rel=0.02)


def test_median_and_mode_wait_for_their_bucket(house: House) -> None:
    (curve,) = curves(house, every=Level.HOUR, statistic=Statistic.MEDIAN)
    assert columns(curve)[0][-1] <= NOW_MS - NOW_MS % HOUR_MS


def test_several_in_order_and_unknown_ones_empty(house: House) -> None:
    house.write(reading(1, CHANGE + HOUR_US, 2**40, "EA", flag="q"))
    found = curves(house, "ZZ", "EA", "I1", points=50)
    assert [curve.codifier for curve in found] == ["ZZ", "EA", "I1"]
    assert found[0].times == "[]"
    assert columns(found[1])[1] == [2**40]


def test_gaps_and_what_is_expected_are_told(house: House) -> None:
    house.write(
        reading(MANY + 5, NOW, 1.0),
        gaps=(Gap("I1", 7, MANY, 5, Cause.GONE, NOW_MS - 50_000, NOW_MS - 1000),),
    )
    house.calculator.expect({"I1": 30.0}, NOW)
    (curve,) = curves(house)
    assert json.loads(curve.gaps) == [[NOW_MS - 50_000, NOW_MS - 1000, "gone", 5]]
    assert curve.expected_s == 30
    (before,) = curves(house, end_ms=NOW_MS - HOUR_MS)
    assert json.loads(before.gaps) == []


def test_a_gap_whose_end_was_not_heard_lasts_until_the_next_reading(house: House) -> None:
    """A program that died while it was cut off: what it sent cannot be counted."""
    (raw,) = curves(house, every=Level.RAW)
    last_ms = int(columns(raw)[0][-1])
    next_ms = last_ms + 90_000
    lost = Gap("I1", 7, MANY, 0, Cause.SOURCE_GONE, last_ms, 0)
    house.write(reading(MANY + 5, next_ms * 1000, 1.0), gaps=(lost,))
    (curve,) = curves(house, start_ms=last_ms + 30_000, end_ms=last_ms + 60_000)
    assert json.loads(curve.gaps) == [[last_ms, next_ms, "source gone", None]]
    (after,) = curves(house, start_ms=next_ms, end_ms=next_ms + 60_000)
    assert json.loads(after.gaps) == []
    (listed,) = read_gaps(dsn(house.sql)).recorded
    assert listed.to_time is not None
    assert listed.to_time.timestamp() * 1000 == next_ms


def test_a_gap_without_a_beginning_is_drawn_at_its_end(house: House) -> None:
    end_ms = NOW_MS - 50_000
    house.write(gaps=(Gap("I1", 7, MANY, 3, Cause.GONE, 0, end_ms),))
    (curve,) = curves(house)
    assert json.loads(curve.gaps) == [[end_ms, end_ms, "gone", 3]]


def test_where_readings_are_no_longer_kept_statistics_serve(house: House) -> None:
    query(house.sql, "TRUNCATE reading")
    (curve,) = curves(house, points=600, end_ms=START_MS + 20 * HOUR_MS)
    assert curve.level is Level.TEN_MINUTES
    assert curve.readings > 7000
