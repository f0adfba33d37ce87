from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.energy.hours import (
    HeaterHour,
    PhaseStreams,
    Sample,
    Stream,
    clip,
    heater_hours,
    phase_hour,
    together,
)
from jph.config.house.loads import ECO_SHIFT
from tests.jph.heating.shedding.loads import pilot_heater

HOUR = 3_600_000
HOLD = 60_000
HEATERS = [pilot_heater(f"1{n}", "P1", n, 1, n - 1, "", "", None, 1) for n in (1, 2, 3)]


def stream(*samples: tuple[float, float], hold_ms: int = HOLD) -> Stream:
    """Make a stream of (seconds, value)."""
    return Stream([Sample(round(s * 1000), value) for s, value in samples], hold_ms)


def steady(value: float, start_s: int = 0, end_s: int = 3600, every_s: int = 10) -> Stream:
    return stream(*((s, value) for s in range(start_s, end_s + 1, every_s)))


def test_a_mean_weighs_each_value_with_its_time() -> None:
    current = stream((0, 10), (30, 20), (40, 0))
    hour = phase_hour(PhaseStreams(current), 0, HOUR)
    assert hour.known_s == 100  # the last one holds for a minute
    assert hour.mean_a == (10 * 30 + 20 * 10) / 100
    assert hour.mean_va == hour.mean_a * 230


def test_the_apparent_power_of_the_meter_is_better_than_ours() -> None:
    hour = phase_hour(PhaseStreams(steady(10), apparent_va=steady(2345)), 0, HOUR)
    assert (hour.mean_a, hour.mean_va) == (10, 2345)


def test_a_peak_is_told_with_its_time() -> None:
    hour = phase_hour(PhaseStreams(stream((0, 99), (5, 31), (7, 40), (9, 40))), 0, HOUR)
    assert (hour.peak_a, hour.peak_ms) == (40, 7000)  # 99 belongs to the hour before


def test_nothing_is_known_without_readings() -> None:
    hour = phase_hour(PhaseStreams(), 0, HOUR)
    assert (hour.known_s, hour.mean_a, hour.mean_va, hour.peak_a) == (0, None, None, None)
    assert (hour.overruns, hour.overrun_s, hour.shed_s) == (0, 0, 0)


def test_overruns_are_counted_where_they_begin() -> None:
    current = stream((-20, 31), (10, 29), (20, 32), (25, 30), (3590, 31), (3620, 31))
    phase = PhaseStreams(current, declared_a=30)
    first, second = phase_hour(phase, 0, HOUR), phase_hour(phase, HOUR, 2 * HOUR)
    assert (first.overruns, first.overrun_s) == (2, 10 + 5 + 10)
    assert (second.overruns, second.overrun_s) == (0, 20 + 60)


def test_the_smaller_limit_counts_and_a_warning_stands_alone() -> None:
    current = steady(25)
    assert phase_hour(PhaseStreams(current, limit=steady(24), declared_a=30), 0, HOUR).overruns
    assert not phase_hour(PhaseStreams(current, limit=steady(30)), 0, HOUR).overruns
    assert not phase_hour(PhaseStreams(current), 0, HOUR).overruns
    warned = phase_hour(PhaseStreams(warning=stream((5, 33), (9, 0))), 0, HOUR)
    assert (warned.overruns, warned.overrun_s) == (1, 4)


def test_seconds_shed_by_heater_and_phase() -> None:
    eco = 1 << (1 + ECO_SHIFT)
    mask = stream((-5, 0b001), (10, 0b101 | eco), (30, 0), (40, 0b100), (50, 0))
    assert phase_hour(PhaseStreams(mask=mask), 0, HOUR).shed_s == 40
    assert heater_hours(HEATERS, mask, 0, HOUR) == {
        "11": HeaterHour(110, 30, 0),
        "12": HeaterHour(110, 0, 20),
        "13": HeaterHour(110, 30, 0),
    }


def test_a_mask_that_is_not_said_again_is_not_known_to_hold() -> None:
    mask = stream((0, 0b111), (1000, 0))
    assert heater_hours(HEATERS, mask, 0, HOUR)["11"].shed_s == 60


@pytest.mark.parametrize(("start", "end", "left"), [(0, 3000, [1, 2]), (1000, 9000, [2, 3])])
def test_clip(start: int, end: int, left: list[int]) -> None:
    samples = stream((0, 0), (1, 1), (3, 2), (4, 3)).samples
    assert [each.value for each in clip(samples, start, end)] == left


times = st.lists(
    st.tuples(st.integers(0, 3 * 3600), st.integers(0, 40)), max_size=30, unique_by=lambda s: s[0]
).map(sorted)


@given(times, times, times)
def test_hours_add_up(currents: Sequence[tuple[int, int]], limits: Sequence[tuple[int, int]],
                      masks: Sequence[tuple[int, int]]) -> None:  # fmt: skip
    """Three hours one by one are the three hours at once."""
    phase = PhaseStreams(stream(*currents), stream(*limits), mask=stream(*masks), declared_a=35)
    whole = phase_hour(phase, 0, 3 * HOUR)
    parts = [phase_hour(phase, n * HOUR, (n + 1) * HOUR) for n in range(3)]
    assert whole.overruns == sum(part.overruns for part in parts)
    for name in ("known_s", "overrun_s", "shed_s"):
        assert getattr(whole, name) == pytest.approx(sum(getattr(part, name) for part in parts))
    peaks = [part.peak_a for part in parts if part.peak_a is not None]
    assert whole.peak_a == max(peaks, default=None)
    each = [heater_hours(HEATERS, phase.mask, n * HOUR, (n + 1) * HOUR) for n in range(3)]
    together = heater_hours(HEATERS, phase.mask, 0, 3 * HOUR)
    for code, hour in together.items():
        assert hour.shed_s == pytest.approx(sum(part[code].shed_s for part in each))


@given(times, st.integers(0, 2))
def test_an_hour_needs_only_what_reaches_into_it(
    currents: Sequence[tuple[int, int]], number: int
) -> None:
    phase = PhaseStreams(stream(*currents), declared_a=20)
    start, end = number * HOUR, (number + 1) * HOUR
    samples = clip(phase.current.samples, start - phase.reach_ms - 1, end)
    near = phase._replace(current=Stream(samples, HOLD))
    assert phase_hour(near, start, end) == phase_hour(phase, start, end)


@given(times, times)
def test_streams_together_say_what_each_says(
    one: Sequence[tuple[int, int]], other: Sequence[tuple[int, int]]
) -> None:
    streams = [stream(*one), stream(*other)]
    merged = list(together(streams, 0, HOUR))
    assert merged[0].start_ms == 0
    assert merged[-1].end_ms == HOUR
    assert all(a.end_ms == b.start_ms for a, b in pairwise(merged))
    for index, each in enumerate(streams):
        said = [(m.start_ms, m.end_ms, m.values[index]) for m in merged]
        total = sum((end - start) * (value + 1) for start, end, value in said if value is not None)
        spans = each.spans(0, HOUR)
        assert total == sum((end - start) * (value + 1) for start, end, value in spans)


def test_a_warning_that_outlasts_the_overrun_does_not_count() -> None:
    """The meter's warning expires after 15 s; the currents say when the overrun ended."""
    current = stream((0, 20), (5, 33), (8, 20), (60, 20))
    warned = PhaseStreams(current, warning=stream((5, 33), (20, 0)), declared_a=30.0)
    assert phase_hour(warned, 0, HOUR).overrun_s == 3
