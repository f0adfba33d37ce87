"""Energy from what a meter's index says: differences of it, in whole Wh. Pure.

An index is believed while it only rises, and no faster than the contract can draw. One that falls,
jumps, or was marked by the meter node is not: it is recorded as an event. Values that go on from
such a one show that the meter was exchanged or reset: they are believed from its first on, and
what was drawn between the last old value and the first new one is not known, and not guessed.

Between two believed values the index is interpolated (whole Wh, rounded down) where an hour ends:
hours, days and months add up to the last Wh, whatever was lost.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from collector.statistics.local_days import HOUR_MS, Hour, LocalDays
from jph.devices.tic.plausibility import CONFIRMATIONS, EXCESS, SLACK_WH

_MILLI: Final = 1000
LONGEST_MS: Final = 366 * 24 * HOUR_MS
"""Values further apart are not joined: a clock was never set, or nobody lived there."""
_LIMIT_PER_VA: Final = round(EXCESS * _MILLI)
"""Thousandths of a W that may be drawn for each VA of the contract."""


class Seen(NamedTuple):
    """An index, Wh, at a moment, ms since 1970."""

    at_ms: int
    wh: int

    def leads_to(self, later: "Seen", limit_va: int) -> bool:
        """Whether a contract of `limit_va` can have drawn the difference."""
        rise, time_ms = later.wh - self.wh, later.at_ms - self.at_ms
        drawn = _LIMIT_PER_VA * limit_va * time_ms // (HOUR_MS * _MILLI)
        return 0 <= rise <= int(SLACK_WH) + drawn


class Heard(NamedTuple):
    """What was stored of an index; `doubted` by the meter node itself."""

    at_ms: int
    wh: int
    doubted: bool = False


class Address(NamedTuple):
    """What was stored of the meter's own address."""

    at_ms: int
    text: str


class Event(NamedTuple):
    """Something about an index that people should know.

    `kind` is `fell`, `jumped` or `implausible` (the meter node said so) for a value that was not
    believed; `new index` for values that go on from such a one, believed from then on; `new meter`
    for another address; `long gap` for values more than LONGEST_MS apart.
    """

    at_ms: int
    kind: str
    from_wh: int | None
    to_wh: int | None
    meter: str = ""


class Step(NamedTuple):
    """Two believed values, one after the other."""

    start: Seen
    end: Seen


class Doubt(NamedTuple):
    """Values that were not believed, but lead from the first to the last."""

    first: Seen
    last: Seen
    times: int


class State(NamedTuple):
    """All that the past means for the future of an index."""

    believed: Seen | None = None
    doubt: Doubt | None = None
    address: str = ""


NOTHING: Final = State()


@dataclass
class Register:
    """Follow one index from one reading to the next.

    `events` gathers what is noticed, `doubted` when there were values that are not believed though
    the meter node did.
    """

    state: State = NOTHING
    events: list[Event] = field(default_factory=list)
    doubted: list[int] = field(default_factory=list)

    def follow(self, heard: Iterable[Heard | Address], limit_va: int) -> Iterator[Step]:
        """Yield the steps of readings in order of time; `limit_va` is the contract's power."""
        for each in heard:
            if isinstance(each, Address):
                self._meet(each)
            else:
                yield from self._hear(each, limit_va)

    def _meet(self, address: Address) -> None:
        state = self.state
        if not address.text or address.text == state.address:
            return
        if state.address:
            if state.believed:
                wh = state.believed.wh
                self.events.append(Event(address.at_ms, "new meter", wh, None, address.text))
            self.state = NOTHING
        self.state = self.state._replace(address=address.text)

    def _hear(self, heard: Heard, limit_va: int) -> Iterator[Step]:
        now, state = Seen(heard.at_ms, heard.wh), self.state
        old = state.believed
        if not heard.doubted and (old is None or old.leads_to(now, limit_va)):
            self.state = state._replace(believed=now, doubt=None)
            if old is not None and now.at_ms - old.at_ms <= LONGEST_MS:
                yield Step(old, now)
            elif old is not None:
                self.events.append(Event(now.at_ms, "long gap", old.wh, now.wh))
            return
        if not heard.doubted:
            self.doubted.append(now.at_ms)
        doubt = state.doubt
        if doubt is None or not doubt.last.leads_to(now, limit_va):
            self._doubt(heard, old)
            self.state = state._replace(doubt=Doubt(now, now, 1))
            return
        doubt = Doubt(doubt.first, now, doubt.times + 1)
        if doubt.times < CONFIRMATIONS or heard.doubted:
            self.state = state._replace(doubt=doubt)
            return
        from_wh = old.wh if old else None
        self.events.append(Event(doubt.first.at_ms, "new index", from_wh, doubt.first.wh))
        self.doubted = [at_ms for at_ms in self.doubted if at_ms < doubt.first.at_ms]
        self.state = state._replace(believed=now, doubt=None)
        yield Step(doubt.first, now)

    def _doubt(self, heard: Heard, old: Seen | None) -> None:
        if old is not None and heard.wh < old.wh:
            kind = "fell"
        elif heard.doubted:
            kind = "implausible"
        else:
            kind = "jumped"
        self.events.append(Event(heard.at_ms, kind, old.wh if old else None, heard.wh))


@dataclass
class Amount:
    """What is known of an index in an hour.

    `estimated` is the part of `wh` that was interpolated over more than an hour without a reading;
    `known_ms` the time between believed values; `index` the last one, or where the hour ends.
    """

    day: date
    wh: int = 0
    estimated: int = 0
    known_ms: int = 0
    index: int = 0

    @property
    def known_s(self) -> float:
        """`known_ms` in seconds."""
        return self.known_ms / 1000


class Hours:
    """Energy by the hour's end (ms): what steps are spread over."""

    def __init__(self, days: LocalDays, after_ms: int) -> None:
        self.after_ms = after_ms
        """Hours up to here are left out."""
        self.amounts: dict[int, Amount] = {}
        self._days = days
        self._hour = Hour(0, 0, date(1970, 1, 1))

    def add(self, step: Step) -> None:
        """Spread a step over the hours it touches."""
        (at_ms, wh), (end_ms, end_wh) = step
        if at_ms < self.after_ms:
            if end_ms <= self.after_ms:
                return
            at_ms, wh = self.after_ms, _between(step, self.after_ms)
        estimated = end_ms - step.start.at_ms > HOUR_MS
        while at_ms < end_ms:
            hour = self._at(at_ms + 1)
            edge_ms = min(hour.end_ms, end_ms)
            index = _between(step, edge_ms)
            self._put(hour, index - wh, edge_ms - at_ms, index, estimated=estimated)
            at_ms, wh = edge_ms, index
        if end_wh > wh:  # two values of one moment
            self._put(self._at(end_ms), end_wh - wh, 0, end_wh, estimated=False)

    def _at(self, at_ms: int) -> Hour:
        if not self._hour.start_ms < at_ms <= self._hour.end_ms:
            self._hour = self._days.hour_of(at_ms)
        return self._hour

    def _put(self, hour: Hour, wh: int, time_ms: int, index: int, *, estimated: bool) -> None:
        amount = self.amounts.get(hour.end_ms)
        if amount is None:
            amount = self.amounts[hour.end_ms] = Amount(hour.day)
        amount.wh += wh
        amount.estimated += wh if estimated else 0
        amount.known_ms += time_ms
        amount.index = index


def _between(step: Step, at_ms: int) -> int:
    """Return the index at a moment of a step."""
    (start_ms, start), (end_ms, end) = step
    if at_ms >= end_ms:
        return end
    return start + (end - start) * (at_ms - start_ms) // (end_ms - start_ms)
