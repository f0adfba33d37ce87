"""Epochs that were never heard, with time passed in."""

import math
import random

from jph.retransmit import Checkpoint
from jph.retransmit.messages import Envelope, EpochSpan, EpochsReport
from jph.retransmit.requester import Requester
from jph.wire.codec import Reading

HERE = ("192.0.2.1", 4)
PRESENT = 99


def reading(epoch: int, sequence: int, flag: str = "i") -> Reading:
    return Reading(sequence, epoch, 5, flag, "AA", "@@", 1, 0, sequence)


def converse(requester: Requester, lives: list[EpochSpan], seconds: float) -> list[tuple[int, int]]:
    """Answer all that is asked for a while; return what came, as (epoch, sequence)."""
    now_s, end_s = 0.0, seconds
    came: list[tuple[int, int]] = []
    came += [(r.epoch, r.sequence) for r in requester.take([reading(PRESENT, 1, "n")], HERE, 0.0)]
    while (now_s := max(now_s, requester.due_s)) < end_s:
        for ask in requester.poll(now_s):
            if ask.row >= 0:
                page = tuple(lives[ask.row : ask.row + 5])
                envelope = Envelope(PRESENT, 5, "AA", "QQ", ask.request_id)
                report = EpochsReport(envelope, ask.row, len(lives), page)
                requester.take_epochs(report, HERE, now_s, ask.request_id)
                continue
            wanted = [
                reading(ask.epoch, first + step) for first, n in ask.ranges for step in range(n)
            ]
            fresh = requester.take_resent(wanted, HERE, now_s, ask.request_id)
            came += [(r.epoch, r.sequence) for r in fresh]
            tail = next((first for first, n in ask.ranges if n == 0), None)
            after = next((life.next for life in lives if life.epoch == ask.epoch), tail)
            if after is not None:  # of an unknown epoch the log has nothing
                told = (ask.epoch, ((after, 0),), HERE, now_s, ask.request_id)
                requester.take_report("AA", *told)
    return came


def test_more_starts_than_are_asked_at_once_come_page_by_page() -> None:
    lives = [EpochSpan("AA", epoch, 100, 103, True) for epoch in range(20, 0, -1)]
    requester = Requester(lambda source: 3600.0, random.Random(1))
    came = converse(requester, lives, 600.0)
    past = {(epoch, sequence) for epoch in range(1, 21) for sequence in (100, 101, 102)}
    assert sorted(came) == sorted(past | {(PRESENT, 1)})
    assert requester.gaps() == []


def test_what_is_stored_is_not_asked_for_and_a_tail_is() -> None:
    lives = [EpochSpan("AA", epoch, 100, 103) for epoch in (4, 3, 2, 1)]
    requester = Requester(lambda source: 3600.0, random.Random(1))
    requester.resume(
        [
            Checkpoint("AA", 1, 102, last_ms=1),
            Checkpoint("AA", 2, 100, last_ms=2),
            Checkpoint("AA", 4, 102, last_ms=4),
        ],
        0.0,
    )
    came = converse(requester, lives, 300.0)
    assert sorted(came) == [(2, 101), (2, 102), (3, 100), (3, 101), (3, 102), (PRESENT, 1)]


def test_a_source_without_a_journal_is_asked_for_no_past() -> None:
    requester = Requester(lambda source: 0.0, random.Random(1))
    assert converse(requester, [EpochSpan("AA", 1, 100, 103)], 300.0) == [(PRESENT, 1)]


def test_a_source_that_does_not_answer_is_asked_ever_more_slowly() -> None:
    requester = Requester(lambda source: 3600.0, random.Random(1))
    requester.take([reading(PRESENT, 1, "n")], HERE, 0.0)
    asked, now_s = [], 0.0
    while (now_s := max(now_s, requester.due_s)) < 600.0:
        asked += [now_s for ask in requester.poll(now_s) if ask.row >= 0]
    assert 20 <= len(asked) <= 40
    assert asked[0] < 1.1
    assert not math.isinf(requester.due_s)


def test_an_epoch_that_was_killed_ends_with_a_gap_of_unknown_size() -> None:
    lives = [EpochSpan("AA", 3, 100, 103, True), EpochSpan("AA", 2, 100, 103, False)]
    requester = Requester(lambda source: 3600.0, random.Random(1))
    requester.resume([Checkpoint("AA", 1, 102, last_ms=1)], 0.0)
    converse(requester, lives, 300.0)
    gaps = requester.gaps()
    assert [(gap.epoch, gap.first, gap.count) for gap in gaps] == [(2, 103, 0)]


def test_an_epoch_that_its_log_never_held_ends_with_a_gap_of_unknown_size() -> None:
    requester = Requester(lambda source: 3600.0, random.Random(1))
    requester.take([reading(7, 100, "n")], HERE, -5.0)
    converse(requester, [], 300.0)
    assert [(gap.epoch, gap.first, gap.count) for gap in requester.gaps()] == [(7, 101, 0)]


def test_the_end_of_a_stored_epoch_is_asked_for_once_more_after_a_restart() -> None:
    requester = Requester(lambda source: 3600.0, random.Random(1))
    stored = [Checkpoint("AA", 2, 102, last_ms=1), Checkpoint("AA", PRESENT, 0, last_ms=2)]
    requester.resume(stored, 0.0)
    converse(requester, [EpochSpan("AA", 2, 100, 103, False)], 300.0)
    assert [(gap.epoch, gap.first, gap.count) for gap in requester.gaps()] == [(2, 103, 0)]
