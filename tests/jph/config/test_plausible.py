"""Currents that are not believed."""

import math

import pytest

from jph.config.house.house import HousePhase
from jph.config.house.plausible import REMEMBERED_S, CurrentFilter

PHASE = HousePhase(1, current="I1", subscribed="IS")


@pytest.fixture
def currents() -> CurrentFilter:
    return CurrentFilter([PHASE, HousePhase(2)])


@pytest.mark.parametrize("value", [0, 31.5, 100.0, "text", math.inf])
def test_what_is_plausible_or_no_current_is_believed(
    currents: CurrentFilter, value: object
) -> None:
    assert currents.believes("IS", 30, 0)
    assert currents.believes("I1", value, 0)
    assert currents.refused(0) == {}


def test_a_current_beyond_the_contract_is_named_for_a_minute(currents: CurrentFilter) -> None:
    assert currents.believes("I1", 900.0, 0)  # the contract is not known yet
    assert currents.believes("IS", 30, 1)
    assert not currents.believes("I1", 900.0, 2)
    assert currents.believes("I1", 20.0, 3)
    assert currents.refused(2 + REMEMBERED_S) == {"I1": 900.0}
    assert currents.refused(3 + REMEMBERED_S) == {}


def test_other_codifiers_are_not_judged(currents: CurrentFilter) -> None:
    assert currents.believes("PA", 1e9, 0)
