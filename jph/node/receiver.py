"""The receiving half of a node's data bus: each reading once; what is missing is requested."""

import asyncio
import logging
import math
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from jph.errors import DecodeError
from jph.net.batches import Address, Batches, keep_on_link, prepare
from jph.net.channel import Channel
from jph.net.fault_injection import FaultInjector
from jph.node.outbox import now_ms
from jph.retransmit import Checkpoint, Gap
from jph.retransmit.legacy import (
    LegacyEpochs,
    LegacyMessage,
    LegacyRanges,
    decode_legacy,
    encode_legacy,
    is_legacy,
)
from jph.retransmit.messages import (
    Challenge,
    Envelope,
    EpochsReport,
    EpochsRequest,
    Faults,
    ResendReport,
    ResendRequest,
    ResentReadings,
    UnicastMessage,
    decode_unicast,
    encode_unicast,
    is_unicast,
    unpack_readings,
)
from jph.retransmit.requester import Ask, Requester
from jph.util.logs import Throttle
from jph.wire.codec import Reading, decode_batch, decode_data
from jph.wire.columns import decode_readings
from jph.wire.sequence import SequenceTable

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
Deliver = Callable[[Sequence[Reading], Address], None]

_Item = tuple[bytes, Address, bool]
"""A datagram during fault injection: its sender, and whether it was resent."""


class Refusals:
    """Counts datagrams that are not ours, and logs them once a minute for each sender."""

    def __init__(self, log: Log) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log
        self._throttle = Throttle()

    def by(self, sender: Address) -> Callable[[DecodeError], None]:
        """Return a function that takes the error of a datagram of `sender`."""

        def refuse(error: DecodeError) -> None:
            self.counts[error.reason] += 1
            if self._throttle.allow(sender[0], time.monotonic()):  # the host, whatever port
                told = (*sender, error, self.tally())
                self._log.warning("refused a datagram from %s port %s: %s (so far: %s)", *told)

        return refuse

    def tally(self) -> str:
        """Return the counts by reason, as text."""
        return ", ".join(f"{reason} {count}" for reason, count in sorted(self.counts.items()))


class Receiver:
    """Takes readings from the data bus, through injected faults if there are any.

    Attributes:
        channel: the data bus; another one after a reload.
        sequences: what arrived and what is missing, per source.
    """

    def __init__(self, channel: Channel, deliver: Deliver, refusals: Refusals, log: Log) -> None:
        self.channel = channel
        self.sequences = SequenceTable()
        self._deliver = deliver
        self._refusals = refusals
        self._log = log
        self._injector: FaultInjector[_Item] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, batch: memoryview, size: int, sender: Address) -> None:
        """Take a batch from the bus."""
        if self._injector is not None:
            self._disturb(batch, size, sender, resent=False)
            return
        if len(batch) == size:  # a single datagram takes the shortest way
            try:
                reading = decode_data(batch)
            except DecodeError as error:
                self._refusals.by(sender)(error)
            else:
                self._take([reading], sender)
            return
        self._take(decode_readings(batch, size, self._refusals.by(sender)), sender)

    def start(self) -> None:
        """Start."""

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()

    def inject(self, faults: Faults) -> None:
        """Begin fault injection; a repeated order changes nothing."""
        if self._injector is not None:
            if self._injector.faults == faults:
                return  # repeated because our answer was lost
            self._end_injection(self._injector)
        self._injector = FaultInjector(faults, time.monotonic())
        self._log.warning(
            "drill for %g s, seed %s: loss %g %%, duplicate %g %%, reorder %g %%, delay %g ms",
            faults.seconds,
            faults.seed,
            100 * faults.loss,
            100 * faults.duplicate,
            100 * faults.reorder,
            1000 * faults.delay_s,
        )
        self._plan()

    def _take(self, readings: Sequence[Reading], sender: Address) -> None:
        self.sequences.take(readings)
        if readings:
            self._deliver(readings, sender)

    def _take_answer(self, batch: memoryview | bytes, size: int, sender: Address) -> None:
        """Take a batch of answers to requests; this receiver requests nothing."""

    def _disturb(self, batch: memoryview, size: int, sender: Address, resent: bool) -> None:
        assert self._injector is not None
        starts = range(0, len(batch) or 1, size or 1)
        items = [(bytes(batch[start : start + size]), sender, resent) for start in starts]
        self._arrive(self._injector.pass_through(items, time.monotonic()))
        self._plan()

    def _arrive(self, items: Iterable[_Item]) -> None:
        for datagram, sender, resent in items:
            if resent:
                self._take_answer(datagram, len(datagram), sender)
            else:
                refuse = self._refusals.by(sender)
                self._take(decode_readings(datagram, len(datagram), refuse), sender)

    def _end_injection(self, injector: FaultInjector[_Item]) -> None:
        self._injector = None
        self._log.warning("the drill is over: %s", injector)
        self._arrive(injector.release(math.inf))

    # Time

    def _due_s(self) -> float:
        return self._injector.due_s if self._injector is not None else math.inf

    def _plan(self) -> None:
        """Have `_tick` called when something is due."""
        due_s = self._due_s()
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
            self._timer = None
        if due_s < math.inf:
            self._timer = asyncio.get_running_loop().call_at(due_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now_s = time.monotonic()
        if (injector := self._injector) is not None:
            if injector.over(now_s):
                self._end_injection(injector)
            else:
                self._arrive(injector.release(now_s))
        self._plan()


class RequestingReceiver(Receiver):
    """Delivers each reading once, and requests the missing ones from a socket of its own.

    `log_s(source)` is for how long a source's resend log keeps what it sent before a restart, s.

    Attributes:
        asked: requests sent; asked_bytes: their size.
        requested: whether the readings that are delivered now were requested.
    """

    def __init__(
        self,
        channel: Channel,
        deliver: Deliver,
        refusals: Refusals,
        log: Log,
        codifier: str,
        epoch: int,
        on_gaps: Callable[[list[Gap]], None],
        log_s: Callable[[str], float],
    ) -> None:
        super().__init__(channel, deliver, refusals, log)
        self.asked = self.asked_bytes = 0
        self.requester = Requester(log_s)
        self.requested = False
        self._codifier, self._epoch = codifier, epoch
        self._on_gaps = on_gaps
        self._overflowed = 0
        self._socket: socket.socket | None = None
        self._batches = Batches(socket.AF_INET)

    def start(self) -> None:
        """Open the private socket, which needs no network yet."""
        family = socket.AF_INET6 if ":" in self.channel.endpoint.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._batches = Batches(family)
        prepare(self._socket)
        keep_on_link(self._socket, self.channel.ttl)
        self._socket.bind(("", 0))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._batches.read, self._socket, self._hear)
        self._plan()

    def close(self) -> None:
        """Close the private socket."""
        super().close()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def resume(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Request what is missing after these checkpoints."""
        self.requester.resume(checkpoints, time.monotonic())
        if self._socket is not None:
            self._plan()

    def _hear(self, batch: memoryview, size: int, sender: Address) -> None:
        if not self.requester.was_asked(sender[0]):
            error = DecodeError("unasked", "an answer from an address that was not asked")
            self._refusals.by(sender)(error)
        elif self._injector is not None:
            self._disturb(batch, size, sender, resent=True)
        else:
            self._take_answer(batch, size, sender)

    def _take(self, readings: Sequence[Reading], sender: Address) -> None:
        self.sequences.take(readings)
        overflowed, self._overflowed = self._overflowed, self.channel.overflowed
        now_s = time.monotonic()
        grown = max(0, self._overflowed - overflowed)
        fresh = self.requester.take(readings, sender, now_s, grown)
        self._hand_on(fresh, sender)

    def _take_answer(self, batch: memoryview | bytes, size: int, sender: Address) -> None:
        """Take answers: resent readings, and reports."""
        now_s = time.monotonic()
        resent: dict[int, list[Reading]] = {}
        refuse = self._refusals.by(sender)
        for message in decode_batch(_decode_answer, batch, size, refuse):
            if isinstance(message, Reading):
                resent.setdefault(0, []).append(message)
            elif isinstance(message, LegacyMessage):
                self._take_legacy(message, sender, now_s)
            elif isinstance(message, ResentReadings):
                found = resent.setdefault(message.envelope.request_id, [])
                found += _readings_of(message, refuse)
            else:
                self._take_report(message, sender, now_s)
        fresh: list[Reading] = []
        for request_id, readings in resent.items():
            self.requester.heard_from(sender, request_id, now_s)
            fresh += self.requester.take_resent(readings, sender, now_s, request_id)
        for reading in fresh:
            known = self.sequences.sources.get(reading.source)
            if known is not None and known.epoch == reading.epoch:
                known.observe(reading.sequence, reading.epoch, announces=False)
        self.requested = True
        try:
            self._hand_on(fresh, sender)
        finally:
            self.requested = False

    def _take_legacy(self, message: LegacyMessage, sender: Address, now_s: float) -> None:
        self.requester.heard_from(sender, 0, now_s)
        if isinstance(message, LegacyRanges):
            epoch = message.wanted_epoch or message.epoch
            self.requester.take_report(message.source, epoch, message.ranges, sender, now_s)
        else:
            self.requester.take_epochs(_report_of(message), sender, now_s)

    def _take_report(self, message: UnicastMessage, sender: Address, now_s: float) -> None:
        envelope = message.envelope
        request_id = envelope.request_id
        self.requester.heard_from(sender, request_id, now_s)
        if isinstance(message, Challenge):
            self.requester.take_challenge(request_id, envelope.cookie, sender, now_s)
        elif isinstance(message, ResendReport):
            epoch, ranges = message.wanted_epoch, message.ranges
            self.requester.take_report(envelope.source, epoch, ranges, sender, now_s, request_id)
        elif isinstance(message, EpochsReport):
            self.requester.take_epochs(message, sender, now_s, request_id)

    def _hand_on(self, fresh: Sequence[Reading], sender: Address) -> None:
        if fresh:
            self._deliver(fresh, sender)
        self._report_gaps()
        self._plan()

    def _report_gaps(self) -> None:
        if gaps := self.requester.gaps():
            self._on_gaps(gaps)

    def _due_s(self) -> float:
        return min(super()._due_s(), self.requester.due_s)

    def _tick(self) -> None:
        for ask in self.requester.poll(time.monotonic()):
            self._ask(ask)
        self._report_gaps()
        super()._tick()

    def _ask(self, ask: Ask) -> None:
        if self._socket is None or (self._injector is not None and self._injector.loses()):
            return
        datagram = self._legacy_request(ask) if ask.legacy else self._request(ask)
        self.asked += 1
        self.asked_bytes += len(datagram)
        self._batches.send((self._socket,), (datagram,), (ask.address,))

    def _request(self, ask: Ask) -> bytes:
        envelope = Envelope(
            *(self._epoch, now_ms(), self._codifier, ask.source, ask.request_id, ask.cookie)
        )
        if ask.row >= 0:
            return encode_unicast(EpochsRequest(envelope, ask.row))
        return encode_unicast(ResendRequest(envelope, ask.epoch, ask.clip, ask.ranges))

    def _legacy_request(self, ask: Ask) -> bytes:
        head = (self._epoch, now_ms(), self._codifier, ask.source)
        if ask.row >= 0:
            return encode_legacy(LegacyEpochs(*head, ask.row))
        return encode_legacy(LegacyRanges(*head, ask.ranges, ask.epoch))


def _decode_answer(datagram: memoryview) -> Reading | LegacyMessage | UnicastMessage:
    if is_unicast(datagram):
        return decode_unicast(datagram)
    return decode_legacy(datagram) if is_legacy(datagram) else decode_data(datagram)


def _readings_of(message: ResentReadings, refuse: Callable[[DecodeError], None]) -> list[Reading]:
    """Return the readings of an answer; from a damaged one on, none."""
    readings: list[Reading] = []
    try:
        readings.extend(decode_data(each) for each in unpack_readings(message.joined))
    except DecodeError as error:
        refuse(error)
    return readings


def _report_of(message: LegacyEpochs) -> EpochsReport:
    envelope = Envelope(message.epoch, message.timestamp_ms, message.source, message.to)
    return EpochsReport(envelope, message.first, message.total, message.spans)
