"""Wishes that are met by their time: leads learned from the record of a simulated room."""

import datetime
from statistics import mean
from zoneinfo import ZoneInfo

import pytest

from jph.heating.plan.conditions.calendar import iso_week
from jph.heating.plan.conditions.rules import Facts
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.document.versions import empty_document
from jph.heating.plan.evaluation.lead import NEAR_K, Rate, RateLearner, shown
from jph.heating.plan.evaluation.planner import PlannedRoom, Planner, Warmth
from jph.heating.plan.evaluation.wish import Decision, Wish
from jph.heating.plan.evaluation.wishes import Absence, with_absence
from jph.heating.rooms.regulation import CYCLE_S, RegulationState, heat_share
from jph.sim.physics.room import SimulatedRoom
from jph.sim.physics.spec import RoomSpec
from tests.jph.heating.plan.trees import DEVICES, item, scheduler, slot, week

PARIS = ZoneInfo("Europe/Paris")
HOUR = 3_600_000
SLOTS = [slot("00:00", "Night"), {**slot("07:00", "Day"), "by": True}, slot("22:00", "Night")]
PLAN = check_scheduler(scheduler(week("W", item("Salon", timeslots=SLOTS)), active="W"), DEVICES)
DOCUMENT = {**empty_document([]), "scheduler": PLAN}
MIDNIGHT = round(datetime.datetime(2026, 12, 1, tzinfo=PARIS).timestamp() * 1000)


def planner() -> Planner:
    """Return a planner of one room that is taken to warm up by 3.5 K in an hour."""
    return Planner([PlannedRoom("Salon", Wish("eco"), k_per_h=3.5)], PARIS, iso_week)


def facts(at: datetime.datetime) -> Facts:
    """Return facts of nothing but the time."""
    return Facts(at=at)


def decide(planned: Planner, at_ms: int, document: dict[str, object] = DOCUMENT) -> Decision:
    """Return the wish of the room."""
    return planned.at(document, at_ms, facts, {})["Salon"]


def test_a_slot_marked_by_begins_a_lead_earlier_and_the_outlook_shows_it() -> None:
    planned = planner()  # 16.0 to 19.5 in one hour
    six = MIDNIGHT + 6 * HOUR
    assert decide(planned, six - 1).value == 16.0
    early = decide(planned, six)
    assert early.value == 19.5
    assert early.decided_by.wish.source == "W · Day, by 07:00"
    coming = list(planned.coming(DOCUMENT, MIDNIGHT, MIDNIGHT + 24 * HOUR, facts, {}))
    assert [(each.at_ms - MIDNIGHT) / HOUR for each in coming] == [6.0, 22.0]
    planned.warmth["Salon"] = Warmth(12.5, Rate((3.85,)))
    assert decide(planned, MIDNIGHT + 5 * HOUR).value == 19.5, "it is colder than its plan"


def test_a_room_is_warm_when_people_are_back() -> None:
    planned = planner()
    back = MIDNIGHT + 9 * HOUR
    away = with_absence(DOCUMENT, Absence(12.5, MIDNIGHT - HOUR, back))
    assert decide(planned, back - 2 * HOUR - 1, away).value == 12.5
    warm = decide(planned, back - 2 * HOUR, away)
    assert warm.value == 19.5
    assert warm.decided_by.wish.source.endswith("by 09:00")


@pytest.mark.parametrize("watts", [900.0, 1500.0])
def test_from_the_third_day_on_a_wish_is_met_by_its_time(watts: float) -> None:
    planned, learner, state = planner(), RateLearner(), RegulationState()
    spec = RoomSpec(name="Salon", area_m2=15.0, loss_w_per_k=25.0)
    room = SimulatedRoom(spec, 16.0, 2.0, 60.0)
    seen = [room.air_c]
    at_seven = []
    for cycle in range(round(7 * 86_400 / CYCLE_S)):
        now_s = cycle * CYCLE_S
        now_ms = MIDNIGHT + round(now_s * 1000)
        planned.warmth["Salon"] = Warmth(room.air_c, learner.rate)
        wish_c = float(decide(planned, now_ms).value)
        learner.take(now_ms, wish_c, room.air_c)
        share, state = heat_share(state, mean(seen[-5:]), wish_c, now_s)
        if now_s % 86_400 == 7 * 3600:
            at_seven.append(room.air_c)
        for _ in range(5):
            room.step(watts * share, 2.0)
            seen.append(room.air_c)
    assert min(at_seven[2:]) >= 19.5 - 2 * NEAR_K
    state_shown = shown(learner.rate, 1.0)
    assert state_shown["rises"] == 5
    assert state_shown["confidence"] > 0.4
    assert Rate.of((0.0, 2.0, 1e9)) == Rate((2.0,))
    assert shown(Rate(), 1.0) == {"k_per_h": 1.0, "rises": 0, "confidence": 0.0}


def test_a_window_that_was_open_teaches_nothing() -> None:
    learner = RateLearner()
    for at_ms, wish_c, temperature_c in ((0, 20.0, 19.9), (1, 7.0, 19.8), (HOUR, 20.0, 18.0)):
        assert not learner.take(at_ms, wish_c, temperature_c)
    assert not learner.take(2 * HOUR, 20.0, 20.0)
    assert learner.rate == Rate()
