"""Sunrise and sunset against an ephemeris, and rules on the sun, presence and motion."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.plan.conditions.calendar import iso_week
from jph.heating.plan.conditions.days import Place, days_of
from jph.heating.plan.conditions.inputs import MOTION_MS, Inputs, Sources
from jph.heating.plan.conditions.rules import Rule, When
from jph.heating.plan.conditions.sun import sun_times
from jph.heating.plan.document.versions import empty_document
from jph.heating.plan.evaluation.planner import PlannedRoom, Planner
from jph.heating.plan.evaluation.wish import Wish

PARIS = ZoneInfo("Europe/Paris")
PLACES = {"Paris": (48.8566, 2.3522), "Brest": (48.3904, -4.4861)}
NOW = 1_796_036_400_000  # 2026-11-30, 12:00 in Paris
NOON = datetime.datetime.fromtimestamp(NOW / 1000, PARIS).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("city", "date", "rise", "down"),
    [
        ("Paris", "2026-03-20", "06:53:43", "19:03:15"),
        ("Paris", "2026-06-21", "05:46:56", "21:57:51"),
        ("Paris", "2026-09-23", "07:38:25", "19:46:37"),
        ("Paris", "2026-12-21", "08:41:15", "16:56:02"),
        ("Brest", "2026-06-21", "06:16:31", "22:23:00"),
        ("Brest", "2026-12-21", "09:06:35", "17:25:26"),
        ("Brest", "2027-02-10", "08:33:55", "18:31:00"),
    ],
)
def test_the_sun_rises_and_sets_as_the_ephemeris_says(
    city: str, date: str, rise: str, down: str
) -> None:
    found = sun_times(datetime.date.fromisoformat(date), *PLACES[city], PARIS)
    assert found is not None
    for time, known in zip(found, (rise, down), strict=True):
        off = seconds(time) - seconds(datetime.time.fromisoformat(known))
        assert abs(off) < 120


def seconds(time: datetime.time) -> float:
    """Return a time of day in seconds."""
    return time.hour * 3600 + time.minute * 60 + time.second


@given(st.dates(datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)), st.floats(-60, 60))
def test_days_are_long_in_summer_and_noon_lies_between(date: datetime.date, north: float) -> None:
    utc = ZoneInfo("UTC")
    found, other = sun_times(date, north, 0.0, utc), sun_times(date, -north, 0.0, utc)
    assert found is not None
    assert other is not None
    rise, down = map(seconds, found)
    assert rise < 12 * 3600 < down
    assert abs((rise + down) / 2 - 12 * 3600) < 17 * 60  # the equation of time
    length, opposite = (seconds(each[1]) - seconds(each[0]) for each in (found, other))
    if abs(north) > 5 and date.month in (6, 12):
        assert (length > opposite) is ((north > 0) is (date.month == 6))


def test_the_polar_night_has_no_sunrise() -> None:
    assert sun_times(datetime.date(2026, 12, 21), 70.0, 20.0, PARIS) is None


def decided(rule: Rule, inputs: Inputs, sources: Sources, now_ms: int = NOW) -> dict[str, object]:
    """Return the wishes of two rooms as the node decides them."""
    place = Place(*PLACES["Paris"], PARIS)
    local = datetime.datetime.fromtimestamp(now_ms / 1000, PARIS).replace(tzinfo=None)
    facts = inputs.facts(
        local, now_ms, sources, days_of("", "", [rule], place), away=False, zone=PARIS
    )
    rooms = [PlannedRoom(name, Wish(20.0)) for name in ("Salon", "Bain")]
    planner = Planner(rooms, PARIS, iso_week, [rule])
    found = planner.decide(empty_document([]), now_ms, facts, {})
    return {name: decision.value for name, decision in found.items()}


def test_a_rule_holds_from_sunrise_to_sunset() -> None:
    rule = Rule(When(after="sunrise", before="sunset"), name="sun", at_most=18.0)
    assert decided(rule, Inputs({}), Sources())["Salon"] == 18.0
    evening = NOW + 6 * 3_600_000
    assert decided(rule, Inputs({}), Sources(), evening)["Salon"] == 20.0
    assert NOON.hour == 12


def test_a_rule_on_presence_caps_the_house_or_a_room_with_sensors_of_its_own() -> None:
    rule = Rule(When(presence=False), name="empty", at_most=16.0)
    sources = Sources(presence=("PH",), rooms={"Bain": (("PB",), ())})
    inputs = Inputs({"PH": 0.0, "PB": 0.0})
    assert decided(rule, inputs, sources) == {"Salon": 20.0, "Bain": 20.0}, "not known"
    inputs.take("PH", 0.0, NOW)
    inputs.take("PB", 1.0, NOW)
    assert decided(rule, inputs, sources) == {"Salon": 16.0, "Bain": 20.0}
    inputs.take("PB", 0.0, NOW)
    inputs.take("PH", 1.0, NOW)
    assert decided(rule, inputs, sources) == {"Salon": 20.0, "Bain": 16.0}


def test_motion_counts_for_a_while_after_it_ends() -> None:
    rule = Rule(When(motion=False), name="still", at_most=16.0)
    sources = Sources(rooms={"Bain": ((), ("MB",))})
    inputs = Inputs({"MB": 0.0})
    assert decided(rule, inputs, sources) == {"Salon": 20.0, "Bain": 20.0}, "not known"
    inputs.take("MB", 1.0, NOW)
    inputs.take("MB", 0.0, NOW + 1000)
    later = NOW + 1000 + MOTION_MS
    assert decided(rule, inputs, sources, later - 1)["Bain"] == 20.0
    assert decided(rule, inputs, sources, later)["Bain"] == 16.0
