"""Handles unicast requests to a node: retransmissions and fault injection."""

import os
import socket
import time
from collections.abc import Callable, Container
from typing import Final

from jph.config.model import Sensor
from jph.errors import DecodeError
from jph.net.batches import is_on_link
from jph.net.bus import Address, Bus
from jph.node.outbox import now_ms
from jph.node.receiver import Log, Receiver, Refusals
from jph.node.sender import Sender
from jph.retransmit.legacy import (
    LegacyEpochs,
    LegacyMessage,
    decode_legacy,
    encode_legacy,
    is_legacy,
    requested_by,
)
from jph.retransmit.messages import (
    Challenge,
    Envelope,
    EpochsReport,
    EpochsRequest,
    Faults,
    ResendRequest,
    UnicastMessage,
    decode_unicast,
    encode_unicast,
)
from jph.retransmit.responder import Origin, Ticket, Where
from jph.wire.codec import Control, decode_batch
from jph.wire.edits import DocumentEdit, decode_edit, is_edit

_PROBE_S: Final = 1.0
"""One address is probed at most once in this time."""
_MOST_PROBES: Final = 8


class UnicastService:
    """Answers requests for a node's readings, and lets a console inject faults.

    Attributes:
        sender: what the node sends and resends.
        elements: codifiers that the node sends beside its own.
        edited: takes edits of the node's document; None if it has none.
    """

    def __init__(
        self, entry: Sensor, refusals: Refusals, log: Log, replaced: Callable[[], None]
    ) -> None:
        self.sender = Sender(entry, log, self._answer)
        self.elements: Container[str] = ()
        self._codifier = entry.codifier
        self._refusals = refusals
        self._bus: Bus | None = None
        self._receiver: Receiver | None = None
        self._drill = False
        self._replaced = replaced
        self._probes: dict[str, tuple[int, float]] = {}
        self.edited: Callable[[DocumentEdit], None] | None = None

    def listen(self, bus: Bus, receiver: Receiver | None, drill: bool) -> None:
        """Take what arrives at the sending sockets of `bus`.

        `receiver` is where faults are injected, if the config allows it with `drill`.
        """
        self._bus, self._receiver, self._drill = bus, receiver, drill
        bus.listen_to_unicast(self._receive)

    def resend(self, message: Control, sender: Address) -> None:
        """Take the plain request of the control bus; one to every node names no source."""
        if not self._sends(message.to):
            return
        try:
            ranges = (requested_by(message.number),)
        except DecodeError as error:
            self._refusals.by(sender)(error)
            return
        origin = Origin((None, sender), message.source, message.to, 0, legacy=True, plain=True)
        self.sender.ask(origin, ranges)

    def probe(self, address: Address) -> None:
        """Ask a program that announces our codifier for a sign at its address.

        An announcement alone may be forged; only an instance that answers replaces this one.
        """
        now_s = time.monotonic()
        host = address[0]
        before = self._probes.pop(host, None)
        if self._bus is None or (before is not None and now_s - before[1] < _PROBE_S):
            if before is not None:
                self._probes[host] = before
            return
        request_id = int.from_bytes(os.urandom(4), "big") or 1
        self._probes[host] = (request_id, now_s)
        if len(self._probes) > _MOST_PROBES:
            del self._probes[next(iter(self._probes))]
        head = (self.sender.epoch, now_ms(), self._codifier, self._codifier)
        probes = [
            encode_unicast(EpochsRequest(Envelope(*head, request_id), 0)),
            encode_legacy(LegacyEpochs(*head, request_id)),  # its answer repeats the row
        ]
        self._bus.control.answer(probes, address)

    def _answers_probe(self, message: LegacyMessage | UnicastMessage, sender: Address) -> bool:
        """Whether a message answers a probe: the successor is at its address."""
        if (probe := self._probes.get(sender[0])) is None:
            return False
        if isinstance(message, Challenge | EpochsReport):
            return message.envelope.request_id == probe[0]
        return isinstance(message, LegacyEpochs) and message.first == probe[0]

    def _receive(self, via: socket.socket, batch: memoryview, size: int, sender: Address) -> None:
        for message in decode_batch(_decode_request, batch, size, self._refusals.by(sender)):
            if isinstance(message, DocumentEdit):
                if message.to == self._codifier and self.edited is not None:
                    self.edited(message)
            elif self._answers_probe(message, sender):
                del self._probes[sender[0]]
                self._replaced()
            elif isinstance(message, LegacyMessage):
                self._take_legacy(message, (via, sender))
            elif isinstance(message, ResendRequest | EpochsRequest):
                self._take_request(message, (via, sender))
            elif isinstance(message, Faults):
                self._inject(message, via, sender)

    def _sends(self, codifier: str) -> bool:
        return codifier == self._codifier or codifier in self.elements

    def _take_legacy(self, message: LegacyMessage, where: Where) -> None:
        if not self._sends(message.to):
            return
        if isinstance(message, LegacyEpochs):
            origin = Origin(where, message.source, message.to, 0, legacy=True, epochs=True)
            self.sender.ask(origin, [(message.first, 0)])
            return
        origin = Origin(
            *(where, message.source, message.to, message.wanted_epoch),
            legacy=True,
            plain=message.plain,
        )
        self.sender.ask(origin, message.ranges)

    def _take_request(self, message: ResendRequest | EpochsRequest, where: Where) -> None:
        envelope = message.envelope
        if not self._sends(envelope.to):
            return
        epochs = isinstance(message, EpochsRequest)
        epoch = 0 if isinstance(message, EpochsRequest) else message.wanted_epoch
        origin = Origin(where, envelope.source, envelope.to, epoch, epochs=epochs)
        responder = self.sender.responder
        if not responder.proves(origin, envelope.request_id, envelope.cookie, time.monotonic()):
            return
        if isinstance(message, EpochsRequest):
            self.sender.ask(origin, [(message.first, 0)], Ticket(envelope.request_id))
        else:
            self.sender.ask(origin, message.ranges, Ticket(envelope.request_id, message.clip))

    def _answer(self, origin: Origin, datagrams: list[bytes]) -> None:
        via, address = origin.where
        if self._bus is not None:
            self._bus.data.answer(datagrams, address, via)

    def _inject(self, faults: Faults, via: socket.socket, sender: Address) -> None:
        """Begin fault injection, and acknowledge the order.

        The config must allow it, the sender must be on a network of this machine, and the order
        must name this epoch of the node.
        """
        envelope = faults.envelope
        if envelope.to != self._codifier or faults.wanted_epoch != self.sender.epoch:
            return
        if not self._drill or not is_on_link(sender):
            error = DecodeError("drill", "an order to inject faults that the config does not allow")
            self._refusals.by(sender)(error)
            return
        hears = self._receiver is not None
        if self._receiver is not None:
            self._receiver.inject(faults)
        answer = envelope._replace(source=self._codifier, to=envelope.source)
        assert self._bus is not None
        acknowledged = faults._replace(envelope=answer, hears=hears)
        self._bus.control.answer([encode_unicast(acknowledged)], sender, via)


def _decode_request(datagram: memoryview) -> LegacyMessage | UnicastMessage | DocumentEdit:
    if is_edit(datagram):
        return decode_edit(datagram)
    return decode_legacy(datagram) if is_legacy(datagram) else decode_unicast(datagram)
