"""Epoch discovery: which earlier epochs the resend logs of sources hold, and which ended in order.

A receiver learns so of an epoch that began and ended while the receiver was away. The log of an
epoch that was killed lacks its last seconds: how much, is not known. Pure.
"""

import math
from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

from jph.retransmit.messages import EpochSpan, EpochsReport
from jph.util.backoff import delay_after
from jph.wire.sequence import MASK, offset

_RETRY_S: Final = 0.1
_LAST_RETRY_S: Final = 30.0
_FULL_S: Final = 60.0
_MOST_KEPT: Final = 4096
"""Epochs of one source; a resend log lists no more."""


class _Query:
    """The next row that a source is asked for, and when."""

    def __init__(self, due_s: float) -> None:
        self.due_s = due_s
        self.row = self.tries = 0
        self.incomplete = False


class EpochDiscovery:
    """Asks sources for their earlier epochs, and remembers up to where each is accounted for.

    Attributes:
        due_s: when `poll` has to be called next.
    """

    def __init__(self, random: Random) -> None:
        self.due_s = math.inf
        self._random = random
        self._open: dict[str, _Query] = {}
        self._accounted: dict[str, dict[int, int]] = {}
        self._doubts: dict[tuple[str, int], bool] = {}
        self._incomplete: set[tuple[str, int]] = set()

    def want(self, source: str, due_s: float) -> None:
        """Have a source asked for its earlier epochs."""
        self._open[source] = _Query(due_s + self._random.uniform(0.0, 0.02))
        self._plan()

    def repeat_now(self, source: str, now_s: float) -> None:
        """Repeat the last question to a source at once."""
        if (query := self._open.get(source)) is not None:
            query.due_s = now_s
            self._plan()

    def poll(self, now_s: float) -> Iterator[tuple[str, int]]:
        """Yield the sources to ask now, and from which row on."""
        if now_s < self.due_s:
            return
        for source, query in self._open.items():
            if query.due_s <= now_s:
                wait_s = delay_after(query.tries, _RETRY_S, _LAST_RETRY_S)
                query.due_s = now_s + wait_s * self._random.uniform(0.75, 1.25)
                query.tries += 1
                yield source, query.row
        self._plan()

    def take(self, report: EpochsReport, now_s: float, all_taken: bool) -> None:
        """Note an answer; what could not be taken yet is asked for again later."""
        source = report.envelope.source
        query = self._open.get(source)
        if query is None or report.first != query.row:
            return
        self._note_ends(report.spans)
        query.row += len(report.spans)
        query.tries = 0
        query.due_s = now_s
        query.incomplete = query.incomplete or not all_taken
        if query.row >= report.total or not report.spans:
            del self._open[source]
            self._settle_ends(source)
            if query.incomplete:
                self.want(source, now_s + _FULL_S)
        self._plan()

    def account(self, source: str, epoch: int, last: int) -> None:
        """Note that an epoch is stored, or given up, up to sequence `last`."""
        accounted = self._accounted.setdefault(source, {})
        accounted[epoch] = last
        if len(accounted) > _MOST_KEPT:
            del accounted[next(iter(accounted))]

    def knows(self, source: str, epoch: int | None = None) -> bool:
        """Whether an epoch, or any, of a source is accounted for."""
        accounted = self._accounted.get(source, {})
        return bool(accounted) if epoch is None else epoch in accounted

    def missing(self, span: EpochSpan) -> tuple[int, int]:
        """Return the first sequence of an epoch that is not accounted for, and how many are not."""
        last = self._accounted.get(span.codifier, {}).get(span.epoch)
        first = span.first if last is None else (last + 1) & MASK
        return first, max(0, offset(span.next, first))

    # Ends of epochs

    def doubt_end(self, source: str, epoch: int, listed_only: bool, now_s: float) -> None:
        """Have a source asked whether an epoch that is over ended in order.

        An epoch that the resend log does not list did not, unless `listed_only`: the log may have
        dropped it.
        """
        self._doubts[source, epoch] = not listed_only
        self.want(source, now_s)

    def trust_end(self, source: str, epoch: int) -> None:
        """Forget the doubt: the epoch goes on."""
        self._doubts.pop((source, epoch), None)
        self._incomplete.discard((source, epoch))

    def take_incomplete(self, source: str, epoch: int, all_doubts: bool = False) -> bool:
        """Whether an epoch did not end in order, or, with `all_doubts`, may not have; once."""
        doubted = all_doubts and self._doubts.get((source, epoch), False)
        incomplete = doubted or (source, epoch) in self._incomplete
        if incomplete or all_doubts:
            self.trust_end(source, epoch)
        return incomplete

    def _note_ends(self, spans: Iterable[EpochSpan]) -> None:
        for span in spans:
            key = span.codifier, span.epoch
            if key in self._doubts:
                if span.complete:
                    del self._doubts[key]
                else:
                    self._doubts[key] = True

    def _settle_ends(self, source: str) -> None:
        for key in [key for key in self._doubts if key[0] == source]:
            if self._doubts.pop(key):
                self._incomplete.add(key)

    def _plan(self) -> None:
        self.due_s = min((each.due_s for each in self._open.values()), default=math.inf)
