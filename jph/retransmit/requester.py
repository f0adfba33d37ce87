"""The requesting half: asks sources again for what is missing until it arrives or is lost. Pure.

A lone gap is requested within milliseconds. A source that keeps losing is asked for all its gaps
together, about twice a second, so that requests cost little beside what they bring. An original
program (epoch 0) is never asked, nor is an earlier epoch of a source without a resend log.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random, SystemRandom
from typing import Final, NamedTuple

from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.epochs import EpochDiscovery
from jph.retransmit.messages import EpochsReport
from jph.retransmit.peers import Address, Outstanding, Peers
from jph.retransmit.ranges import Interval
from jph.retransmit.receive_window import Placed, ReceiveWindow
from jph.retransmit.schedule import Activity, RequestTimer
from jph.wire.codec import Reading
from jph.wire.columns import Readings
from jph.wire.sequence import MASK

_LARGE: Final = 65_000
"""A larger reading may be resent without an envelope, bytes."""
_LOOK_S: Final = 1.0
_CHECKPOINTS_S: Final = 1.0
"""Wait for the checkpoints of a store, before all that a new source keeps is asked for."""
_TAIL_TRIES: Final = 10
_USELESS_TRIES: Final = 14
"""A source that answers, but never this, never sent it."""
_OWN_TRIES: Final = 3
"""Requests to the address that an epoch was heard from, before its source is asked elsewhere."""
_REORDER_S: Final = 2.0
_OVERFLOW_S: Final = 60.0
_FORGET_S: Final = 60.0
_GIVE_UP_S: Final = 900.0
_MOST_WINDOWS: Final = 16
"""Windows of one source."""
_MOST_LISTED: Final = 8
"""Windows of one source while epochs of its resend log are added."""


class Ask(NamedTuple):
    """A request that has to be sent now.

    Attributes:
        ranges: sequences; clip: interval of sequences that the answer may speak of.
        row: if it is not negative, the earlier epochs are asked for, from this row on.
        legacy: whether the source only understands the forms of 0.1.0.
    """

    source: str
    epoch: int
    ranges: tuple[Interval, ...]
    address: Address
    row: int = -1
    clip: Interval = (0, 0)
    request_id: int = 0
    cookie: int = 0
    legacy: bool = False


class _Subscription(NamedTuple):
    """One epoch of one source: its window, its request timer and its activity."""

    window: ReceiveWindow
    timer: RequestTimer
    activity: Activity


class Requester:
    """All that one receiver misses.

    `log_s(source)` is for how long a source's resend log keeps what it sent before a restart, s; 0
    for a source without one.

    Attributes:
        due_s: when `poll` has to be called next.
        duplicates: readings that arrived again and were dropped; repaired: those that arrived on
            request; suspects: those whose sequence was too far ahead to be believed.
    """

    def __init__(self, log_s: Callable[[str], float], random: Random | None = None) -> None:
        self.due_s = math.inf
        self.duplicates = self.repaired = self.suspects = 0
        self._log_s = log_s
        self._random = random or SystemRandom()
        self._epochs: dict[tuple[str, int], _Subscription] = {}
        self._of: dict[str, list[_Subscription]] = {}
        self._busy: dict[tuple[str, int], _Subscription] = {}
        self._gaps: list[Gap] = []
        self._look_s = math.inf
        self._discovery = EpochDiscovery(self._random)
        self._peers = Peers(self._random)
        self._overflow, self._overflow_s = 0, 0.0

    # What arrives

    def take(
        self, readings: Sequence[Reading], address: Address, now_s: float, overflowed: int = 0
    ) -> Sequence[Reading]:
        """Take readings of the bus from `address`; return the new ones.

        `overflowed` counts the datagrams that our own kernel dropped since the last call.
        """
        if overflowed:
            self._overflow, self._overflow_s = self._overflow + overflowed, now_s
        if type(readings) is Readings and self._follow(readings, address, now_s):
            return readings
        epochs, fresh = self._epochs, []
        heard: dict[tuple[str, int], _Subscription] = {}
        for reading in readings:
            key = reading[4], reading[1]
            known = epochs.get(key)
            if known is not None and known[0].follow(reading[0], reading[2]):
                fresh.append(reading)
            else:
                known = self._epoch_of(reading, known, now_s)
                if self._place(known, reading, now_s):
                    fresh.append(reading)
            heard[key] = known
        for known in heard.values():
            known.activity.hear(address, now_s)
        return fresh

    def _follow(self, readings: Readings, address: Address, now_s: float) -> bool:
        """Take readings that are the next ones of their source; return whether they are."""
        known = self._epochs.get((readings.source, readings.epoch))
        if known is None or not known.window.is_next(readings.sequences[0]):
            return False
        known.window.advance(len(readings), readings[-1].timestamp_ms)
        known.activity.hear(address, now_s)
        return True

    def take_resent(
        self, readings: Iterable[Reading], address: Address, now_s: float, request_id: int = 0
    ) -> list[Reading]:
        """Take readings that answer a request; return the new ones.

        Only what the request asked for counts. Legacy answers have the id 0, as has a reading that
        is too large for an envelope.
        """
        fresh = []
        touched: dict[tuple[str, int], tuple[object, ...]] = {}
        for reading in readings:
            key = reading.source, reading.epoch
            large = not request_id and _payload_size(reading) > _LARGE
            wanted_id = self._peers.newest(key) if large else request_id
            asked = self._peers.outstanding(wanted_id, address, key)
            known = self._epochs.get(key)
            if asked is None or known is None or asked.request is None:
                continue
            window = known.window
            touched.setdefault(key, window.missing_state())
            placed = window.place_resent(
                reading.sequence, reading.timestamp_ms, now_s, asked.request.clip
            )
            if placed is Placed.NEW:
                self.repaired += 1
                fresh.append(reading)
                self._note_announcement(known, reading)
            else:
                self.duplicates += 1
        for key, before in touched.items():
            known = self._epochs[key]
            self._progress(known, now_s, known.window.missing_state() != before)
        return fresh

    def take_report(
        self,
        source: str,
        epoch: int,
        ranges: Iterable[Interval],
        address: Address,
        now_s: float,
        request_id: int = 0,
    ) -> None:
        """Take a source's report: what is lost, and its next sequence."""
        known = self._epochs.get((source, epoch))
        asked = self._peers.outstanding(request_id, address, (source, epoch))
        if known is None or asked is None or asked.request is None:
            return
        window, running = known.window, known.activity.superseded_s < 0
        before = window.missing_state()
        for first, count in ranges:
            if count:
                self._gaps += window.lose(first, count, asked.request, now_s)
            else:
                window.learn_next(first, asked.request, running, now_s)
        self._progress(known, now_s, window.missing_state() != before)

    def take_challenge(self, request_id: int, cookie: int, address: Address, now_s: float) -> None:
        """Take the proof of our address, and repeat the request that was challenged."""
        asked = self._peers.challenged(request_id, cookie, address)
        if asked is None:
            return
        if asked.request is None:
            self._discovery.repeat_now(asked.source, now_s)
            self.due_s = min(self.due_s, self._discovery.due_s)
        elif (known := self._epochs.get((asked.source, asked.epoch))) is not None:
            known.timer.repeat_now(now_s)
            self._busy[asked.source, asked.epoch] = known
            self.due_s = min(self.due_s, now_s)

    def take_epochs(
        self, report: EpochsReport, address: Address, now_s: float, request_id: int = 0
    ) -> None:
        """Take a resend log's list of earlier epochs; want what is not accounted for."""
        source = report.envelope.source
        if self._peers.outstanding(request_id, address, (source, 0)) is None:
            return
        seen = {
            span.codifier: row  # the oldest epoch that was heard or has a checkpoint
            for row, span in enumerate(report.spans)
            if self._is_known(span.codifier, span.epoch)
        }
        all_taken = True
        for row, span in enumerate(report.spans):
            code, (first, count) = span.codifier, self._discovery.missing(span)
            if (code, span.epoch) in self._epochs or not count or not self._log_s(code):
                continue
            if len(self._of.get(code, ())) >= _MOST_LISTED:
                all_taken = False
                continue
            source_known = self._is_known(code) and row <= seen.get(code, row)
            window = ReceiveWindow.from_log(code, span.epoch, first, count, source_known, now_s)
            known = self._add(window, now_s)
            known.activity.hear(address, now_s)
            known.activity.supersede(now_s)
            self._wake(known, now_s)
        self._discovery.take(report, now_s, all_taken)
        self.due_s = min(self.due_s, self._discovery.due_s)

    def resume(self, checkpoints: Iterable[Checkpoint], now_s: float) -> None:
        """Want what is missing after these checkpoints."""
        checkpoints = list(checkpoints)
        by_age = sorted(checkpoints, key=lambda checkpoint: checkpoint.last_ms)
        newest = {checkpoint.source: checkpoint for checkpoint in by_age}
        ended = {(checkpoint.source, checkpoint.epoch) for checkpoint in _ended(by_age)}
        for checkpoint in checkpoints:
            source, epoch = checkpoint.source, checkpoint.epoch
            self._discovery.account(source, epoch, checkpoint.last)
            known = self._epochs.get((source, epoch))
            age_ms = newest[source].last_ms - checkpoint.last_ms
            ends = (source, epoch) in ended
            if ends and not self._log_s(source):
                self._gaps.append(ReceiveWindow.from_checkpoint(checkpoint, now_s).unknown_end())
            looked_at = ends and age_ms < 1000 * self._log_s(source)
            if age_ms > 0 and not checkpoint.missing and not looked_at and known is None:
                continue
            if known is None:
                known = self._add(ReceiveWindow.from_checkpoint(checkpoint, now_s), now_s)
                others = [other for other in self._of[source] if other is not known]
                if looked_at or any(not other.window.resumed for other in others):
                    known.activity.supersede(now_s)  # the source has restarted meanwhile
            else:
                known.window.resume(checkpoint, now_s)
            for other in self._of[source]:
                other.window.know_past()
            self._wake(known, now_s)

    def was_asked(self, host: str) -> bool:
        """Whether anything was asked of a host."""
        return self._peers.was_asked(host)

    def heard_from(self, address: Address, request_id: int, now_s: float) -> None:
        """Note in which form an address answers."""
        self._peers.answered(request_id, address, now_s)

    # What leaves

    def poll(self, now_s: float) -> list[Ask]:
        """Return what has to be asked now."""
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_S
            for known in list(self._epochs.values()):
                self._look(known, now_s)
        due = [known for known in self._busy.values() if known.timer.due_s <= now_s]
        asks = [ask for known in due if (ask := self._ask(known, now_s)) is not None]
        for source, row in self._discovery.poll(now_s):
            if (address := self._address_of(source)) is not None:
                asked = Outstanding(source, 0, address[0], None)
                request_id, cookie, legacy = self._peers.ask(asked, address, now_s)
                asks.append(Ask(source, 0, (), address, row, (0, 0), request_id, cookie, legacy))
        timers = (known.timer.due_s for known in self._busy.values())
        self.due_s = min([self._look_s, self._discovery.due_s, *timers])
        return asks

    def gaps(self) -> list[Gap]:
        """Return what was given up since the last call."""
        gaps, self._gaps = self._gaps, []
        return gaps

    # Epochs

    def _is_known(self, source: str, epoch: int | None = None) -> bool:
        """Whether an epoch, or any, of a source was heard or has a checkpoint."""
        windows = (each.window for each in self._of.get(source, ()))
        heard = any(not w.listed for w in windows if epoch in (None, w.epoch))
        return heard or self._discovery.knows(source, epoch)

    def _epoch_of(
        self, reading: Reading, known: _Subscription | None, now_s: float
    ) -> _Subscription:
        """Return the epoch of a reading; a new one if the source has restarted."""
        announces = reading.flag == "n"
        if known is not None and known.window.restarts(reading.sequence, announces):
            self._drop(known)
            known = None
        if known is not None:
            return known
        source = reading.source
        source_known = self._is_known(source)
        window = ReceiveWindow.from_reading(
            source, reading.epoch, reading.sequence, announces, source_known
        )
        known = self._add(window, now_s)
        for other in self._of[source]:
            if other is not known and other.activity.superseded_s < 0:
                other.activity.supersede(now_s)
                if not self._log_s(source):
                    self._rest(other)
        wait_s = 0.0 if source_known else _CHECKPOINTS_S
        if reading.epoch and self._log_s(source):
            self._discovery.want(source, now_s + wait_s)
            self.due_s = min(self.due_s, self._discovery.due_s)
        if window.look_back:
            self._wake(known, now_s, wait_s)
        return known

    def _add(self, window: ReceiveWindow, now_s: float) -> _Subscription:
        known = _Subscription(window, RequestTimer(), Activity(now_s, window.top))
        self._epochs[window.source, window.epoch] = known
        others = self._of.setdefault(window.source, [])
        others.append(known)
        if len(others) > _MOST_WINDOWS:
            self._drop(others[0])
        if self._look_s == math.inf:
            self._look_s = now_s + _LOOK_S
            self.due_s = min(self.due_s, self._look_s)
        return known

    def _drop(self, known: _Subscription) -> None:
        """Forget an epoch; what is still wanted of it is lost."""
        window = known.window
        key = window.source, window.epoch
        self._gaps += window.give_up_all(Cause.SOURCE_GONE if window.epoch else Cause.NETWORK)
        self._note_end(window, all_doubts=True)
        if window.epoch:
            self._discovery.account(window.source, window.epoch, window.top & MASK)
        self._epochs.pop(key, None)
        self._of[window.source].remove(known)
        self._busy.pop(key, None)

    def _place(self, known: _Subscription, reading: Reading, now_s: float) -> bool:
        """Place a reading of the bus; return whether it is new."""
        window = known.window
        top, lowest = window.top, window.lowest
        overflow = self._overflow > 0 and now_s - self._overflow_s < _OVERFLOW_S
        placed = window.place(reading.sequence, reading.timestamp_ms, now_s, overflow)
        self.duplicates += placed is Placed.DUPLICATE
        self.suspects += placed is Placed.SUSPECT
        if placed is Placed.SUSPECT:  # the source itself knows how much it has sent
            window.ask_tail(True)
            self._wake(known, now_s)
            return False
        self._note_announcement(known, reading)
        if (missing := window.top - top - 1) > 0:
            self._overflow = max(0, self._overflow - missing)
            known.timer.restart()
            self._wake(known, now_s)
        elif window.lowest < lowest:
            self._wake(known, now_s)
        if not window.needs():
            self._rest(known)
        return placed is Placed.NEW

    def _note_announcement(self, known: _Subscription, reading: Reading) -> None:
        if reading.flag == "n" and known.window.epoch:
            known.window.announce(reading.sequence)

    # Requests

    def _wake(self, known: _Subscription, now_s: float, wait_s: float = 0.0) -> None:
        """Have an epoch requested soon, if it needs anything and can be asked."""
        if known.window.needs() and self._answerable(known):
            known.timer.start(now_s + wait_s, self._random)
            self._busy[known.window.source, known.window.epoch] = known
            self.due_s = min(self.due_s, known.timer.due_s)

    def _answerable(self, known: _Subscription) -> bool:
        """Whether the source can still have what it sent."""
        running = known.activity.superseded_s < 0
        return known.window.epoch > 0 and (running or self._log_s(known.window.source) > 0)

    def _rest(self, known: _Subscription) -> None:
        if self._busy.pop((known.window.source, known.window.epoch), None) is not None:
            known.timer.stop()

    def _progress(self, known: _Subscription, now_s: float, useful: bool) -> None:
        """Note an answer: the source is alive, and may be asked for more."""
        window = known.window
        known.activity.answer(now_s)
        if not useful:
            return
        known.timer.restart()
        if window.floor is not None:
            window.stop_looking_back()
        if not window.needs() or not self._answerable(known):
            self._rest(known)
            return
        self._busy[window.source, window.epoch] = known
        known.timer.answered(now_s, window.chunk_done())
        self.due_s = min(self.due_s, known.timer.due_s)

    def _ask(self, known: _Subscription, now_s: float) -> Ask | None:
        window, address = known.window, known.activity.address
        tries = known.timer.count_try()
        # An epoch that seems over may go on at its own address, beside a later one.
        if address is None or (known.activity.ended and tries > _OWN_TRIES and tries % 2 == 0):
            address = self._address_of(window.source)
        if tries > _TAIL_TRIES and not known.activity.ended:
            window.ask_tail(False)
        if not window.needs():
            self._rest(known)
            return None
        known.timer.sent(now_s, self._random)
        if address is None:
            return None
        request = window.request()
        clip = request.clip[0] & MASK, request.clip[1] - request.clip[0]
        asked = Outstanding(window.source, window.epoch, address[0], request)
        request_id, cookie, legacy = self._peers.ask(asked, address, now_s)
        return Ask(
            window.source,
            window.epoch,
            request.ranges,
            address,
            clip=clip,
            request_id=request_id,
            cookie=cookie,
            legacy=legacy,
        )

    def _address_of(self, source: str) -> Address | None:
        """Return where a source was heard last."""
        heard = sorted(self._of.get(source, ()), key=lambda known: -known.activity.heard_s)
        return next((known.activity.address for known in heard if known.activity.address), None)

    # Once a second

    def _look(self, known: _Subscription, now_s: float) -> None:
        """See whether a source is overdue, has restarted, or has to be given up."""
        window, activity = known.window, known.activity
        self._gaps += window.give_up_excess()
        if window.epoch == 0:
            self._gaps += window.give_up_late(now_s - _REORDER_S)
        elif activity.superseded_s >= 0:
            self._look_at_past(known, now_s)
        else:
            self._look_at_tail(known, now_s)
        if window.wanted and now_s - self._sign_s(window.source) > self._patience_s(window.source):
            self._gaps += window.give_up_all(Cause.SOURCE_GONE)
        elif known.timer.tries > _USELESS_TRIES and now_s - activity.answered_s < _FORGET_S:
            self._gaps += window.give_up_asked()

    def _look_at_tail(self, known: _Subscription, now_s: float) -> None:
        """Ask for the next sequence when the source is silent for long."""
        if known.activity.overdue(known.window.top, now_s):
            known.window.ask_tail(True)
            known.timer.restart()
            self._wake(known, now_s)

    def _look_at_past(self, known: _Subscription, now_s: float) -> None:
        """Get from an earlier epoch what the source's resend log keeps, or give it up."""
        window, activity = known.window, known.activity
        since_s = activity.superseded_s
        if now_s - since_s < _REORDER_S:
            return
        activity.measure(window.top)
        if activity.heard_s > since_s + _REORDER_S / 2:
            activity.revive()
            self._discovery.trust_end(window.source, window.epoch)
            self._wake(known, now_s)
        elif not activity.ended:
            if self._log_s(window.source) or activity.silent(now_s):
                self._end(known, now_s)
        elif not window.needs():
            self._note_end(window)
            if now_s - since_s > _FORGET_S:
                self._drop(known)

    def _end(self, known: _Subscription, now_s: float) -> None:
        """Take an epoch for over: ask its source's resend log for the end, or give it up."""
        window = known.window
        known.activity.end()
        window.stop_looking_back()
        if self._log_s(window.source):
            window.ask_tail(True)
            known.timer.restart()
            self._wake(known, now_s)
            self._discovery.doubt_end(window.source, window.epoch, window.resumed, now_s)
            return
        self._gaps += window.give_up_all(Cause.SOURCE_GONE)
        self._gaps.append(window.unknown_end())
        self._rest(known)

    def _note_end(self, window: ReceiveWindow, all_doubts: bool = False) -> None:
        """Note a gap of unknown size if the resend log does not have the epoch's last reading."""
        incomplete = self._discovery.take_incomplete(window.source, window.epoch, all_doubts)
        if incomplete and window.joined <= window.top:
            self._gaps.append(window.unknown_end())

    def _sign_s(self, source: str) -> float:
        """Return when the source gave its last sign."""
        return max(known.activity.sign_s for known in self._of[source])

    def _patience_s(self, source: str) -> float:
        return max(_GIVE_UP_S, self._log_s(source))


def _ended(by_age: Iterable[Checkpoint]) -> Iterable[Checkpoint]:
    """Return the newest checkpoint of each source but the last: its end was not heard.

    A receiver that was killed may not have stored the gap at that end.
    """
    newest: dict[str, Checkpoint] = {}
    ended: dict[str, Checkpoint] = {}
    for checkpoint in by_age:
        if (before := newest.get(checkpoint.source)) is not None and before.epoch:
            ended[checkpoint.source] = before
        newest[checkpoint.source] = checkpoint
    return ended.values()


def _payload_size(reading: Reading) -> int:
    return len(reading.value.encode()) if isinstance(reading.value, str) else 8
