"""The books against a model: every position in exactly one place, whatever comes in any order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.ingest.ledger import (
    MOST_MISSING,
    GapRow,
    Key,
    ReadingRun,
    SourceAccount,
    checkpoints,
    coalesce,
    positions_to_check,
    runs,
    settle,
)
from jph.retransmit import Cause, Checkpoint, Gap
from jph.wire.codec import SEQUENCE_LIMIT, Quality, Reading
from jph.wire.sequence import position

KEY: Key = ("TI", 7)


def run(first: int, last: int) -> ReadingRun:
    return ReadingRun(first % SEQUENCE_LIMIT, last % SEQUENCE_LIMIT, 1000 * first, 1000 * last)


def hole(first: int, count: int, cause: Cause = Cause.GONE, epoch: int = 7) -> Gap:
    return Gap("TI", epoch, first % SEQUENCE_LIMIT, count, cause, 1000 * first, 1000 * first)


def reading(sequence: int, epoch: int = 7, source: str = "TI", flag: str = "i") -> Reading:
    return Reading(sequence, epoch, 1000 * sequence, flag, source, "@@", 1, Quality.GOOD, sequence)


class Books:
    """The tables as the collector keeps them, for one source."""

    def __init__(self, key: Key = KEY) -> None:
        self.key = key
        self.account: SourceAccount | None = None
        self.stored: set[int] = set()
        self.gaps: dict[int, GapRow] = {}
        self._rows = iter(range(1, 10**6))

    def book(self, heard: list[ReadingRun], holes: list[Gap] | None = None) -> None:
        ask = positions_to_check(self.key, self.account, heard, holes or [])
        rows = [g for g in self.gaps.values() if any(g.first < e and s < g.stop for s, e in ask)]
        settled = settle(self.key, self.account, heard, holes or [], rows)
        self.account = settled.account
        known = {n for start, stop in settled.stored for n in range(start, stop)}
        for row in settled.healed:
            del self.gaps[row]
        for gap in settled.lost:
            row = next(self._rows)
            self.gaps[row] = gap._replace(row_id=row)
        base = self.account.last if self.account else 0
        starts = [(position(each.first, base), each.messages) for each in heard]
        new = {n for start, count in starts for n in range(start, start + count)} - known
        if self.key[1]:
            assert not new & self.stored, "a second row for what is stored"
        self.stored |= new

    @property
    def lost(self) -> list[int]:
        return sorted(n for gap in self.gaps.values() for n in range(gap.first, gap.stop))

    @property
    def missing(self) -> list[int]:
        assert self.account
        return [n for start, stop in self.account.missing for n in range(start, stop)]


def test_what_follows_leaves_nothing_missing() -> None:
    books = Books()
    books.book([run(5, 9)])
    books.book([run(10, 12)])
    assert books.account == SourceAccount(5, 12, 12_000, ())


def test_what_is_left_out_is_missing_until_it_comes() -> None:
    books = Books()
    books.book([run(5, 9)])
    books.book([run(12, 12), run(15, 15)])
    assert books.missing == [10, 11, 13, 14]
    books.book([run(10, 10), run(14, 14)])
    assert books.missing == [11, 13]
    books.book([run(1, 2)])
    assert books.missing == [3, 4, 11, 13]


def test_what_is_given_up_is_a_gap_unless_it_is_stored() -> None:
    books = Books()
    books.book([run(5, 9), run(20, 20)])
    books.book([], [hole(8, 4), hole(11, 3, Cause.NETWORK)])
    assert (books.lost, books.missing) == ([10, 11, 12, 13], [14, 15, 16, 17, 18, 19])
    assert [gap.cause for gap in books.gaps.values()] == ["gone", "network"]


def test_what_comes_after_all_leaves_its_gap_and_splits_it() -> None:
    books = Books()
    books.book([run(5, 9), run(20, 20)], [hole(10, 10)])
    books.book([run(12, 13)])
    assert books.lost == [10, 11, 14, 15, 16, 17, 18, 19]
    times = sorted((gap.first, gap.to_ms, gap.from_ms) for gap in books.gaps.values())
    assert times == [(10, 12_000, 10_000), (14, 10_000, 13_000)]


UNCOUNTED = hole(12, 0, Cause.SOURCE_GONE)


def test_a_loss_that_nobody_could_count_is_one_where_something_is_missing() -> None:
    lost = (GapRow(12, 12, 12_000, 12_000, Cause.SOURCE_GONE),)
    missing = SourceAccount(5, 11, 11_000, ((8, 10),))
    assert settle(KEY, missing, [], [UNCOUNTED]).lost == lost
    given_up = settle(KEY, missing, [], [hole(8, 2), UNCOUNTED]).lost
    assert given_up == (*lost, GapRow(8, 10, 8000, 8000, "gone"))


@pytest.mark.parametrize("account", [None, SourceAccount(5, 11, 11_000)])
def test_the_end_of_a_source_that_was_not_heard_is_a_gap(account: SourceAccount | None) -> None:
    settled = settle(KEY, account, [], [UNCOUNTED])
    assert settled.account == account
    assert [(gap.first, gap.stop) for gap in settled.lost] == [(12, 12)]


def test_ranges_that_are_missing_are_limited() -> None:
    """The oldest become one gap of unknown size; what comes of it after all is stored."""
    last = 2 * (MOST_MISSING + 50)
    books = Books()
    books.book([run(n, n) for n in range(0, last + 1, 2)])
    assert books.account is not None
    assert books.account.missing == tuple((n, n + 1) for n in range(101, last, 2))
    (gap,) = books.gaps.values()
    assert gap[:5] == (1, 1, None, 1000 * last, Cause.NETWORK)
    assert books.account.first == 100
    books.book([run(51, 51)])
    assert 51 in books.stored
    assert len(books.account.missing) <= MOST_MISSING
    books.book([run(last + 1, last + 9)])
    assert books.account.last == last + 9


def test_gaps_that_adjoin_for_one_cause_are_one() -> None:
    books = Books()
    books.book([run(5, 5), run(40, 40)])
    for first, count, cause in (
        (10, 2, Cause.GONE),
        (14, 2, Cause.GONE),
        (16, 1, Cause.NETWORK),
        (12, 2, Cause.GONE),  # between two
        (8, 2, Cause.GONE),
        (20, 1, Cause.GONE),
    ):
        books.book([], [hole(first, count, cause)])
    assert sorted(gap[:5] for gap in books.gaps.values()) == [
        (8, 16, 8000, 14_000, "gone"),
        (16, 17, 16_000, 16_000, "network"),
        (20, 21, 20_000, 20_000, "gone"),
    ]
    books.book([run(12, 12)])
    assert books.lost == [8, 9, 10, 11, 13, 14, 15, 16, 20]


def test_sequences_wrap_and_positions_do_not() -> None:
    books = Books()
    end = SEQUENCE_LIMIT
    books.book([run(end - 3, end - 2)])
    books.book([run(end + 1, end + 2)])
    assert books.missing == [end - 1, end]
    assert checkpoints({KEY: books.account}) == [  # type: ignore[dict-item]
        Checkpoint("TI", 7, 2, ((end - 1, 2),), 1000 * (end + 2))
    ]


ORIGINAL: Key = ("TI", 0)


def test_an_original_program_may_start_anywhere() -> None:
    books = Books(ORIGINAL)
    books.book([run(5, 9)])
    books.book([run(2_000_000_000, 2_000_000_001)])
    assert books.account == SourceAccount(2_000_000_001, 2_000_000_001, 2_000_000_001_000, ())
    books.book([run(6, 6)])
    assert (books.missing, books.gaps) == ([], {})


def test_losses_of_an_original_program_are_gaps_until_they_come_late() -> None:
    books = Books(ORIGINAL)
    books.book([run(5, 5)], [hole(6, 3, Cause.NETWORK, epoch=0)])
    books.book([run(7, 7)])
    assert books.lost == [6, 8]
    another_day = ReadingRun(8, 8, 10**9, 10**9)
    books.book([another_day])
    assert books.lost == [6, 8]


def test_a_gap_of_an_original_program_may_wrap() -> None:
    books = Books(ORIGINAL)
    books.book([run(5, 5)], [hole(SEQUENCE_LIMIT - 1, 3, Cause.NETWORK, epoch=0)])
    assert books.lost == [0, 1, SEQUENCE_LIMIT - 1]


steps = st.lists(
    st.tuples(
        st.booleans(),
        st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8)), min_size=1, max_size=4),
    ),
    max_size=20,
)


@given(steps, st.sampled_from([0, SEQUENCE_LIMIT - 30]))
def test_every_position_is_in_exactly_one_place(steps: list[Any], start: int) -> None:
    books = Books()
    came: set[int] = set()
    for is_heard, parts in steps:
        if is_heard:
            books.book([run(start + n, start + n + count - 1) for n, count in parts])
            came |= {start + n + step for n, count in parts for step in range(count)}
        else:
            books.book([], [hole(start + n, count) for n, count in parts])
        assert books.account is not None
        assert len(books.lost) == len(set(books.lost))
        stops = {(gap.stop, gap.cause) for gap in books.gaps.values()}
        assert not any((gap.first, gap.cause) in stops for gap in books.gaps.values())
        # the base of positions may be a wrap away from ours: compare what the wire calls them
        stored = {n % SEQUENCE_LIMIT for n in books.stored}
        lost = {n % SEQUENCE_LIMIT for n in books.lost}
        missing = {n % SEQUENCE_LIMIT for n in books.missing}
        span = range(books.account.first, books.account.last + 1)
        assert stored == {n % SEQUENCE_LIMIT for n in came}
        assert not stored & lost
        assert not stored & missing
        assert not lost & missing
        assert stored | lost | missing == {n % SEQUENCE_LIMIT for n in span}


@given(steps, st.randoms(use_true_random=False))
def test_what_came_leaves_the_same_books_in_any_order(steps: list[Any], random: Any) -> None:
    heard = [run(n, n + count - 1) for _, parts in steps for n, count in parts]
    one, other = Books(), Books()
    for each in heard:
        one.book([each])
    for each in random.sample(heard, len(heard)):
        other.book([each])
        other.book([each])
    assert one.stored == other.stored
    if heard:
        assert one.account
        assert other.account
        assert one.account._replace(timestamp_ms=0) == other.account._replace(timestamp_ms=0)


def test_readings_are_summed_up_by_start_of_a_source() -> None:
    found = runs(
        [
            *(reading(n) for n in (1, 2, 5)),
            *(reading(n, epoch=8) for n in (SEQUENCE_LIMIT - 1, 0)),
            reading(1, source="HO", flag="n"),
        ]
    )
    assert found["TI", 7] == [ReadingRun(1, 2, 1000, 2000), ReadingRun(5, 5, 5000, 5000)]
    assert found["TI", 8][0].messages == 2
    assert ("HO", 7) in found


def test_holes_that_follow_each_other_become_one() -> None:
    merged = coalesce([hole(1, 2), hole(3, 4), hole(7, 1, Cause.NETWORK), hole(9, 1)])
    assert [(each.first, each.count) for each in merged] == [(1, 6), (7, 1), (9, 1)]
    assert (merged[0].from_ms, merged[0].to_ms) == (1000, 3000)


def test_marks_are_of_all_starts_but_those_of_original_programs() -> None:
    accounts = {
        ("TI", 1): SourceAccount(0, 9, 1000, ()),
        ("TI", 2): SourceAccount(0, 9, 2000, ((3, 5),)),
        ("TI", 3): SourceAccount(0, 9, 3000, ()),
        ("OR", 0): SourceAccount(9, 9, 3000, ()),
    }
    assert checkpoints(accounts) == [
        Checkpoint("TI", 1, 9, (), 1000),
        Checkpoint("TI", 2, 9, ((3, 2),), 2000),
        Checkpoint("TI", 3, 9, (), 3000),
    ]


def test_what_waits_in_the_spool_is_not_asked_for() -> None:
    accounts = {KEY: SourceAccount(0, 9, 9000, ((3, 5),))}
    waiting = {KEY: [run(3, 3), run(12, 12)], ("HO", 4): [run(1, 2)]}
    assert checkpoints(accounts, waiting) == [
        Checkpoint("TI", 7, 12, ((4, 1), (10, 2)), 12_000),
        Checkpoint("HO", 4, 2, (), 2000),
    ]


@pytest.mark.parametrize(("sequence", "base", "expected"), [(5, 3, 5), (0, 2**31 - 1, 2**31)])
def test_positions_are_near_their_base(sequence: int, base: int, expected: int) -> None:
    assert position(sequence, base) == expected
