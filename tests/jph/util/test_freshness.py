"""One judgement of age for nodes and elements."""

import pytest

from jph.util.freshness import Signs, State, judge_element, judge_node


@pytest.mark.parametrize(
    ("signs", "state"),
    [
        (Signs(None, None), State.SILENT),
        (Signs(1, None), State.ALIVE),  # a node that never sends a value of its own
        (Signs(1, 1), State.ALIVE),
        (Signs(1, 31), State.LATE),  # it lives, but its thermometer is gone
        (Signs(31, 31), State.LATE),
        (Signs(31, 1), State.ALIVE),  # a reading is a sign of life
        (Signs(91, 91), State.DEAD),
    ],
)
def test_a_node_is_judged_by_life_and_by_its_reading(signs: Signs, state: State) -> None:
    assert judge_node(signs, 30, 10) is state


def test_a_keep_alive_does_not_make_a_value_fresh() -> None:
    assert judge_node(Signs(life_s=0.1, reading_s=3600), 30, 10) is State.LATE


def test_a_node_that_sends_seldom_is_not_late_between_its_readings() -> None:
    assert judge_node(Signs(1, 85), timeout_s=60, interval_s=60) is State.ALIVE
    assert judge_node(Signs(1, 95), timeout_s=60, interval_s=60) is State.LATE


def test_a_halted_node_and_its_elements() -> None:
    assert judge_node(Signs(1, 500), 30, 10, active=False) is State.HALTED
    assert judge_node(Signs(100, 500), 30, 10, active=False) is State.DEAD
    assert judge_element(500, 30, State.HALTED) is State.HALTED


@pytest.mark.parametrize(
    ("reading_s", "state"),
    [(None, State.SILENT), (30, State.ALIVE), (31, State.LATE), (91, State.DEAD)],
)
def test_an_element_is_judged_by_its_reading(reading_s: float | None, state: State) -> None:
    assert judge_element(reading_s, 30, State.ALIVE) is state


def test_an_element_that_sends_only_changes_is_late_when_its_node_is() -> None:
    assert judge_element(90_000, 0, State.ALIVE) is State.ALIVE
    assert judge_element(90_000, 0, State.LATE) is State.LATE
    assert judge_element(90_000, 0, State.DEAD) is State.DEAD
    assert judge_element(None, 0, State.ALIVE) is State.SILENT


@pytest.mark.parametrize(
    ("age_s", "timeout_s", "active", "parent", "state"),
    [
        (None, 10, True, None, State.SILENT),
        (0, 10, True, None, State.ALIVE),
        (10, 10, True, None, State.ALIVE),
        (10.1, 10, True, None, State.LATE),
        (30, 10, True, None, State.LATE),
        (30.1, 10, True, None, State.DEAD),
        (0, 10, False, None, State.HALTED),
        (10.1, 10, False, None, State.LATE),
        (30.1, 10, False, None, State.DEAD),
        (1e9, 0, True, None, State.ALIVE),
        (5, 10, True, State.ALIVE, State.ALIVE),
        (5, 10, True, State.DEAD, State.ALIVE),
        (50, 10, True, State.HALTED, State.HALTED),
        (None, 10, True, State.HALTED, State.HALTED),
        (None, 10, True, State.SILENT, State.SILENT),
    ],
)
def test_state(
    age_s: float | None, timeout_s: float, active: bool, parent: State | None, state: State
) -> None:
    if parent is None:
        assert judge_node(Signs(age_s), timeout_s, active=active) is state
    else:
        assert judge_element(age_s, timeout_s, parent) is state
