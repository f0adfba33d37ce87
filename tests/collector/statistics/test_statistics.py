import math
import statistics
from collections.abc import Sequence
from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.statistics.buckets import Bucket
from collector.statistics.statistics import Number, Series, Statistic, merged, scaled

BUCKET = Bucket(100, 160)
HOLD = 15

floats = st.floats(allow_nan=False, allow_infinity=False)
tame = st.floats(-1e6, 1e6) | st.sampled_from([0.1, 0.2, 0.3, 21.5])
numbers = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.integers(-3, 3), min_size=1),
    st.lists(tame, min_size=1),
    st.lists(floats, min_size=1),
    st.lists(floats | st.integers(-(2**63), 2**63 - 1), min_size=1),
)


def summary(
    times: Sequence[int], values: Sequence[Number], **more: Sequence[tuple[int, int]]
) -> SimpleNamespace:
    found = Series(times, values, **more).summarise(BUCKET, HOLD)
    assert found is not None
    assert list(found) == list(Statistic)
    return SimpleNamespace(**found)


def exact_median(values: Sequence[Number]) -> float:
    return float(statistics.median(map(Fraction, values)))


@given(numbers)
def test_statistics_are_those_of_python_to_the_last_digit(values: list[Number]) -> None:
    found = summary([BUCKET.end] * len(values), values)
    fractions = list(map(Fraction, values))
    assert found.mean == float(statistics.mean(fractions))
    assert found.stdev == pytest.approx(statistics.pstdev(fractions), rel=2**-52, abs=5e-324)
    assert found.median == exact_median(values)
    assert (found.max, found.min) == (float(max(values)), float(min(values)))
    assert found.count == len(values)
    modes = statistics.multimode(values)
    assert found.mode == (float(modes[0]) if len(modes) == 1 else None)


@given(st.lists(tame, min_size=1))
def test_ordinary_values_are_as_python_says_without_fractions(values: list[float]) -> None:
    found = summary([BUCKET.end] * len(values), values)
    assert found.mean == statistics.mean(values)
    assert found.stdev == statistics.pstdev(values)


@given(numbers)
def test_scaled_values_are_exact(values: list[Number]) -> None:
    whole, shift = scaled(values)
    assert [Fraction(each, 1 << shift) for each in whole] == list(map(Fraction, values))


def in_force(times: Sequence[int], gaps: Sequence[tuple[int, int]], hold: int) -> dict[int, int]:
    """Return the index of the value in force in each tick of the bucket, one by one."""
    found = {}
    for tick in range(*BUCKET):
        before = [i for i, time in enumerate(times) if time <= tick]
        lost = any(start <= tick < end for start, end in gaps)
        if before and tick < times[before[-1]] + hold and not lost:
            found[tick] = before[-1]
    return found


series = st.lists(st.tuples(st.integers(60, 160), st.integers(-5, 5)), min_size=1).map(
    lambda pairs: sorted(pairs, key=lambda pair: pair[0])
)
stretches = st.lists(st.tuples(st.integers(80, 180), st.integers(80, 180)), max_size=3)


@given(series, stretches, st.integers(1, 100))
def test_coverage_and_the_weighted_mean_are_those_of_every_moment(
    pairs: list[tuple[int, int]], gaps: list[tuple[int, int]], hold: int
) -> None:
    times, values = [time for time, _ in pairs], [value for _, value in pairs]
    found = Series(times, values, gaps).summarise(BUCKET, hold)
    if not any(BUCKET.start < time <= BUCKET.end for time in times):
        assert found is None
        return
    assert found is not None
    valid = in_force(times, gaps, hold)
    assert found["coverage"] == float(Fraction(100 * len(valid), BUCKET.end - BUCKET.start))
    if valid:
        assert found["time_mean"] == float(
            Fraction(sum(values[i] for i in valid.values()), len(valid))
        )
    else:
        assert found["time_mean"] is None


@given(series, st.integers(1, 100))
def test_a_series_is_the_same_cut_into_buckets(pairs: list[tuple[int, int]], hold: int) -> None:
    """What lies before the last reading before a bucket, or after its end, changes nothing."""
    times, values = [time for time, _ in pairs], [value for _, value in pairs]
    low = max(0, sum(time <= BUCKET.start for time in times) - 1)
    cut = Series(times[low:], values[low:]).summarise(BUCKET, hold)
    more = Series([*times, 161, 170], [*values, 9, 9]).summarise(BUCKET, hold)
    assert cut == more == Series(times, values).summarise(BUCKET, hold)


def test_one_reading_is_its_own_statistics() -> None:
    values = list(vars(summary([150], [2.5])).values())
    assert values == [2.5, 2.5, 2.5, 2.5, 2.5, 0.0, 1, 100 * 10 / 60, 2.5]


def test_a_reading_at_the_start_belongs_to_the_bucket_before() -> None:
    assert Series([100], [1]).summarise(BUCKET, HOLD) is None
    assert summary([100, 160], [1, 2]).count == 1


def test_a_reading_at_the_very_end_weighs_nothing() -> None:
    found = summary([160], [7])
    assert (found.mean, found.coverage, found.time_mean) == (7.0, 0.0, None)


def test_time_weighs_what_is_sent_on_change() -> None:
    found = Series([101, 151], [0, 10]).summarise(BUCKET, 1000)
    assert found is not None
    assert found["mean"] == 5.0
    assert found["time_mean"] == 10 * 9 / 59


def test_a_value_is_late_after_its_time() -> None:
    assert summary([110], [1]).coverage == 100 * HOLD / 60


def test_nothing_is_in_force_in_a_gap() -> None:
    found = summary([100, 110, 120, 130, 140, 150], [1] * 6, gaps=[(110, 120), (118, 130)])
    assert found.coverage == 100 * 40 / 60


def test_two_modes_are_none() -> None:
    assert summary([110, 120, 130, 140], [1, 1, 2, 2]).mode is None
    assert summary([110, 120, 130, 140], [1, 1, 2, 3]).mode == 1.0


def test_numbers_far_apart_are_summed_exactly() -> None:
    found = summary([160] * 4, [1e308, 1e-300, -1e308, 1e-300])
    assert found.mean == 5e-301
    assert math.isfinite(found.stdev)
    assert summary([160] * 2, [1.7e308, 1.7e308]).median == 1.7e308


def test_gaps_that_overlap_are_one() -> None:
    assert merged([(5, 9), (1, 3), (3, 4), (8, 12), (20, 20)]) == [(1, 4), (5, 12)]
