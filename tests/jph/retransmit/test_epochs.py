"""Epochs that no receiver heard, with time passed in."""

import math
import random

from jph.retransmit import Checkpoint
from jph.retransmit.messages import Life, Lives, Repair
from jph.retransmit.repairer import Repairer
from jph.wire.codec import Reading

HERE = ("192.0.2.1", 4)
PRESENT = 99


def reading(epoch: int, sequence: int, flag: str = "i") -> Reading:
    return Reading(sequence, epoch, 5, flag, "AA", "@@", 1, 0, sequence)


def converse(repairer: Repairer, lives: list[Life], seconds: float) -> list[tuple[int, int]]:
    """Answer all that is asked for a while; return what came, as (epoch, sequence)."""
    now_s, end_s = 0.0, seconds
    came: list[tuple[int, int]] = []
    came += [(r.epoch, r.sequence) for r in repairer.take([reading(PRESENT, 1, "n")], HERE, 0.0)]
    while (now_s := max(now_s, repairer.due_s)) < end_s:
        for ask in repairer.poll(now_s):
            if ask.row >= 0:
                page = tuple(lives[ask.row : ask.row + 5])
                letter = Lives(PRESENT, 5, "AA", "QQ", ask.row, len(lives), page)
                repairer.lived(letter, HERE, now_s)
                continue
            wanted = [
                reading(ask.epoch, first + step) for first, n in ask.ranges for step in range(n)
            ]
            fresh = repairer.take_again(wanted, now_s)
            came += [(r.epoch, r.sequence) for r in fresh]
            if (life := next((x for x in lives if x.epoch == ask.epoch), None)) is not None:
                told = Repair(PRESENT, 5, "AA", "QQ", ((life.next, 0),), ask.epoch)
                repairer.told(told, now_s)
    return came


def test_more_starts_than_are_asked_at_once_come_page_by_page() -> None:
    lives = [Life("AA", epoch, 100, 103) for epoch in range(20, 0, -1)]
    repairer = Repairer(lambda source: 3600.0, random.Random(1))
    came = converse(repairer, lives, 600.0)
    past = {(epoch, sequence) for epoch in range(1, 21) for sequence in (100, 101, 102)}
    assert sorted(came) == sorted(past | {(PRESENT, 1)})
    assert repairer.holes() == []


def test_what_is_stored_is_not_asked_for_and_a_tail_is() -> None:
    lives = [Life("AA", epoch, 100, 103) for epoch in (4, 3, 2, 1)]
    repairer = Repairer(lambda source: 3600.0, random.Random(1))
    repairer.resume(
        [
            Checkpoint("AA", 1, 102, last_ms=1),
            Checkpoint("AA", 2, 100, last_ms=2),
            Checkpoint("AA", 4, 102, last_ms=4),
        ],
        0.0,
    )
    came = converse(repairer, lives, 300.0)
    assert sorted(came) == [(2, 101), (2, 102), (3, 100), (3, 101), (3, 102), (PRESENT, 1)]


def test_a_source_without_a_journal_is_asked_for_no_past() -> None:
    repairer = Repairer(lambda source: 0.0, random.Random(1))
    assert converse(repairer, [Life("AA", 1, 100, 103)], 300.0) == [(PRESENT, 1)]


def test_a_source_that_does_not_answer_is_asked_ever_more_slowly() -> None:
    repairer = Repairer(lambda source: 3600.0, random.Random(1))
    repairer.take([reading(PRESENT, 1, "n")], HERE, 0.0)
    asked, now_s = [], 0.0
    while (now_s := max(now_s, repairer.due_s)) < 600.0:
        asked += [now_s for ask in repairer.poll(now_s) if ask.row >= 0]
    assert 20 <= len(asked) <= 40
    assert asked[0] < 1.1
    assert not math.isinf(repairer.due_s)
