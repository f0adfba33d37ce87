"""The two buses of a sealed house: datagrams are closed when they leave and opened on arrival."""

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import NamedTuple

from jph.config.model import Multicast
from jph.errors import DecodeError
from jph.net.bus import Address, Bus, ReceiveUnicast
from jph.net.channel import Channel, Receive
from jph.net.membership import Log
from jph.seal.frame import Bus as Side
from jph.seal.opener import Ask, Refused
from jph.seal.seal import Seal
from jph.seal.words import sentence
from jph.wire.codec import EVERY_NODE
from jph.wire.columns import Block

Refuse = Callable[[Address], Callable[[DecodeError], None]]


class Arrival(NamedTuple):
    """Circumstances of a datagram: who takes it, from where it came, and through which socket."""

    take: Callable[[memoryview, int, Address], None]
    channel: Channel
    sender: Address
    via: socket.socket | None


class SealedChannel(Channel):
    """A channel whose datagrams are sealed."""

    side: Side
    seal: Seal

    def send(self, datagram: bytes) -> bool:
        """Send one datagram, sealed."""
        return bool(self.send_many([datagram]))

    def send_many(self, datagrams: Sequence[bytes]) -> int:
        """Send datagrams, sealed; return how many left: all or none."""
        left = super().send_many(self._frames(self.side, datagrams))
        return len(datagrams) if left else 0

    def send_blocks(self, blocks: Sequence[Block]) -> bool:
        """Send the datagrams of blocks, sealed; return whether they left."""
        datagrams = [each for block in blocks for each in block.datagrams()]
        return bool(self.send_many(datagrams)) or not datagrams

    def answer(
        self, datagrams: Sequence[bytes], to: Address, via: socket.socket | None = None
    ) -> None:
        """Send datagrams to one address, sealed."""
        self.pass_on(self._frames(Side.UNICAST, datagrams), to, via)

    def pass_on(
        self, frames: Sequence[bytes], to: Address, via: socket.socket | None = None
    ) -> None:
        """Send frames to one address as they are."""
        super().answer(frames, to, via)

    def say(self, frame: bytes) -> None:
        """Send a frame to the group as it is."""
        super().send_many([frame])

    def _frames(self, side: Side, datagrams: Sequence[bytes]) -> list[bytes]:
        frames = self.seal.closed(side, datagrams, clock_ms())
        return [*datagrams, *frames] if self.seal.mode == "watch" else frames


class SealedBus(Bus):
    """Control and data channel of a sealed house."""

    control: SealedChannel
    data: SealedChannel
    channel_type = SealedChannel

    def __init__(
        self, multicast: Multicast, host: str, log: Log, seal: Seal, refuse: Refuse
    ) -> None:
        super().__init__(multicast, host, log)
        self.seal = seal
        self._refuse = refuse
        self._sender: Address = ("", 0)
        for channel, side in ((self.control, Side.CONTROL), (self.data, Side.DATA)):
            channel.side, channel.seal = side, seal
        seal.opener.on_refused = self._count

    def listen(self, channel: Channel, receive: Receive) -> None:
        """Pass what arrives on `channel` and may be accepted to `receive`."""
        side = Side.CONTROL if channel is self.control else Side.DATA

        def take(batch: memoryview, size: int, sender: Address) -> None:
            self._open(side, batch, size, Arrival(receive, channel, sender, None))

        super().listen(channel, take)

    def listen_to_unicast(self, receive: ReceiveUnicast) -> None:
        """Pass what arrives by unicast and may be accepted to `receive`."""

        def take(via: socket.socket, batch: memoryview, size: int, sender: Address) -> None:
            arrival = Arrival(partial(receive, via), self.data, sender, via)
            self._open(Side.UNICAST, batch, size, arrival)

        super().listen_to_unicast(take)

    async def start(self, joined: Callable[[], None]) -> None:
        """Open the bus as soon as there is a network; introduce this start to all."""

        def introduce() -> None:
            self.control.say(self.seal.hello(Side.CONTROL, Ask(EVERY_NODE), clock_ms()))
            joined()

        await super().start(introduce)

    def _open(self, side: Side, batch: memoryview, size: int, arrival: Arrival) -> None:
        self._sender = arrival.sender
        for start in range(0, len(batch), size or 1):
            datagram = bytes(batch[start : start + size])
            outcome = self.seal.opened(side, datagram, arrival, clock_ms())
            for released in outcome.released:
                _deliver(released.context, released.messages)
            for ask in outcome.asks:
                frame = self.seal.hello(Side.UNICAST, ask, clock_ms())
                channel = self.control if arrival.channel is self.control else self.data
                channel.pass_on([frame], arrival.sender, arrival.via)

    def _count(self, refused: Refused) -> None:
        self._refuse(self._sender)(DecodeError(str(refused.cause), sentence(refused)))


def _deliver(arrival: Arrival, messages: Sequence[bytes]) -> None:
    """Pass on messages, those of equal size together."""
    for size, group in groupby(messages, len):
        arrival.take(memoryview(b"".join(group)), size, arrival.sender)


def clock_ms() -> int:
    """Return the time since an arbitrary moment, ms; it is never stepped."""
    return time.monotonic_ns() // 1_000_000
