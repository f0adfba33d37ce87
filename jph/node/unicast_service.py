"""The post of a node: letters to its sending sockets, and what it answers."""

import socket
from collections.abc import Container

from jph.config.model import Sensor
from jph.errors import DecodeError
from jph.net.bus import Address, Bus
from jph.node.receiver import Log, Receiver, Refusals
from jph.node.sender import Sender
from jph.retransmit.messages import Drill, Lives, Repair, asked_by, decode_letter, encode_letter
from jph.retransmit.responder import Asker, Where
from jph.wire.codec import Control, decode_batch


class Post:
    """Takes requests for readings of one node, and orders to drill it.

    Attributes:
        sender: what the node sends, and sends again.
        elements: codifiers that the node sends beside its own.
    """

    def __init__(self, entry: Sensor, refusals: Refusals, log: Log) -> None:
        self.sender = Sender(entry, log, self._answer)
        self.elements: Container[str] = ()
        self._codifier = entry.codifier
        self._refusals = refusals
        self._bus: Bus | None = None
        self._receiver: Receiver | None = None

    def listen(self, bus: Bus, receiver: Receiver | None) -> None:
        """Take what comes to the sockets of `bus`; `receiver` is what a drill is for."""
        self._bus, self._receiver = bus, receiver
        bus.listen_to_letters(self._receive)

    def send_again(self, message: Control, sender: Address) -> None:
        """Take the plain request that any program may make on the control bus."""
        try:
            ranges = (asked_by(message.number),)
        except DecodeError as error:
            self._refusals.by(sender)(error)
            return
        letter = Repair(
            message.epoch, message.timestamp_ms, message.source, message.to, ranges, plain=True
        )
        self._repeat(letter, (None, sender))

    def _receive(self, via: socket.socket, batch: memoryview, size: int, sender: Address) -> None:
        for letter in decode_batch(decode_letter, batch, size, self._refusals.by(sender)):
            if isinstance(letter, Repair | Lives):
                self._repeat(letter, (via, sender))
            elif letter.to == self._codifier:
                self._drill(letter, via, sender)

    def _repeat(self, letter: Repair | Lives, where: Where) -> None:
        if letter.to == self._codifier or letter.to in self.elements:
            self.sender.ask(where, letter)

    def _answer(self, asker: Asker, datagrams: list[bytes]) -> None:
        via, address = asker.where
        if self._bus is not None:
            self._bus.data.answer(datagrams, address, via)

    def _drill(self, letter: Drill, via: socket.socket, sender: Address) -> None:
        """Begin a drill, and tell who asked that it was heard."""
        hears = self._receiver is not None
        if self._receiver is not None:
            self._receiver.begin_drill(letter)
        heard = letter._replace(source=self._codifier, to=letter.source, hears=hears)
        assert self._bus is not None
        self._bus.control.answer([encode_letter(heard)], sender, via)
