"""Asking again for what did not come, until it is there or known to be lost. Pure.

A lone gap is asked within milliseconds. A source that keeps losing is asked for all its gaps
together, about twice a second, so that asking costs little beside what is repaired. Nothing is
asked of original programs (epoch 0), nor of an earlier start of a source that keeps no journal.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final, NamedTuple

from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.epochs import Census
from jph.retransmit.messages import Asked, Lives, Repair
from jph.retransmit.receive_window import LOOK_BACK, MASK, Stream
from jph.util.backoff import delay_after
from jph.wire.codec import Reading
from jph.wire.columns import Readings

Address = tuple[str, int]

_FIRST_ASK_S: Final = (0.002, 0.020)
"""Random, so that many receivers do not ask at once; and what is only late may come by itself."""
_RETRY_S: Final = 0.040
_LAST_RETRY_S: Final = 30.0
_LOOK_S: Final = 1.0
_MARKS_S: Final = 1.0
"""How long the marks of the past may take, before all that a new source keeps is asked for."""
_OVERDUE: Final = 8.0
"""A source silent for so many of its usual intervals may have lost its last readings."""
_TAIL_TRIES: Final = 10
_USELESS_TRIES: Final = 14
"""A source that answers, but never this: it was never sent."""
_REORDER_S: Final = 2.0
_OVERFLOW_S: Final = 60.0
_FORGET_S: Final = 60.0
_GIVE_UP_S: Final = 900.0
_MOST_STREAMS: Final = 16
_MOST_LISTED: Final = 8
"""Starts of a source that are asked for at once, of those its journal lists."""
_JUMP: Final = 100_000
"""From an original program, a jump beyond this is taken for a restart, not for a loss."""


class Ask(NamedTuple):
    """A request that is to be sent now.

    Attributes:
        row: if it is not negative, the earlier starts are asked for, from this row on.
    """

    source: str
    epoch: int
    ranges: tuple[Asked, ...]
    address: Address
    row: int = -1


class Repairer:
    """All that one receiver lacks.

    `past_s(source)` is for how long a source's journal keeps what it sent before a restart, s; 0
    for one without.

    Attributes:
        due_s: when `poll` wants to be called next.
        doubled: readings that came again and were dropped; repaired: those that came after asking.
    """

    def __init__(self, past_s: Callable[[str], float], random: Random | None = None) -> None:
        self.due_s = math.inf
        self.doubled = self.repaired = 0
        self._past_s = past_s
        self._random = random or Random()
        self._streams: dict[tuple[str, int], Stream] = {}
        self._of: dict[str, list[Stream]] = {}
        self._busy: dict[Stream, None] = {}
        self._holes: list[Gap] = []
        self._look_s = math.inf
        self._census = Census(self._random)
        self._overflow, self._overflow_s = 0, 0.0

    def take(
        self, readings: Sequence[Reading], address: Address, now_s: float, overflowed: int = 0
    ) -> Sequence[Reading]:
        """Take what came on the bus from `address`; return what is new.

        `overflowed` is how many datagrams our own kernel has dropped since the last call.
        """
        if overflowed:
            self._overflow, self._overflow_s = self._overflow + overflowed, now_s
        if type(readings) is Readings and self._follow(readings, address, now_s):
            return readings
        streams, fresh = self._streams, []
        for reading in readings:
            stream = streams.get((reading[4], reading[1]))
            if stream is not None and (reading[0] - stream.top) & MASK == 1:
                stream.top += 1
                stream.latest_ms = reading[2]
                fresh.append(reading)
            else:
                stream = self._of_reading(reading, stream, now_s)
                if self._place(stream, reading, now_s):
                    fresh.append(reading)
                else:
                    self.doubled += 1
            stream.heard_s = now_s
            stream.address = address
        return fresh

    def _follow(self, readings: Readings, address: Address, now_s: float) -> bool:
        """Take readings that are the next ones of their source; tell whether they are."""
        stream = self._streams.get((readings.source, readings.epoch))
        if stream is None or (readings.sequences[0] - stream.top) & MASK != 1:
            return False
        stream.top += len(readings)
        stream.latest_ms = readings[-1].timestamp_ms
        stream.heard_s, stream.address = now_s, address
        return True

    def take_again(self, readings: Iterable[Reading], now_s: float) -> list[Reading]:
        """Take what came because we asked; return what is new."""
        fresh = []
        touched: dict[Stream, tuple[object, ...]] = {}
        for reading in readings:
            stream = self._streams.get((reading.source, reading.epoch))
            if stream is None:
                continue
            touched.setdefault(stream, stream.lacks())
            backwards = stream.position(reading.sequence) <= stream.lowest - LOOK_BACK
            if self._place(stream, reading, now_s):
                self.repaired += 1
                fresh.append(reading)
            else:
                self.doubled += 1
            if backwards and stream.floor is None:
                stream.floor = stream.lowest
        for stream, lacked in touched.items():
            self._progress(stream, now_s, stream.lacks() != lacked)
        return fresh

    def told(self, letter: Repair, now_s: float) -> None:
        """Take a source's answer: what is gone, and where it ends."""
        stream = self._streams.get((letter.source, letter.wanted_epoch or letter.epoch))
        if stream is None:
            return
        lacked = stream.lacks()
        for first, count in letter.ranges:
            position = stream.position(first)
            if count:
                self._holes += stream.gone(position, position + count)
            else:
                stream.ends(position, now_s)
        self._progress(stream, now_s, stream.lacks() != lacked)

    def lived(self, letter: Lives, address: Address, now_s: float) -> None:
        """Take a journal's list of earlier starts; want what is not accounted for."""
        seen = {
            life.codifier: position  # the oldest start that was heard or marked
            for position, life in enumerate(letter.lives)
            if self._heard(life.codifier, life.epoch)
        }
        all_taken = True
        for position, life in enumerate(letter.lives):
            source, (first, count) = life.codifier, self._census.lacks(life)
            if (source, life.epoch) in self._streams or not count or not self._past_s(source):
                continue
            if len(self._of.get(source, ())) >= _MOST_LISTED:
                all_taken = False
                continue
            known = self._heard(source) and position <= seen.get(source, position)
            stream = self._begin(source, life.epoch, first, now_s)
            stream.want_past(count, known, address, now_s)
            self._wake(stream, now_s)
        self._census.told(letter, now_s, all_taken)
        self.due_s = min(self.due_s, self._census.due_s)

    def _heard(self, source: str, epoch: int | None = None) -> bool:
        """Whether a start, or any, of a source was heard or marked before."""
        streams = (s for s in self._of.get(source, ()) if epoch in (None, s.epoch))
        return self._census.knows(source, epoch) or any(not s.listed for s in streams)

    def resume(self, marks: Iterable[Checkpoint], now_s: float) -> None:
        """Want what is missing behind these marks."""
        marks = list(marks)
        newest = {mark.source: mark for mark in sorted(marks, key=lambda mark: mark.last_ms)}
        for mark in marks:
            self._census.account(mark.source, mark.epoch, mark.last)
            stream = self._streams.get((mark.source, mark.epoch))
            older = mark.last_ms < newest[mark.source].last_ms
            if older and not mark.missing and stream is None:
                continue
            before: float = math.inf
            if stream is None:
                stream = self._begin(mark.source, mark.epoch, mark.last, now_s)
                stream.latest_ms, stream.resumed = mark.last_ms, True
                stream.floor = stream.lowest
                others = [other for other in self._of[mark.source] if other is not stream]
                if any(not other.resumed for other in others):
                    stream.superseded_s = now_s  # the source has started anew meanwhile
            else:
                before = stream.lowest if stream.floor is None else stream.floor
                stream.reconcile(mark)
            stream.look_back = False
            for first, count in mark.missing:
                position = stream.position(first)
                end = int(min(position + count, before))
                stream.miss(position, end, 0, mark.last_ms, now_s)
            for other in self._of[mark.source]:
                other.claimed = 0
            self._wake(stream, now_s)

    def poll(self, now_s: float) -> list[Ask]:
        """Return what is to be asked now."""
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_S
            for stream in list(self._streams.values()):
                self._look(stream, now_s)
        due = [stream for stream in self._busy if stream.due_s <= now_s]
        asks = [ask for stream in due if (ask := self._ask(stream, now_s)) is not None]
        for source, row in self._census.poll(now_s):
            if (address := self._address_of(source)) is not None:
                asks.append(Ask(source, 0, (), address, row))
        self.due_s = min(
            [self._look_s, self._census.due_s, *(stream.due_s for stream in self._busy)]
        )
        return asks

    def holes(self) -> list[Gap]:
        """Return what was given up since the last call."""
        holes, self._holes = self._holes, []
        return holes

    def wanted(self) -> int:
        """Return how many readings are missing and may still come."""
        return sum(stream.wanted.total for stream in self._streams.values())

    def knows(self, source: str) -> bool:
        """Whether anything of a source was heard, or marked, before."""
        return source in self._of

    def lowest_wanted(self, source: str, epoch: int) -> int | None:
        """Return the oldest sequence that may still come, or None."""
        stream = self._streams.get((source, epoch))
        return stream.wanted.first & MASK if stream is not None and stream.wanted else None

    # Streams

    def _of_reading(self, reading: Reading, stream: Stream | None, now_s: float) -> Stream:
        """Return the stream of a reading; a new one if the source has started anew."""
        announces = reading.flag == "n"
        if stream is not None and reading.epoch == 0:
            jump = abs(stream.position(reading.sequence) - stream.top)
            if jump > _JUMP or (announces and jump):
                self._drop(stream)
                stream = None
        if stream is None:
            known = self._heard(reading.source)
            stream = self._begin(reading.source, reading.epoch, reading.sequence, now_s)
            stream.top -= 1  # so that the first reading is the next one
            stream.claimed = 0 if known else stream.lowest
            stream.floor = stream.lowest if announces or reading.epoch == 0 else None
            stream.look_back = stream.floor is None
            for other in self._of[reading.source]:
                if other is not stream and other.superseded_s < 0:
                    other.superseded_s = now_s
                    if not self._past_s(other.source):
                        self._rest(other)
            if reading.epoch and self._past_s(reading.source):
                self._census.want(reading.source, now_s + (0.0 if known else _MARKS_S))
                self.due_s = min(self.due_s, self._census.due_s)
            if stream.look_back:
                self._wake(stream, now_s, 0.0 if known else _MARKS_S)
        return stream

    def _begin(self, source: str, epoch: int, sequence: int, now_s: float) -> Stream:
        stream = Stream(source, epoch, sequence, now_s)
        self._streams[source, epoch] = stream
        others = self._of.setdefault(source, [])
        others.append(stream)
        if len(others) > _MOST_STREAMS:
            self._drop(others[0])
        if self._look_s == math.inf:
            self._look_s = now_s + _LOOK_S
            self.due_s = min(self.due_s, self._look_s)
        return stream

    def _drop(self, stream: Stream) -> None:
        """Forget a stream; what it still lacks is lost."""
        cause = Cause.SOURCE_GONE if stream.epoch else Cause.NETWORK
        self._holes += stream.give_up(0, stream.top + 1, cause)
        if stream.epoch:
            self._census.account(stream.source, stream.epoch, stream.top & MASK)
        self._streams.pop((stream.source, stream.epoch), None)
        self._of[stream.source].remove(stream)
        self._busy.pop(stream, None)

    def _place(self, stream: Stream, reading: Reading, now_s: float) -> bool:
        top, lowest = stream.top, stream.lowest
        overflow = self._overflow > 0 and now_s - self._overflow_s < _OVERFLOW_S
        fresh = stream.place(reading.sequence, reading.timestamp_ms, now_s, overflow)
        if reading.flag == "n" and stream.epoch:
            stream.begins(stream.position(reading.sequence))
            stream.look_back = False
        if (missing := stream.top - top - 1) > 0:
            self._overflow = max(0, self._overflow - missing)
            stream.tries = 0
            self._wake(stream, now_s)
        elif stream.lowest < lowest:
            self._wake(stream, now_s)
        if stream in self._busy and not stream.needs():
            self._rest(stream)
        return fresh

    # Asking

    def _wake(self, stream: Stream, now_s: float, wait_s: float = 0.0) -> None:
        """Have a stream asked soon, if it needs anything and can be asked."""
        if stream.needs() and self._answerable(stream):
            soon_s = now_s + wait_s + self._random.uniform(*_FIRST_ASK_S)
            self._busy[stream] = None
            stream.due_s = min(stream.due_s, max(soon_s, stream.allowance.free_s))
            self.due_s = min(self.due_s, stream.due_s)

    def _answerable(self, stream: Stream) -> bool:
        """Whether its source can still have what it sent."""
        return stream.epoch > 0 and (stream.superseded_s < 0 or self._past_s(stream.source) > 0)

    def _rest(self, stream: Stream) -> None:
        self._busy.pop(stream, None)
        stream.due_s, stream.tries = math.inf, 0

    def _progress(self, stream: Stream, now_s: float, useful: bool) -> None:
        """Take note of an answer: the source is alive, and may be asked for more."""
        stream.signed_s = now_s
        if not useful:
            return
        stream.tries = 0
        stream.look_back = stream.look_back and stream.floor is None
        if not stream.needs() or not self._answerable(stream):
            self._rest(stream)
            return
        self._busy[stream] = None
        if stream.chunk_done():
            stream.due_s = now_s
            stream.allowance.give_back()  # the next part of the same request
        else:
            stream.due_s = max(now_s + _RETRY_S, stream.allowance.free_s)
        self.due_s = min(self.due_s, stream.due_s)

    def _ask(self, stream: Stream, now_s: float) -> Ask | None:
        address = stream.address
        if stream.ended or address is None:
            address = self._address_of(stream.source)
        stream.tries += 1
        if stream.tail and stream.tries > _TAIL_TRIES and not stream.ended:
            stream.tail = False
        if not stream.needs():
            self._rest(stream)
            return None
        stream.allowance.spend(now_s)
        retry_s = delay_after(stream.tries - 1, _RETRY_S, _LAST_RETRY_S)
        retry_s *= self._random.uniform(0.75, 1.25)
        stream.due_s = max(now_s + retry_s, stream.allowance.free_s)
        if address is None:
            return None
        return Ask(stream.source, stream.epoch, stream.ask(), address)

    def _address_of(self, source: str) -> Address | None:
        """Return where a source was heard last."""
        streams = sorted(self._of.get(source, ()), key=lambda stream: stream.heard_s, reverse=True)
        return next((stream.address for stream in streams if stream.address), None)

    # Once a second

    def _look(self, stream: Stream, now_s: float) -> None:
        """See whether a source is overdue, has started anew, or is to be given up."""
        for start, end in stream.too_many():
            self._holes += stream.give_up(start, end, Cause.NETWORK)
        if stream.epoch == 0:
            for start, end in stream.overdue_ranges(now_s - _REORDER_S):
                self._holes += stream.give_up(start, end, Cause.NETWORK)
        elif stream.superseded_s >= 0:
            self._look_at_past(stream, now_s)
        else:
            self._look_at_tail(stream, now_s)
        if stream.wanted and now_s - self._sign_s(stream) > self._patience_s(stream):
            self._holes += stream.give_up(0, stream.top + 1, Cause.SOURCE_GONE)
        elif stream.tries > _USELESS_TRIES and now_s - stream.signed_s < _FORGET_S:
            self._holes += stream.give_up(0, stream.asked_end, Cause.GONE)
            stream.look_back = False

    def _look_at_tail(self, stream: Stream, now_s: float) -> None:
        """Ask whether anything came after the last, when the source is silent for long."""
        looked_s, looked_top = stream.looked
        if stream.top > looked_top and stream.heard_s > looked_s:
            interval_s = (stream.heard_s - looked_s) / (stream.top - looked_top)
            stream.interval_s = max(interval_s, 0.75 * stream.interval_s)
            stream.looked = (stream.heard_s, stream.top)
        silent_s = now_s - stream.heard_s
        if stream.address is None or stream.probed_s == stream.heard_s:
            return
        stream.tail = silent_s > max(_LOOK_S, _OVERDUE * stream.interval_s)
        if stream.tail:
            stream.probed_s = stream.heard_s
            stream.tries = 0
            self._wake(stream, now_s)

    def _look_at_past(self, stream: Stream, now_s: float) -> None:
        """Get from an earlier start what its journal keeps, or give it up."""
        if now_s - stream.superseded_s < _REORDER_S:
            return
        if not stream.ended and stream.heard_s > stream.superseded_s + _REORDER_S / 2:
            stream.superseded_s = -1.0  # it lives: two programs share the codifier
            self._wake(stream, now_s)
        elif not stream.ended:
            stream.ended, stream.look_back = True, False
            if self._past_s(stream.source):
                stream.tail, stream.tries = True, 0
                self._wake(stream, now_s)
                return
            self._holes += stream.give_up(0, stream.top + 1, Cause.SOURCE_GONE)
            if stream.resumed or (stream.floor is None and not stream.claimed):
                self._holes.append(stream.unknown())
            self._rest(stream)
        elif not stream.needs() and now_s - stream.superseded_s > _FORGET_S:
            self._drop(stream)

    def _sign_s(self, stream: Stream) -> float:
        """Return when anything of the source was heard last."""
        return max(max(each.heard_s, each.signed_s) for each in self._of[stream.source])

    def _patience_s(self, stream: Stream) -> float:
        return max(_GIVE_UP_S, self._past_s(stream.source))
