from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.statistics.local_days import HOUR_MS, ONE_DAY, LocalDays

PARIS = ZoneInfo("Europe/Paris")


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Paris", date(2026, 3, 29), 23),
        ("Europe/Paris", date(2026, 10, 25), 25),
        ("Europe/Paris", date(2026, 10, 26), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Asia/Beirut", date(2026, 3, 29), 23),  # the clock changes at midnight
        ("Asia/Kolkata", date(2026, 3, 29), 24),
    ],
)
def test_the_hours_of_a_day_make_it_up(zone: str, day: date, hours: float) -> None:
    days = LocalDays(ZoneInfo(zone))
    start, end = days.midnight_ms(day), days.midnight_ms(day + ONE_DAY)
    assert (end - start) / HOUR_MS == hours
    edge = start
    while edge < end:
        hour = days.hour_of(edge + 1)
        assert hour == (edge, days.hour_of(hour.end_ms).end_ms, day)
        edge = hour.end_ms
    assert edge == end


def test_midnight_ends_a_day() -> None:
    days = LocalDays(PARIS)
    midnight = ms(datetime(2026, 11, 2, tzinfo=PARIS))
    assert days.day_of(midnight) == date(2026, 11, 1)
    assert days.day_of(midnight + 1) == date(2026, 11, 2)
    assert days.hour_of(midnight).end_ms == midnight


@given(
    st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), min_size=2, max_size=5),
    st.sampled_from(["Europe/Paris", "Australia/Lord_Howe", "Asia/Beirut", "America/St_Johns"]),
)
def test_hours_do_not_depend_on_what_was_asked_before(moments: list[datetime], zone: str) -> None:
    days = LocalDays(ZoneInfo(zone))
    for moment in moments:
        at_ms = ms(moment.replace(tzinfo=UTC))
        hour = days.hour_of(at_ms)
        assert hour == LocalDays(ZoneInfo(zone)).hour_of(at_ms)
        assert hour.start_ms < at_ms <= hour.end_ms
        assert days.day_of(at_ms) == hour.day
