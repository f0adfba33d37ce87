"""Energy as differences of a meter's index, in whole Wh. Pure.

An index value is accepted while it only rises, and no faster than the contract can draw. A value
that falls, jumps, or was marked by the meter node is rejected and recorded as an event. Values that
continue from a rejected one show that the meter was exchanged or reset: they are accepted from the
first of them on, and the energy between the last old and the first new value is unknown and not
guessed. If the old index comes back afterwards, the values between were a fault: the whole
difference counts, none of it is lost.

Another address means another meter once it is confirmed: heard twice, or not contradicted for half
an hour. Until then the values wait.

Between two accepted values the index is interpolated (whole Wh, rounded down) where an hour ends:
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
"""Values further apart are not joined: the clock was never set, or the house was empty."""
_LIMIT_PER_VA: Final = round(EXCESS * _MILLI)
"""Thousandths of a W that may be drawn for each VA of the contract, for an hour."""
_LASTING_PER_VA: Final = 1200
"""The same for longer: no breaker lets a fifth more than the contract pass for hours."""
_CONFIRMED_MS: Final = HOUR_MS // 2
"""A new address that is not contradicted for this time is another meter."""
_MOST_WAITING: Final = 5000
"""Values that wait for an address to be confirmed; then it counts as confirmed."""


class Seen(NamedTuple):
    """An index, Wh, at a moment, ms since 1970."""

    at_ms: int
    wh: int

    def leads_to(self, later: "Seen", limit_va: int) -> bool:
        """Return whether a contract of `limit_va` can have drawn the difference."""
        rise, time_ms = later.wh - self.wh, later.at_ms - self.at_ms
        short_ms = min(time_ms, HOUR_MS)
        allowed = _LIMIT_PER_VA * short_ms + _LASTING_PER_VA * (time_ms - short_ms)
        return 0 <= rise <= int(SLACK_WH) + allowed * limit_va // (HOUR_MS * _MILLI)


class Heard(NamedTuple):
    """A stored index value; `doubted` if the meter node marked it."""

    at_ms: int
    wh: int
    doubted: bool = False


class Address(NamedTuple):
    """A stored value of the meter's own address."""

    at_ms: int
    text: str


class Event(NamedTuple):
    """A fact about an index for the user.

    `kind` is `fell`, `jumped` or `implausible` (marked by the meter node) for a rejected value;
    `new index` for values that continue from such a one and are accepted from then on; `came back`
    for the old index after a new one; `new meter` for another address; `long gap` for values more
    than LONGEST_MS apart.
    """

    at_ms: int
    kind: str
    from_wh: int | None
    to_wh: int | None
    meter: str = ""


class Step(NamedTuple):
    """Two consecutive accepted values; `estimated` if the time of the energy is a guess."""

    start: Seen
    end: Seen
    estimated: bool = False


class Doubt(NamedTuple):
    """Rejected values that continue from the first to the last."""

    first: Seen
    last: Seen
    times: int


class Left(NamedTuple):
    """The last value before a `new index`, and the energy (Wh) counted since in the new one."""

    last: Seen
    counted: int = 0


class State(NamedTuple):
    """Everything the past means for the future of an index.

    `waiting` are the values since another address was heard at `pending`, not confirmed yet.
    """

    believed: Seen | None = None
    doubt: Doubt | None = None
    address: str = ""
    left: Left | None = None
    pending: Address | None = None
    waiting: tuple[Heard, ...] = ()


NOTHING: Final = State()


@dataclass
class Register:
    """Follow one index from one reading to the next.

    `events` collects events, `doubted` the times of values that are rejected though the meter node
    did not mark them.
    """

    state: State = NOTHING
    events: list[Event] = field(default_factory=list)
    doubted: list[int] = field(default_factory=list)

    def follow(self, heard: Iterable[Heard | Address], limit_va: int) -> Iterator[Step]:
        """Yield the steps of readings in order of time; `limit_va` is the contract's power."""
        for each in heard:
            if isinstance(each, Address):
                yield from self._meet(each, limit_va)
            else:
                yield from self._take(each, limit_va)

    def _meet(self, address: Address, limit_va: int) -> Iterator[Step]:
        state = self.state
        if not address.text:
            return
        if not state.address:
            self.state = state._replace(address=address.text)
        elif address.text == state.address:
            yield from self._contradict(limit_va)
        elif state.pending and state.pending.text == address.text:
            yield from self._exchange(limit_va)
        else:
            yield from self._contradict(limit_va)
            self.state = self.state._replace(pending=address)

    def _take(self, heard: Heard, limit_va: int) -> Iterator[Step]:
        pending = self.state.pending
        if pending is None:
            yield from self._hear(heard, limit_va)
            return
        self.state = self.state._replace(waiting=(*self.state.waiting, heard))
        long = heard.at_ms - pending.at_ms >= _CONFIRMED_MS
        if long or len(self.state.waiting) > _MOST_WAITING:
            yield from self._exchange(limit_va)

    def _contradict(self, limit_va: int) -> Iterator[Step]:
        """Go on with the same meter: the other address was a fault."""
        waiting = self.state.waiting
        self.state = self.state._replace(pending=None, waiting=())
        for each in waiting:
            yield from self._hear(each, limit_va)

    def _exchange(self, limit_va: int) -> Iterator[Step]:
        """Start with another meter, from the time its address was first heard."""
        pending, waiting, old = self.state.pending, self.state.waiting, self.state.believed
        if pending is None:
            return
        if old:
            event = Event(pending.at_ms, "new meter", old.wh, None, pending.text)
            self.events.append(event)
        self.state = NOTHING._replace(address=pending.text)
        for each in waiting:
            yield from self._hear(each, limit_va)

    def _hear(self, heard: Heard, limit_va: int) -> Iterator[Step]:
        now, state = Seen(heard.at_ms, heard.wh), self.state
        old, doubt = state.believed, state.doubt
        plausible = old is None or old.leads_to(now, limit_va)
        if old and doubt and doubt.first.wh >= old.wh and doubt.last.leads_to(now, limit_va):
            # time has made the difference plausible, but not the jump that this value confirms
            plausible = plausible and old.leads_to(doubt.first, limit_va)
        if plausible and not heard.doubted:
            yield from self._accept(now)
            return
        if not heard.doubted:
            self.doubted.append(now.at_ms)
        if doubt is None or not doubt.last.leads_to(now, limit_va):
            self._doubt(heard, old)
            self.state = state._replace(doubt=Doubt(now, now, 1))
            return
        doubt = Doubt(doubt.first, now, doubt.times + 1)
        if doubt.times < CONFIRMATIONS or heard.doubted:
            self.state = state._replace(doubt=doubt)
            return
        yield from self._change(doubt, limit_va)

    def _accept(self, now: Seen) -> Iterator[Step]:
        old, left = self.state.believed, self.state.left
        if old is not None and left is not None:
            left = Left(left.last, left.counted + now.wh - old.wh)
        self.state = self.state._replace(believed=now, doubt=None, left=left)
        if old is None:
            return
        if now.at_ms - old.at_ms <= LONGEST_MS:
            yield Step(old, now)
        else:
            self.events.append(Event(now.at_ms, "long gap", old.wh, now.wh))

    def _change(self, doubt: Doubt, limit_va: int) -> Iterator[Step]:
        """Accept the values of a doubt: a new index, or the one before it that came back."""
        old, left = self.state.believed, self.state.left
        first, now = doubt.first, doubt.last
        self.doubted = [at_ms for at_ms in self.doubted if at_ms < first.at_ms]
        rest = first.wh - left.last.wh - left.counted if left else -1
        came_back = left is not None and left.last.leads_to(first, limit_va) and rest >= 0
        kind = "came back" if came_back else "new index"
        self.events.append(Event(first.at_ms, kind, old.wh if old else None, first.wh))
        if came_back and left is not None and old is not None:
            # what the wrong index counted is part of the difference already
            yield Step(Seen(old.at_ms, first.wh - rest), first, estimated=True)
            left = None
        elif old is not None:
            left = Left(old, now.wh - first.wh)
        self.state = self.state._replace(believed=now, doubt=None, left=left)
        yield Step(first, now)

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
    """The energy of an index in one hour.

    `estimated` is the part of `wh` that was interpolated over more than an hour; `known_ms` the
    time between accepted values; `index` the last one, or where the hour ends.
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
    """Spreads steps over hours; `amounts` has the energy by the end of the hour (ms)."""

    def __init__(self, days: LocalDays, after_ms: int) -> None:
        self.after_ms = after_ms
        """Hours up to this time are left out."""
        self.amounts: dict[int, Amount] = {}
        self._days = days
        self._hour = Hour(0, 0, date(1970, 1, 1))

    def add(self, step: Step) -> None:
        """Spread a step over the hours it touches."""
        (at_ms, wh), (end_ms, end_wh) = step.start, step.end
        if at_ms < self.after_ms:
            if end_ms <= self.after_ms:
                return
            at_ms, wh = self.after_ms, _between(step, self.after_ms)
        estimated = step.estimated or end_ms - step.start.at_ms > HOUR_MS
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
    (start_ms, start), (end_ms, end) = step.start, step.end
    if at_ms >= end_ms:
        return end
    return start + (end - start) * (at_ms - start_ms) // (end_ms - start_ms)
