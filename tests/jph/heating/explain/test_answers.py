"""Outcome of an order, judged from messages of heaters and cards."""

from typing import Any

import pytest

from jph.config.house.loads import Load
from jph.config.model import Network
from jph.heating.explain.answers import Outcome, order_in, refusals
from jph.heating.orders.coding import Order
from jph.wire.codec import Quality, Reading
from tests.jph.heating.shedding.loads import pilot_heater
from tests.nodes.heatinghouse import house

SOLID = pilot_heater("11", "P1", 1, 1, 0, "Hall", "Door", None, 1, solid_state=True, applied="1A")
RELAY = pilot_heater("12", "P1", 1, 1, 0, "Hall", "Door", None, 1)


def said(code: str, value: Any, quality: Quality = Quality.GOOD) -> Reading:
    return Reading(1, 2, 3_000, "d", code, "@@", 1, quality, value)


def outcome(*readings: Reading, heater: Load = SOLID, refusal: str | None = None) -> Outcome:
    return Outcome(heater, Order.ECO, {each.source: each for each in readings}, refusal)


@pytest.mark.parametrize(
    ("shown", "words", "followed", "complete"),
    [
        (outcome(), "no answer", False, False),
        (outcome(refusal="no"), "refused, no", False, False),
        (outcome(said("11", 3), said("1A", 3)), "eco", True, True),
        (outcome(said("11", 3)), "eco", True, False),
        (outcome(said("12", 3), heater=RELAY), "eco", True, True),
        (
            outcome(said("11", 3), said("1A", 1)),
            "eco, but off for now: it is shed",
            True,
            True,
        ),
        (
            outcome(said("11", 0), said("1A", 0)),
            "comfort, not eco: its card refused the order",
            False,
            False,
        ),
        (
            outcome(said("12", 3, Quality.STALE), heater=RELAY),
            "eco from when its card finds its chip again",
            False,
            True,
        ),
    ],
)
def test_every_outcome_has_words(
    shown: Outcome, words: str, followed: bool, complete: bool
) -> None:
    assert shown.words() == words
    assert shown.followed is followed
    assert shown.complete is complete
    assert shown.as_json()["followed"] is followed


@pytest.mark.parametrize("value", ["eco", 7, 1.5, float("nan")])
def test_what_is_no_order(value: object) -> None:
    assert order_in({"11": said("11", value)}, "11") is None
    assert order_in({}, "") is None


def test_who_may_not_have_an_order() -> None:
    network: Network = house({"Bus": 1})
    refused = dict(refusals(network, [RELAY], Order.COMFORT_1))
    assert "SolidState" in refused["12"]
