"""The rank of wishes and limits, pair by pair."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.plan.conditions.rules import Facts, Rule, When, cap_of, holds, schedule_in_force
from jph.heating.plan.evaluation.value import Scheduled
from jph.heating.plan.evaluation.wish import (
    DEGREES,
    Layer,
    Limits,
    Wish,
    decide,
    degrees_of,
    hand_wish_at,
    order_for,
)
from jph.heating.plan.manual import ended, reported

HAND, ABSENT, PLANNED, DEFAULT = Wish(22.0), Wish(12.0), Wish(19.0), Wish("eco")
NONE: dict[str, Any] = {"hand": None, "absence": None, "schedule": None, "default": DEFAULT}


@pytest.mark.parametrize(
    ("layers", "limits", "value", "layer"),
    [
        ({}, {}, "eco", Layer.DEFAULT),
        ({"schedule": PLANNED}, {}, 19.0, Layer.SCHEDULE),
        ({"schedule": PLANNED, "absence": ABSENT}, {}, 12.0, Layer.ABSENCE),
        ({"absence": ABSENT, "hand": HAND}, {}, 22.0, Layer.HAND),
        ({"schedule": PLANNED, "hand": HAND}, {}, 22.0, Layer.HAND),
        ({"schedule": PLANNED}, {"at_most": (17.0, "red")}, 17.0, Layer.AT_MOST),
        ({"schedule": PLANNED}, {"at_most": (21.0, "red")}, 19.0, Layer.SCHEDULE),
        ({"hand": HAND}, {"at_most": (17.0, "red")}, 22.0, Layer.HAND),
        ({"absence": ABSENT}, {"at_most": (10.0, "red")}, 10.0, Layer.AT_MOST),
        ({"hand": HAND}, {"window_open": True}, 7.0, Layer.WINDOW),
        ({"schedule": PLANNED}, {"window_open": None}, 19.0, Layer.SCHEDULE),
        ({"schedule": PLANNED}, {"at_most": (17.0, "red"), "window_open": True}, 7.0, Layer.WINDOW),
        ({"hand": Wish("off")}, {}, 7.0, Layer.FROST),
        ({"hand": HAND}, {"window_open": True, "window_c": 5.0}, 7.0, Layer.FROST),
        ({"schedule": PLANNED}, {"at_most": ("off", "red")}, 7.0, Layer.FROST),
        ({"hand": Wish(99.0)}, {}, 30.0, Layer.HAND),
    ],
)
def test_which_wish_counts(
    layers: dict[str, Wish], limits: dict[str, Any], value: float | str, layer: Layer
) -> None:
    decision = decide(**(NONE | layers), limits=Limits(**limits))
    assert decision.value == value
    assert decision.decided_by.layer is layer


WISHES = st.none() | st.floats(5, 30).map(Wish) | st.sampled_from(list(DEGREES)).map(Wish)


@given(WISHES, WISHES, WISHES, st.booleans() | st.none(), st.none() | st.floats(5, 30))
def test_every_result_is_between_frost_floor_and_maximum(
    hand: Wish | None,
    absence: Wish | None,
    planned: Wish | None,
    window: bool | None,
    cap: float | None,
) -> None:
    limits = Limits(at_most=None if cap is None else (cap, "rule"), window_open=window)
    decision = decide(hand, absence, planned, DEFAULT, limits)
    assert limits.frost_c <= degrees_of(decision.value) <= limits.highest_c
    assert sum(step.layer is decision.decided_by.layer for step in decision.steps) == 1


def test_the_newest_hand_wish_counts_until_it_ends() -> None:
    hold, boost = Wish(18.0, start_ms=1_000), Wish(22.0, start_ms=2_000, end_ms=5_000)
    assert hand_wish_at([hold, boost], 500) is None
    assert hand_wish_at([hold, boost], 2_000) == boost
    assert hand_wish_at([hold, boost], 5_000) == hold


@pytest.mark.parametrize(
    ("wish", "orders", "order"),
    [
        (19.0, list(DEGREES), "comfort"),
        (18.9, list(DEGREES), "comfort-1"),
        (18.9, ["comfort", "eco", "frost", "off"], "eco"),
        (3.0, ["comfort", "eco", "frost", "off"], "off"),
        ("eco", ["comfort", "eco"], "eco"),
        ("comfort-1", ["comfort", "eco", "frost", "off"], "eco"),
    ],
)
def test_a_wish_becomes_the_warmest_order_not_above_it(
    wish: float | str, orders: list[str], order: str
) -> None:
    assert order_for(wish, DEGREES, orders) == order


def test_manual_mode_ends_by_each_of_its_three_rules() -> None:
    night = Scheduled(16.0, "00:00:00", "W", "Night")
    same = Scheduled(16.0, "05:00:00", "W", "Night too")
    day = Scheduled(19.5, "06:00:00", "W", "Day")
    manual = reported(None, 21.0, night, 0, 0.25)
    assert manual is not None
    hour_ms = 3_600_000
    assert not ended(manual, night, 2, 2 * hour_ms - 1)
    assert ended(manual, night, 2, 2 * hour_ms)
    assert ended(manual, same, "timeslot_change", 0)
    assert not ended(manual, same, "setpoint_change", 0)
    assert ended(manual, day, "setpoint_change", 0)
    assert ended(manual, None, "setpoint_change", 0)
    assert reported(manual, 16.2, night, 1, 0.25) is None


NOON = Facts(at=datetime.datetime(2026, 12, 24, 12), tempo="red", holiday=False, eve=True)


@pytest.mark.parametrize(
    ("when", "answer"),
    [
        (When(), True),
        (When(tempo="red"), True),
        (When(tempo="blue"), False),
        (When(school=True), None),
        (When(school=True, tempo="blue"), False),
        (When(eve=True, holiday=False), True),
        (When(from_=datetime.date(2026, 12, 24), until=datetime.date(2026, 12, 24)), True),
        (When(until=datetime.date(2026, 12, 23)), False),
        (When(after="22:00", before="13:00"), True),
        (When(after="sunset"), None),
        (When(days=("4",)), True),
        (When(codifier={"WN": 1}), None),
    ],
)
def test_conditions_that_are_not_known_do_not_hold(when: When, answer: bool | None) -> None:
    assert holds(when, NOON) is answer


def test_the_first_rule_that_holds_chooses_the_schedule_and_the_lowest_cap_counts() -> None:
    rules = [
        Rule(When(tempo="blue"), use="Blue"),
        Rule(When(tempo="red"), use="Red"),
        Rule(When(eve=True), use="Eve"),
        Rule(When(tempo="red"), name="red day", at_most="eco", except_=("Bain",)),
        Rule(When(tempo="red"), name="red noon", at_most=15.0),
    ]
    chosen = schedule_in_force(rules, NOON)
    assert chosen is not None
    assert chosen.use == "Red"
    assert cap_of(rules, NOON, "Salon", DEGREES) == (15.0, "red noon")
    assert cap_of(rules[:4], NOON, "Bain", DEGREES) is None
