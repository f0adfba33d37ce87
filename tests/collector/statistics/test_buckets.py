from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.statistics.buckets import (
    HOUR_US,
    MINUTE_US,
    Bucket,
    Width,
    bucket_of,
    buckets,
    find_zone,
    local_day,
    midnight,
    to_datetime,
    to_us,
)

PARIS = ZoneInfo("Europe/Paris")
ZONES = [PARIS, *map(ZoneInfo, ("UTC", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu"))]
"""Some change the clock at midnight, some leave out a whole day, some are not whole hours off."""
moments = st.integers(0, to_us(datetime(2100, 1, 1, tzinfo=UTC)))


def us(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


def test_a_bucket_begins_after_its_start_and_ends_with_its_end() -> None:
    ten = us("2026-11-20T12:10:00Z")
    assert bucket_of(Width.TEN_MINUTES, ten, PARIS) == Bucket(ten - 10 * MINUTE_US, ten)
    assert bucket_of(Width.TEN_MINUTES, ten + 1, PARIS).end == ten + 10 * MINUTE_US
    assert bucket_of(Width.HOUR, ten, PARIS).end == us("2026-11-20T13:00:00Z")
    midnight_ = us("2026-11-21T00:00:00+01:00")
    assert bucket_of(Width.DAY, midnight_, PARIS).end == midnight_
    assert bucket_of(Width.DAY, midnight_ + 1, PARIS).start == midnight_


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-24", 24), ("2026-03-30", 24)],
)
def test_days_of_a_clock_change_are_shorter_and_longer(day: str, hours: int) -> None:
    noon = to_us(datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=PARIS))
    bucket = bucket_of(Width.DAY, noon, PARIS)
    assert bucket.end - bucket.start == hours * HOUR_US
    assert to_datetime(bucket.start).astimezone(PARIS).hour == 0
    assert len(list(buckets(Width.HOUR, bucket.start + 1, bucket.end, PARIS))) == hours


def test_a_month_with_a_clock_change_has_an_hour_more() -> None:
    first, last = midnight(date(2026, 10, 1), PARIS), midnight(date(2026, 11, 1), PARIS)
    assert len(list(buckets(Width.HOUR, first + 1, last, PARIS))) == 31 * 24 + 1
    assert len(list(buckets(Width.DAY, first + 1, last, PARIS))) == 31


def test_a_day_that_a_zone_left_out_is_no_bucket() -> None:
    apia = ZoneInfo("Pacific/Apia")  # there was no 30 December 2011
    around = us("2011-12-29T20:00:00Z"), us("2011-12-30T20:00:00Z")
    days = [local_day(b.end, apia) for b in buckets(Width.DAY, *around, apia)]
    assert days == [date(2011, 12, 29), date(2011, 12, 31)]


@given(moments, st.sampled_from(list(Width)), st.sampled_from(ZONES))
def test_every_moment_lies_in_its_bucket(moment: int, width: Width, zone: ZoneInfo) -> None:
    bucket = bucket_of(width, moment, zone)
    assert bucket.start < moment <= bucket.end
    assert bucket_of(width, bucket.start + 1, zone) == bucket
    assert bucket_of(width, bucket.end, zone) == bucket


@given(moments, st.integers(0, 5 * 24 * HOUR_US), st.sampled_from(ZONES))
def test_buckets_follow_each_other_without_a_hole(first: int, length: int, zone: ZoneInfo) -> None:
    for width in (Width.HOUR, Width.DAY):
        found = list(buckets(width, first, first + length, zone))
        assert found[0].start < first <= found[0].end
        assert found[-1].start < first + length <= found[-1].end
        assert [b.start for b in found[1:]] == [b.end for b in found[:-1]]


@given(moments)
def test_moments_are_exact(moment: int) -> None:
    assert to_us(to_datetime(moment)) == moment
    paris = to_datetime(moment).astimezone(PARIS)
    assert to_us(paris + timedelta(0)) == moment


@pytest.mark.parametrize("name", ["Europe/Pari", "", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="TimeZone: expected a zone as Europe/Paris"):
        find_zone(name)
