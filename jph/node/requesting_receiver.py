"""The receiver of a node that must not lose readings: it requests what is missing."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Sequence

from jph.errors import DecodeError
from jph.net.batches import Address, Batches, Receive, keep_on_link, prepare
from jph.net.channel import Channel
from jph.node.outbox import now_ms
from jph.node.receiver import Deliver, Log, Receiver, Refusals
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
from jph.wire.codec import Reading, decode_batch, decode_data


class RequestingReceiver(Receiver):
    """Delivers each reading once, and requests the missing ones from a socket of its own.

    `log_s(source)` is for how long a source's resend log keeps what it sent before a restart, s.

    Attributes:
        asked: requests sent; asked_bytes: their size.
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
        self._codifier, self._epoch = codifier, epoch
        self._on_gaps = on_gaps
        self._overflowed = 0
        self._socket: socket.socket | None = None
        self._batches = Batches(socket.AF_INET)
        self._opened_for: Channel | None = None
        self._opened: Receive = self._hear

    def start(self) -> None:
        """Open the private socket, which needs no network yet."""
        family = socket.AF_INET6 if ":" in self.channel.endpoint.address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._batches = Batches(family)
        prepare(self._socket)
        keep_on_link(self._socket, self.channel.ttl)
        self._socket.bind(("", 0))
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._batches.read, self._socket, self._open)
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

    def _open(self, batch: memoryview, size: int, sender: Address) -> None:
        """Take a batch as the present channel has it: a reload may begin or end the seal."""
        if self._opened_for is not self.channel:
            self._opened_for, self._opened = self.channel, self.channel.incoming(self._hear)
        self._opened(batch, size, sender)

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
        for each in self.channel.outgoing((datagram,)):
            self._batches.send((self._socket,), (each,), (ask.address,))

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
