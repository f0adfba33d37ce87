"""Documents with wishes, absences and rules, evaluated for rooms; changes and how to undo them."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jph.heating.plan.conditions.calendar import iso_week
from jph.heating.plan.conditions.rules import Facts, Rule, When
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.document.refusal import PlanRefusedError
from jph.heating.plan.document.versions import Versions, empty_document, from_stored
from jph.heating.plan.evaluation.planner import PlannedRoom, Planner
from jph.heating.plan.evaluation.wish import Layer, Wish
from jph.heating.plan.evaluation.wishes import (
    Absence,
    absence_of,
    hand_wishes,
    tidied,
    with_absence,
    with_wish,
    without_absence,
    without_wishes,
)
from tests.jph.heating.plan.trees import DEVICES, item, scheduler, slot, week

PARIS = ZoneInfo("Europe/Paris")
HOUR = 3_600_000
SLOTS = [slot("00:00", "Night"), slot("06:00", "Day"), slot("22:00", "Night")]
PLAN = check_scheduler(
    scheduler(week("W", item("Salon", "Bain", timeslots=SLOTS)), active="W"), DEVICES
)


def ms(text: str) -> int:
    """Return a local time of the house as ms since 1970."""
    return round(datetime.datetime.fromisoformat(text).replace(tzinfo=PARIS).timestamp() * 1000)


NOON = ms("2026-12-01T12:00")


def document() -> dict[str, Any]:
    """Return a document whose plan has two slots a day for two of three rooms."""
    return {
        **empty_document([{"name": name, "srventity": ""} for name in DEVICES]),
        "scheduler": PLAN,
    }


def planner(*rules: Rule, k_per_h: float = 20.0) -> Planner:
    """Return a planner of three rooms."""
    rooms = [PlannedRoom(name, default=Wish("eco"), k_per_h=k_per_h) for name in DEVICES]
    return Planner(rooms, PARIS, iso_week, rules)


def facts(at: datetime.datetime) -> Facts:
    """Return facts: the second of December is a red Tempo day."""
    return Facts(at=at, tempo="red" if at.date() == datetime.date(2026, 12, 2) else "blue")


def values(doc: dict[str, Any], now_ms: int, *rules: Rule, **windows: bool) -> dict[str, Any]:
    """Return the wish in force of each room."""
    local = datetime.datetime.fromtimestamp(now_ms / 1000, PARIS).replace(tzinfo=None)
    decided = planner(*rules).decide(doc, now_ms, facts(local), windows)
    return {name: decision.value for name, decision in decided.items()}


def test_rooms_without_a_slot_have_their_default() -> None:
    assert values(document(), NOON) == {"Salon": 19.5, "Bain": 21.0, "Chambre": "eco"}


def test_a_boost_ends_and_the_hold_before_it_goes_on() -> None:
    held = with_wish(document(), "Salon", Wish(17.0, start_ms=NOON), DEVICES)
    boost = Wish(22.0, start_ms=NOON + 1, end_ms=NOON + HOUR, boost=True)
    boosted = with_wish(held, "Salon", boost, DEVICES)
    assert values(boosted, NOON + 2)["Salon"] == 22.0
    assert values(boosted, NOON + HOUR)["Salon"] == 17.0
    assert tidied(boosted, NOON + HOUR)["hand"] == held["hand"]
    assert values(without_wishes(boosted, ["Salon"]), NOON + 2)["Salon"] == 19.5


def test_starting_an_absence_ends_hand_wishes_and_rooms_are_warm_at_its_end() -> None:
    held = with_wish(document(), "Salon", Wish(23.0, start_ms=NOON), DEVICES)
    away = with_absence(held, Absence(12.0, NOON + 1, ms("2026-12-04T18:00")))
    assert hand_wishes(away, "Salon") == []
    assert values(away, ms("2026-12-03T12:00")) == dict.fromkeys(DEVICES, 12.0)
    early = planner(k_per_h=3.7).decide(
        away, ms("2026-12-04T16:00"), Facts(at=datetime.datetime(2026, 12, 4, 16)), {}
    )
    assert early["Salon"].value == 19.5
    assert absence_of(tidied(away, ms("2026-12-04T18:00"))) is None
    assert values(without_absence(away), NOON + 2)["Salon"] == 19.5
    boosted = with_wish(away, "Bain", Wish(23.0, start_ms=NOON + 2), DEVICES)
    assert values(boosted, NOON + 3)["Bain"] == 23.0


def test_rules_choose_the_schedule_and_cap_the_wishes() -> None:
    none = Rule(When(tempo="red"), use="")
    cap = Rule(When(tempo="red"), name="red", at_most=16.0, except_=("Bain",))
    red = ms("2026-12-02T12:00")
    assert values(document(), red, none)["Salon"] == "eco"
    assert values(document(), red, cap) == {"Salon": 16.0, "Bain": 21.0, "Chambre": "eco"}
    assert values(document(), red, Rule(When(tempo="red"), use="Nowhere"))["Salon"] == 19.5


def test_coming_changes_are_the_slots_the_rules_and_the_ends_of_wishes() -> None:
    boost = Wish(22.0, start_ms=NOON, end_ms=NOON + HOUR)
    doc = with_wish(document(), "Salon", boost, DEVICES)
    cap = Rule(When(tempo="red", after="06:00", before="22:00"), name="red", at_most=16.0)
    found = [
        (change.at_ms, change.room, change.decision.value, change.decision.decided_by.layer)
        for change in planner(cap).coming(doc, NOON, NOON + 24 * HOUR, facts, {})
        if change.room == "Salon"
    ]
    assert found == [
        (NOON + HOUR, "Salon", 19.5, Layer.SCHEDULE),
        (ms("2026-12-01T22:00"), "Salon", 16.0, Layer.SCHEDULE),
    ]


@pytest.mark.parametrize(
    "wish",
    [
        Wish(20.0, start_ms=NOON, end_ms=NOON),
        Wish(20.0, start_ms=NOON, end_ms=NOON + 367 * 24 * HOUR),
        Wish(float("nan"), start_ms=NOON),
        Wish("tropical", start_ms=NOON),
    ],
)
def test_wrong_wishes_are_refused(wish: Wish) -> None:
    with pytest.raises(PlanRefusedError):
        with_wish(document(), "Salon", wish, DEVICES)


def test_undo_takes_back_one_change_after_the_other_and_fifty_are_kept() -> None:
    versions = Versions(document())
    for number in range(60):
        changed = with_wish(
            versions.document, "Salon", Wish(10.0 + number / 10, start_ms=number), DEVICES
        )
        versions = versions.with_change(changed, number, "ann", f"wish {number}")
    versions = from_stored(versions.as_stored())
    undone = 0
    while (step := versions.undone()) is not None:
        versions, change = step
        undone += 1
        assert change.what == f"wish {60 - undone}"
    assert undone == 50
    assert hand_wishes(versions.document, "Salon")[0].value == 10.9
    assert versions.number == 110
