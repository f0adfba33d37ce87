"""A pool's hours: from the warmth of the water, through days, restarts and changes of clock."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.devices.filtration import (
    Filtration,
    FiltrationMemory,
    FiltrationPlan,
    FiltrationRule,
    PumpRun,
    Reason,
)

PARIS = ZoneInfo("Europe/Paris")
HOUR_MS = 3_600_000


def at(hour: float, day: int = 10, month: int = 7) -> int:
    """Return a moment of July 2026 in Paris, ms."""
    midnight = datetime(2026, month, day, tzinfo=PARIS)
    return round(midnight.timestamp() * 1000 + hour * HOUR_MS)


def pool(rule: FiltrationRule | None = None, memory: FiltrationMemory | None = None) -> Filtration:
    return Filtration(rule or FiltrationRule(), PARIS, memory or FiltrationMemory())


@pytest.mark.parametrize(
    ("warmest", "hours", "why"),
    [
        (None, 8, Reason.UNKNOWN),
        (4, 2, Reason.WINTER),
        (9.9, 2, Reason.WINTER),
        (10, 5, Reason.TEMPERATURE),
        (26, 13, Reason.TEMPERATURE),
        (29.9, 14.95, Reason.TEMPERATURE),
        (30, 24, Reason.HOT),
    ],
)
def test_the_rule(warmest: float | None, hours: float, why: Reason) -> None:
    assert FiltrationRule().hours(warmest) == (hours, why)


def test_every_number_can_be_set() -> None:
    rule = FiltrationRule(divisor=3, least_h=6, most_h=9, winter_below_c=5, hot_from_c=99)
    assert [rule.hours(c)[0] for c in (6, 24, 36)] == [6, 8, 9]


def test_hours_lie_around_the_early_afternoon() -> None:
    water = pool()
    water.hear(24, at(6))
    assert water.plan(at(6)) == FiltrationPlan(
        12, Reason.TEMPERATURE, False, PumpRun(at(8), at(20))
    )
    assert water.plan(at(8)).run
    late = pool(FiltrationRule(middle=time(23)))
    late.hear(24, at(6))
    assert late.plan(at(6)).ahead == PumpRun(at(12), at(24))


def test_what_was_missed_is_made_up_for_while_the_day_lasts() -> None:
    water = pool()
    water.hear(24, at(6))
    water.ran(at(11), 3 * HOUR_MS)
    assert water.plan(at(15)).ahead == PumpRun(at(15), at(24))
    water.ran(at(23), 8 * HOUR_MS)
    assert water.plan(at(23)).ahead == PumpRun(at(23), at(24))
    water.ran(at(23.9), HOUR_MS)
    assert water.plan(at(23.9)) == FiltrationPlan(12, Reason.TEMPERATURE, False, None)


def test_a_warmer_afternoon_makes_the_day_longer_and_a_cooler_morning_not_shorter() -> None:
    water = pool()
    water.hear(22, at(9))
    assert water.plan(at(9)).hours == 11
    water.hear(26, at(15))
    assert water.plan(at(15)).hours == 13
    water.hear(20, at(7, day=11))
    assert water.plan(at(7, day=11)).hours == 13
    water.hear(20, at(7, day=12))
    assert water.plan(at(7, day=12)).hours == 10


def test_a_thermometer_that_fell_silent_counts_on_for_a_while() -> None:
    water = pool()
    water.hear(26, at(9))
    assert [water.plan(at(9, day=day)).hours for day in (11, 12, 13)] == [13, 13, 13]
    assert water.plan(at(9, day=20)).why == Reason.UNKNOWN


def test_near_freezing_water_is_kept_moving() -> None:
    water = pool()
    water.hear(0.5, at(3))
    plan = water.plan(at(3))
    assert (plan.run, plan.why) == (True, Reason.FROST)
    water.hear(4, at(5), counts=False)
    assert not water.plan(at(5)).run


def test_water_in_a_still_pipe_does_not_count() -> None:
    water = pool()
    water.hear(24, at(10))
    water.hear(45, at(11), counts=False)
    assert water.plan(at(11)).hours == 12


@pytest.mark.parametrize(("day", "month", "hours"), [(29, 3, 23), (25, 10, 25)])
def test_days_of_23_and_25_hours(day: int, month: int, hours: int) -> None:
    water = pool()
    water.hear(31, at(1, day, month))
    assert water.plan(at(0, day, month) + 1).ahead == PumpRun(
        at(0, day, month) + 1, at(hours, day, month)
    )
    assert water.plan(at(1, day, month)).hours == hours


def test_a_restart_loses_nothing() -> None:
    water = pool()
    water.hear(24, at(6))
    water.ran(at(10), 2 * HOUR_MS)
    again = pool(memory=water.memory)
    again.ran(at(10.01), 36_000)
    assert len(again.memory.runs) == 1
    assert again.memory.runs[0] == PumpRun(at(8), at(10.01))
    assert again.plan(at(10.01)).ahead == PumpRun(at(10.01), at(20))


def test_a_run_over_midnight_counts_for_each_day_its_own() -> None:
    water = pool()
    water.ran(at(1, day=11), 3 * HOUR_MS)
    assert water.memory.done_ms == HOUR_MS
    assert water.memory.runs == (PumpRun(at(0, day=11), at(1, day=11)),)


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(-5, 45), st.integers(0, 60))))
def test_through_any_days(events: list[tuple[int, float, int]]) -> None:
    """Whatever comes, plans stay inside their day and what was done is never negative."""
    water = pool()
    for minutes, temperature, ran in events:
        now_ms = at(0) + minutes * 60_000
        water.hear(temperature, now_ms)
        water.ran(now_ms, ran * 60_000)
        plan = water.plan(now_ms)
        assert 0 <= plan.hours <= 25
        assert water.memory.done_ms >= 0
        assert len(water.memory.runs) <= 48
        if plan.ahead is not None:
            assert now_ms <= plan.ahead.start_ms <= plan.ahead.end_ms
