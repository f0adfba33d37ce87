"""Epoch discovery: asks sources that keep a resend log for their earlier epochs. Pure.

A start that began and ended while a receiver was away is one it never heard of.
"""

import math
from collections.abc import Iterator
from random import Random
from typing import Final

from jph.retransmit.messages import Life, Lives
from jph.util.backoff import delay_after
from jph.wire.codec import SEQUENCE_LIMIT

_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 30.0
_FULL_S: Final = 60.0
_MOST_KEPT: Final = 4096
"""Starts of one source; a journal lists no more."""
_HALF: Final = SEQUENCE_LIMIT // 2


class _Question:
    """The next row that a source is asked for, and when."""

    def __init__(self, due_s: float) -> None:
        self.due_s = due_s
        self.row = self.tries = 0
        self.again = False


class Census:
    """What is asked of journals, and up to where each start they list is accounted for.

    Attributes:
        due_s: when `poll` wants to be called next.
    """

    def __init__(self, random: Random) -> None:
        self.due_s = math.inf
        self._random = random
        self._open: dict[str, _Question] = {}
        self._accounted: dict[str, dict[int, int]] = {}

    def want(self, source: str, due_s: float) -> None:
        """Have a source asked for its earlier starts."""
        self._open[source] = _Question(due_s + self._random.uniform(0.0, 0.02))
        self._plan()

    def poll(self, now_s: float) -> Iterator[tuple[str, int]]:
        """Yield the sources to ask now, and from which row on."""
        if now_s < self.due_s:
            return
        for source, question in self._open.items():
            if question.due_s <= now_s:
                wait_s = delay_after(question.tries, _RETRY_S, _LAST_RETRY_S)
                question.due_s = now_s + wait_s * self._random.uniform(0.75, 1.25)
                question.tries += 1
                yield source, question.row
        self._plan()

    def told(self, letter: Lives, now_s: float, all_taken: bool) -> None:
        """Take note of an answer; what could not be taken yet is asked again later."""
        question = self._open.get(letter.source)
        if question is None or letter.first != question.row:
            return
        question.row += len(letter.lives)
        question.tries = 0
        question.due_s = now_s
        question.again = question.again or not all_taken
        if question.row >= letter.total or not letter.lives:
            del self._open[letter.source]
            if question.again:
                self.want(letter.source, now_s + _FULL_S)
        self._plan()

    def account(self, source: str, epoch: int, last: int) -> None:
        """Take note that a start is stored, or given up, up to sequence `last`."""
        accounted = self._accounted.setdefault(source, {})
        accounted[epoch] = last
        if len(accounted) > _MOST_KEPT:
            del accounted[next(iter(accounted))]

    def knows(self, source: str, epoch: int | None = None) -> bool:
        """Whether a start, or any, of a source is accounted for."""
        accounted = self._accounted.get(source, {})
        return bool(accounted) if epoch is None else epoch in accounted

    def lacks(self, life: Life) -> tuple[int, int]:
        """Return the first sequence of a start that is not accounted for, and how many are not."""
        last = self._accounted.get(life.codifier, {}).get(life.epoch)
        first = life.first if last is None else (last + 1) % SEQUENCE_LIMIT
        count = (life.next - first) % SEQUENCE_LIMIT
        return first, count if count < _HALF else 0

    def _plan(self) -> None:
        self.due_s = min((each.due_s for each in self._open.values()), default=math.inf)
