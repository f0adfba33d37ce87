"""Sequences: losses, late messages, duplicates and restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.wire.codec import SEQUENCE_LIMIT
from jph.wire.sequence import MAX_MISSING, Event, Outcome, SequenceTable

Step = tuple[int, int, bool]


def observe(steps: list[Step]) -> tuple[list[Outcome], SequenceTable]:
    table = SequenceTable()
    return [table.observe("AA", *step) for step in steps], table


@pytest.mark.parametrize(
    ("steps", "events", "lost"),
    [
        pytest.param([(5, 1, True), (6, 1, False)], [Event.FIRST, Event.NEXT], 0, id="in order"),
        pytest.param(
            [(5, 1, False), (9, 1, False)], [Event.FIRST, Event.GAP], 3, id="three missing"
        ),
        pytest.param(
            [(5, 1, False), (7, 1, False), (6, 1, False)],
            [Event.FIRST, Event.GAP, Event.LATE],
            0,
            id="one late",
        ),
        pytest.param(
            [(5, 1, False), (7, 1, False), (6, 1, False), (6, 1, False)],
            [Event.FIRST, Event.GAP, Event.LATE, Event.DUPLICATE],
            0,
            id="late and doubled",
        ),
        pytest.param(
            [(5, 1, False), (5, 1, False)], [Event.FIRST, Event.DUPLICATE], 0, id="doubled"
        ),
        pytest.param(
            [(SEQUENCE_LIMIT - 1, 1, False), (0, 1, False), (2, 1, False)],
            [Event.FIRST, Event.NEXT, Event.GAP],
            1,
            id="wraps",
        ),
        pytest.param(
            [(5, 1, False), (9, 1, False), (700, 2, False), (701, 2, False)],
            [Event.FIRST, Event.GAP, Event.RESET, Event.NEXT],
            0,
            id="restart known by the epoch, its announcement lost",
        ),
        pytest.param(
            [(5, 0, True), (6, 0, False), (90, 0, True), (91, 0, False)],
            [Event.FIRST, Event.NEXT, Event.RESET, Event.NEXT],
            0,
            id="original restarts",
        ),
        pytest.param(
            [(5, 0, False), (900_000_000, 0, False)],
            [Event.FIRST, Event.RESET],
            0,
            id="original restarts, its announcement lost",
        ),
        pytest.param(
            [(5, 1, False), (70, 2, False), (6, 1, False), (71, 2, False)],
            [Event.FIRST, Event.RESET, Event.NEXT, Event.NEXT],
            0,
            id="two consoles under one codifier",
        ),
    ],
)
def test_tells(steps: list[Step], events: list[Event], lost: int) -> None:
    outcomes, table = observe(steps)
    assert [outcome.event for outcome in outcomes] == events
    assert table.lost("AA") == lost


def test_sources_are_told_apart() -> None:
    table = SequenceTable()
    table.observe("AA", 1, 1)
    table.observe("BB", 9, 1)
    assert table.observe("AA", 2, 1).event is Event.NEXT
    assert table.lost("ZZ") == 0


@given(
    st.integers(0, SEQUENCE_LIMIT - 1),
    st.permutations(range(1, 40)),
    st.sets(st.integers(1, 39)),
    st.integers(0, 39),
)
def test_whatever_the_order_each_is_new_once_and_the_rest_is_missing(
    start: int, order: list[int], never: set[int], doubled: int
) -> None:
    """The first and the last come in order, so that all between is known to be expected."""
    arrivals = [n for n in order if n not in never]
    table = SequenceTable()
    new = 0
    for offset in [0, *arrivals, *arrivals[:doubled], 40]:
        outcome = table.observe("AA", (start + offset) % SEQUENCE_LIMIT, 7)
        new += outcome.event is not Event.DUPLICATE
    assert new == len(arrivals) + 2
    assert table.lost("AA") == len(never)


def test_memory_is_bounded_and_recent_ones_are_still_known_when_late() -> None:
    table = SequenceTable()
    table.observe("AA", 0, 1)
    assert table.observe("AA", 1_000_000, 1).event is Event.SUSPECT
    assert table.observe("AA", 1_000_001, 1).missing == 999_999
    assert table.observe("AA", 999_999, 1).event is Event.LATE
    assert table.observe("AA", 1_000_000 - MAX_MISSING - 1, 1).event is Event.DUPLICATE
    for epoch in range(2, 1000):
        table.observe("AA", 0, epoch)
    assert table.sources["AA"].epoch == 999
