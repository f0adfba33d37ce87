"""The rank of wishes and limits: every pair of them in one table, down to the order on the wire."""

import datetime
from collections.abc import Callable
from itertools import combinations
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from jph.heating.orders.coding import Order, lowest
from jph.heating.plan.conditions.calendar import iso_week
from jph.heating.plan.conditions.rules import Facts, Rule
from jph.heating.plan.document.check import check_scheduler
from jph.heating.plan.document.versions import empty_document
from jph.heating.plan.evaluation.planner import PlannedRoom, Planner
from jph.heating.plan.evaluation.wish import DEGREES, Layer, Limits, Wish, order_for
from jph.heating.plan.evaluation.wishes import (
    Absence,
    hand_wishes,
    running_wish,
    tidied,
    with_absence,
    with_wish,
)
from tests.jph.heating.plan.trees import DEVICES, item, scheduler, slot, week

NOW: Final = 1_796_000_000_000
HOUR: Final = 3_600_000
ROOM: Final = "Salon"
PLAN: Final = check_scheduler(
    scheduler(week("W", item(ROOM, timeslots=[slot("00:00", "Day")])), active="W"), DEVICES
)
Tree = dict[str, Any]


def hold(tree: Tree, at_ms: int = NOW) -> Tree:
    """Return a document with a hand wish without an end."""
    return with_wish(tree, ROOM, Wish(22.0, start_ms=at_ms), DEVICES)


def boost(tree: Tree, at_ms: int = NOW) -> Tree:
    """Return a document with a boost of an hour."""
    wish = Wish(23.0, start_ms=at_ms, end_ms=at_ms + HOUR, boost=True)
    return with_wish(tree, ROOM, wish, DEVICES)


def absence(tree: Tree, at_ms: int = NOW) -> Tree:
    """Return a document with an absence without an end."""
    return with_absence(tree, Absence(12.0, at_ms), NOW)


def schedule(tree: Tree) -> Tree:
    """Return a document with an active schedule."""
    return {**tree, "scheduler": PLAN}


EDITS: Final[dict[str, Callable[[Tree], Tree]]] = {
    "schedule": schedule,
    "absence": absence,
    "hold": hold,
    "boost": boost,
}
"""In order of making: an absence ends the wishes before it."""
VALUES: Final[dict[str, tuple[float | str, Layer]]] = {
    "default": ("eco", Layer.DEFAULT),
    "schedule": (19.5, Layer.SCHEDULE),
    "absence": (12.0, Layer.ABSENCE),
    "hold": (22.0, Layer.HAND),
    "boost": (23.0, Layer.HAND),
    "at most": (10.0, Layer.AT_MOST),
    "window": (7.5, Layer.WINDOW),
    "frost": (25.0, Layer.FROST),
}
"""A floor above all wishes shows that it lifts each of them."""
PAIRS: Final = {
    ("default", "schedule"): "schedule",
    ("default", "absence"): "absence",
    ("default", "hold"): "hold",
    ("default", "boost"): "boost",
    ("default", "at most"): "at most",
    ("default", "window"): "window",
    ("default", "frost"): "frost",
    ("default", "mask"): "mask",
    ("schedule", "absence"): "absence",
    ("schedule", "hold"): "hold",
    ("schedule", "boost"): "boost",
    ("schedule", "at most"): "at most",
    ("schedule", "window"): "window",
    ("schedule", "frost"): "frost",
    ("schedule", "mask"): "mask",
    ("absence", "hold"): "hold",
    ("absence", "boost"): "boost",
    ("absence", "at most"): "at most",
    ("absence", "window"): "window",
    ("absence", "frost"): "frost",
    ("absence", "mask"): "mask",
    ("hold", "boost"): "boost",
    ("hold", "at most"): "hold",
    ("hold", "window"): "window",
    ("hold", "frost"): "frost",
    ("hold", "mask"): "mask",
    ("boost", "at most"): "boost",
    ("boost", "window"): "window",
    ("boost", "frost"): "frost",
    ("boost", "mask"): "mask",
    ("at most", "window"): "window",
    ("at most", "frost"): "frost",
    ("at most", "mask"): "mask",
    ("window", "frost"): "frost",
    ("window", "mask"): "mask",
    ("frost", "mask"): "mask",
}


def empty() -> Tree:
    """Return a document without wishes."""
    return empty_document([{"name": name, "srventity": ""} for name in DEVICES])


@pytest.mark.parametrize("pair", list(combinations([*VALUES, "mask"], 2)), ids=" and ".join)
def test_of_each_pair_the_right_one_counts(pair: tuple[str, str]) -> None:
    document = empty()
    for name, edit in EDITS.items():
        document = edit(document) if name in pair else document
    limits = Limits(window_c=7.5, frost_c=25.0 if "frost" in pair else 3.0)
    rules = [Rule(name="red day", at_most=10.0)] if "at most" in pair else []
    planner = Planner(
        [PlannedRoom(ROOM, Wish("eco"), limits)], ZoneInfo("Europe/Paris"), iso_week, rules
    )
    facts = Facts(at=datetime.datetime(2026, 11, 30, 12))
    decision = planner.decide(document, NOW, facts, {ROOM: "window" in pair})[ROOM]
    words = [order.word for order in Order]
    order = Order.named(order_for(decision.value, DEGREES, words))
    ceiling = Order.OFF if "mask" in pair else Order.COMFORT
    if PAIRS[pair] == "mask":
        assert lowest(order, ceiling) is Order.OFF
        assert order is not Order.OFF, "the mask never changes the wish"
    else:
        value, layer = VALUES[PAIRS[pair]]
        assert (decision.value, decision.decided_by.layer) == (value, layer)


@pytest.mark.parametrize(
    ("edits", "now_ms", "value"),
    [
        ([(hold, NOW), (absence, NOW + 1)], NOW + 1, None),
        ([(boost, NOW), (absence, NOW + 1)], NOW + 1, None),
        ([(absence, NOW), (hold, NOW + 1)], NOW + 1, 22.0),
        ([(hold, NOW), (boost, NOW)], NOW, 23.0),
        ([(boost, NOW), (hold, NOW)], NOW, 22.0),
        ([(boost, NOW), (hold, NOW + 1)], NOW + 1, 22.0),
        ([(hold, NOW), (boost, NOW + 1)], NOW + HOUR + 1, 22.0),
        ([(hold, NOW), (absence, NOW + HOUR)], NOW + HOUR - 1, 22.0),
        ([(hold, NOW), (absence, NOW + HOUR)], NOW + HOUR, None),
        ([(absence, NOW + HOUR), (hold, NOW)], NOW + HOUR, None),
        ([(absence, NOW + HOUR), (hold, NOW + HOUR)], NOW + HOUR, 22.0),
    ],
)
def test_the_newest_hand_wish_counts_until_an_absence_starts(
    edits: list[tuple[Callable[[Tree, int], Tree], int]], now_ms: int, value: float | None
) -> None:
    document = empty()
    for edit, at_ms in edits:
        document = edit(document, at_ms)
    running = running_wish(document, ROOM, now_ms)
    assert (running.value if running else None) == value
    assert bool(hand_wishes(tidied(document, now_ms), ROOM)) is (value is not None)
