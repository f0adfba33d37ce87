"""The value of a device at a local time, and the moments at which values change."""

import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from jph.heating.plan.conditions.calendar import alternating_week, iso_week
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.evaluation.timeline import changes, values_at
from jph.heating.plan.evaluation.value import scheduled_values
from tests.jph.heating.plan.trees import DEVICES, item, scheduler, slot, tempset, week

PARIS = ZoneInfo("Europe/Paris")


def value(tree: dict[str, object], device: str, at: str) -> object:
    """Return the value of a device at a local time."""
    checked = check_scheduler(tree, DEVICES)
    found = scheduled_values(checked, datetime.datetime.fromisoformat(at), iso_week)
    return found[device].value if device in found else None


def test_the_last_slot_that_has_begun_counts() -> None:
    slots = [slot("00:00", "Night"), slot("06:30", "Day"), slot("22:00", "Night")]
    tree = scheduler(week("W", item("Salon", timeslots=slots)), active="W")
    assert value(tree, "Salon", "2026-12-01T06:29:59") == 16.0
    assert value(tree, "Salon", "2026-12-01T06:30:00") == 19.5
    assert value(tree, "Salon", "2026-12-01T23:59:59") == 16.0
    assert value(tree, "Chambre", "2026-12-01T12:00:00") is None


def test_slots_in_any_order_mean_the_same() -> None:
    slots = [slot("00:00", "Night"), slot("22:00", "Night"), slot("06:30", "Day")]
    tree = scheduler(week("W", item("Salon", timeslots=slots)), active="W")
    assert value(tree, "Salon", "2026-12-01T12:00:00") == 19.5


def test_without_an_active_schedule_nothing_is_scheduled() -> None:
    tree = scheduler(week("W", item("Salon", timeslots=[slot("00:00", "Day")])))
    assert value(tree, "Salon", "2026-12-01T12:00:00") is None


def test_the_whole_chain_of_parents_is_followed() -> None:
    top = week("Top", item("Salon", "Bain", timeslots=[slot("00:00", "Day")]))
    middle = week(
        "Middle", item("Chambre", timeslots=[slot("00:00", "Day")]), parent_schedule="Top"
    )
    bottom = week(
        "Bottom",
        item("Salon", days="6", timeslots=[slot("00:00", "Night")]),
        parent_schedule="Middle",
    )
    tree = scheduler(top, middle, bottom, active="Bottom")
    assert value(tree, "Salon", "2026-12-05T10:00:00") == 16.0
    assert value(tree, "Salon", "2026-12-04T10:00:00") == 19.5
    assert value(tree, "Bain", "2026-12-05T10:00:00") == 21.0
    assert value(tree, "Chambre", "2026-12-05T10:00:00") == 18.0


def test_a_local_set_hides_a_global_one_device_by_device() -> None:
    local = week(
        "W",
        item("Salon", "Chambre", timeslots=[slot("00:00", "Day")]),
        temperature_sets=[tempset("Day", Salon=22.0)],
    )
    tree = scheduler(local, active="W")
    assert value(tree, "Salon", "2026-12-01T12:00:00") == 22.0
    assert value(tree, "Chambre", "2026-12-01T12:00:00") == 18.0


def test_a_set_inherits_under_both_names_and_a_circle_of_sets_ends() -> None:
    sets = [
        {**tempset("Warm", Salon=22.0), "parent": "Day"},
        {**tempset("A"), "inherits": "B"},
        {**tempset("B"), "inherits": "A"},
    ]
    tree = scheduler(
        week(
            "W",
            item("Salon", "Bain", timeslots=[slot("00:00", "Warm")]),
            item("Chambre", timeslots=[slot("00:00", "A")]),
            temperature_sets=sets,
        ),
        active="W",
    )
    assert value(tree, "Bain", "2026-12-01T12:00:00") == 21.0
    assert value(tree, "Chambre", "2026-12-01T12:00:00") is None


def test_a_set_may_hold_orders() -> None:
    tree = scheduler(
        week(
            "W",
            item("Salon", timeslots=[slot("00:00", "Eco")]),
            temperature_sets=[tempset("Eco", Salon="Hors gel")],
        ),
        active="W",
    )
    assert value(tree, "Salon", "2026-12-01T12:00:00") == "frost"


def test_weeks_alternate_across_a_year_of_53_weeks() -> None:
    alternating = alternating_week(datetime.date(2024, 1, 8))
    last, first = datetime.date(2027, 1, 3), datetime.date(2027, 1, 4)
    assert (iso_week(last), iso_week(first)) == ("B", "B")
    assert alternating(last) == iso_week(last)
    assert alternating(first) == "A"
    day = datetime.date(2024, 1, 1)
    while day < datetime.date(2040, 1, 1):
        after = day + datetime.timedelta(days=7)
        assert alternating(day) != alternating(after)
        day = after


def test_a_slot_in_the_skipped_hour_begins_when_the_clock_jumps() -> None:
    slots = [slot("00:00", "Night"), slot("02:30", "Day")]
    tree = check_scheduler(
        scheduler(week("W", item("Salon", timeslots=slots)), active="W"), DEVICES
    )
    start = datetime.datetime(2026, 3, 28, 23, 30, tzinfo=datetime.UTC)
    found = list(changes(tree, start, start + datetime.timedelta(hours=6), PARIS, iso_week))
    assert [change.at for change in found] == [
        datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.UTC)
    ]


def test_a_slot_in_the_repeated_hour_begins_once_at_the_first() -> None:
    slots = [slot("00:00", "Night"), slot("02:30", "Day")]
    tree = check_scheduler(
        scheduler(week("W", item("Salon", timeslots=slots)), active="W"), DEVICES
    )
    start = datetime.datetime(2026, 10, 24, 22, 30, tzinfo=datetime.UTC)
    found = list(changes(tree, start, start + datetime.timedelta(hours=6), PARIS, iso_week))
    assert [change.at for change in found] == [
        datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.UTC)
    ]
    again = datetime.datetime(2026, 10, 25, 1, 10, tzinfo=datetime.UTC)
    assert values_at(tree, again, PARIS, iso_week)["Salon"].value == 19.5


TIMES = st.times().map(lambda time: time.replace(microsecond=0, fold=0).isoformat())
SLOTS = st.lists(st.builds(slot, TIMES, st.sampled_from(["Night", "Day", "Bath"])), max_size=5)


@given(
    st.lists(
        st.tuples(st.sampled_from(DEVICES), SLOTS), unique_by=lambda pair: pair[0], min_size=1
    ),
    st.sampled_from(["2026-03-28", "2026-10-24", "2026-12-31", "2027-01-03"]),
)
def test_the_timeline_equals_the_value_at_each_minute(
    plans: list[tuple[str, list[dict[str, str]]]], day: str
) -> None:
    items = [item(device, timeslots=slots) for device, slots in plans]
    tree = check_scheduler(scheduler(week("W", *items), active="W"), DEVICES)
    start = datetime.datetime.fromisoformat(f"{day}T20:00:00").replace(tzinfo=PARIS)
    start = start.astimezone(datetime.UTC)
    end = start + datetime.timedelta(hours=9)
    now = {k: v.value for k, v in values_at(tree, start, PARIS, iso_week).items()}
    coming = list(changes(tree, start, end, PARIS, iso_week))
    moment = start
    while moment <= end:
        while coming and coming[0].at <= moment:
            change = coming.pop(0)
            now.pop(change.device, None)
            if change.value is not None:
                now[change.device] = change.value.value
        found = values_at(tree, moment, PARIS, iso_week)
        assert {k: v.value for k, v in found.items()} == now, moment
        moment += datetime.timedelta(minutes=1)
