"""The two buses of a sealed house: datagrams are closed when they leave and opened on arrival."""

import asyncio
import ipaddress
import itertools
import math
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Final, NamedTuple, cast

import msgspec

from jph.config.model import Endpoint, Multicast
from jph.errors import SealError
from jph.net import seals
from jph.net.bus import Address, Bus, ReceiveUnicast
from jph.net.channel import Channel, Receive
from jph.net.membership import Log
from jph.seal.frame import OVERHEAD, Fields, fields_of, is_frame
from jph.seal.frame import Bus as Side
from jph.seal.opening.outcome import Ask
from jph.seal.opening.refusals import Cause
from jph.seal.seal import Seal
from jph.seal.words import sentence
from jph.wire.codec import EVERY_NODE, Dialect
from jph.wire.columns import Block

Newer = Callable[[int, Address], None]
"""Takes the serial of a newer roster, and the address of a node that has it."""
Refuse = Callable[[str, Address, Callable[[], str]], None]
"""Takes the cause of a refusal, the sender, and what says it as a sentence."""


_listeners: Final = itertools.count(1)


class Arrival(NamedTuple):
    """Circumstances of a datagram: who takes it, from where it came, and through which socket."""

    take: Receive
    sender: Address
    via: socket.socket | None


class SealedChannel(Channel):
    """A channel whose datagrams are sealed."""

    side: Side
    bus: "SealedBus"
    plain: Channel | None = None
    """The group of original programs, which end at frames: it carries all in the clear."""

    def send(self, datagram: bytes) -> bool:
        """Send one message, sealed."""
        return self.send_blocks((Block(datagram, len(datagram)),))

    def send_many(self, datagrams: Sequence[bytes]) -> int:
        """Send messages, sealed; return how many left: all or none."""
        left = self.send_blocks([Block(each, len(each)) for each in datagrams])
        return len(datagrams) if left else 0

    def send_blocks(self, blocks: Sequence[Block]) -> bool:
        """Send the messages of blocks, sealed; return whether they left."""
        seal = self.bus.seal
        seal.sealer.most = self._batches.largest - OVERHEAD
        try:
            frames = seal.closed_blocks(self.side, blocks, clock_ms())
        except SealError as error:
            self.bus.log.error("%s", error)
            return False
        if self.plain is not None:
            self.plain.send_blocks(blocks)
        elif seal.mode == "watch":
            frames = [*(each for block in blocks for each in block.datagrams()), *frames]
        if len(frames) == 1:
            left = self._batches.send_one(self._out, frames[0], self._groups)
        else:
            left = self._batches.send(self._out, frames, self._groups) == len(frames)
        count = sum(len(joined) // size for joined, size in blocks)
        self.sent += count * left
        self.unsent += count * (not left)
        return left

    def answer(
        self, datagrams: Sequence[bytes], to: Address, via: socket.socket | None = None
    ) -> None:
        """Send messages to one address, sealed."""
        self.pass_on(self.outgoing(datagrams), to, via)

    def outgoing(self, datagrams: Sequence[bytes]) -> Sequence[bytes]:
        """Return the frames of unicast messages; one that is too long for a frame is left out."""
        seal, frames = self.bus.seal, list(datagrams) if self.bus.seal.mode == "watch" else []
        for each in datagrams:  # each alone: a lost frame costs no other
            try:
                frames += seal.closed(Side.UNICAST, (each,), clock_ms())
            except SealError as error:
                self.bus.log.error("%s", error)
        return frames

    def incoming(self, receive: Receive) -> Receive:
        """Return what opens the unicast frames that another socket receives."""

        def take(batch: memoryview, size: int, sender: Address) -> None:
            self.bus.open_batch(Side.UNICAST, batch, size, Arrival(receive, sender, None))

        return take

    def pass_on(
        self, frames: Sequence[bytes], to: Address, via: socket.socket | None = None
    ) -> None:
        """Send frames to one address as they are."""
        super().answer(frames, to, via)

    def say(self, frame: bytes) -> None:
        """Send a frame to the group as it is."""
        self._batches.send_one(self._out, frame, self._groups)


class SealedBus(Bus):
    """Control and data channel of a sealed house."""

    control: SealedChannel
    data: SealedChannel
    channel_type = SealedChannel

    def __init__(
        self,
        multicast: Multicast,
        host: str,
        log: Log,
        seal: Seal,
        refuse: Refuse,
        newer: Newer,
        hello_s: float = 60.0,
    ) -> None:
        """Make the bus of a member; `newer` takes the serial of a newer roster and its sender.

        A hello leaves every `hello_s`.
        """
        mixed = multicast.dialect is Dialect.MULTI_SENSOR
        groups = {"control": beside(multicast.control), "data": beside(multicast.data)}
        own = msgspec.structs.replace(multicast, **groups) if mixed else multicast
        super().__init__(own, host, log)
        self.seal, self.log = seal, log
        self._refuse, self._newer, self._hello_s = refuse, newer, hello_s
        self._sender: Address = ("", 0)
        self._timer: asyncio.TimerHandle | None = None
        self._next_hello_s = math.inf
        self._closed = False
        for channel, side in ((self.control, Side.CONTROL), (self.data, Side.DATA)):
            channel.side, channel.bus = side, self
        if mixed:
            plain = Bus(multicast, host, log)
            self.control.plain, self.data.plain = plain.control, plain.data
        seal.opener.refusals.on_refused = self._count

    def listen(self, channel: Channel, receive: Receive) -> None:
        """Pass what arrives on `channel` and may be accepted to `receive`."""
        side = Side.CONTROL if channel is self.control else Side.DATA

        def take(batch: memoryview, size: int, sender: Address) -> None:
            self.open_batch(side, batch, size, Arrival(receive, sender, None))

        super().listen(channel, take)
        if isinstance(channel, SealedChannel) and channel.plain is not None:
            plain = partial(self._open_plain, side, receive)
            super().listen(channel.plain, plain)

    def ignore(self, epoch: int) -> None:
        """Filter out messages of `epoch`, if the system can."""
        super().ignore(epoch)
        for plain in self._plain:
            plain.own_epoch = epoch

    def open(self) -> None:
        """Open the channels, those of original programs too.

        Raises:
            BusError: the network is not there (yet), or refuses.
        """
        super().open()
        for plain in self._plain:
            self._read_from(plain, plain.open(listen=plain in self._listeners))

    def close_now(self) -> None:
        """Close the sockets of a bus that no loop reads."""
        super().close_now()
        for plain in self._plain:
            plain.close()

    @property
    def _plain(self) -> list[Channel]:
        channels = (self.control.plain, self.data.plain)
        return [plain for plain in channels if plain is not None]

    def _open_plain(
        self, side: Side, receive: Receive, batch: memoryview, size: int, sender: Address
    ) -> None:
        """Take messages of the groups of original programs.

        In a house that demands, members are heard by their frames: what is there in their name,
        their own copies or forged, says nothing.
        """
        arrival = Arrival(receive, sender, None)
        owners = self.seal.opener.rules.owners
        for start in range(0, len(batch) or 1, size or 1):
            datagram = batch[start : start + size]
            if is_frame(datagram):
                continue
            if self.seal.mode == "demand" and fields_of(datagram).source in owners:
                continue
            self.open_batch(side, datagram, len(datagram), arrival)

    def listen_to_unicast(self, receive: ReceiveUnicast) -> None:
        """Pass what arrives by unicast and may be accepted to `receive`."""

        def take(via: socket.socket, batch: memoryview, size: int, sender: Address) -> None:
            arrival = Arrival(partial(receive, via), sender, via)
            self.open_batch(Side.UNICAST, batch, size, arrival)

        super().listen_to_unicast(take)

    async def start(self, joined: Callable[[], None]) -> None:
        """Open the bus as soon as there is a network; introduce this start to all."""

        def introduce() -> None:
            self._say_hello()
            joined()

        seals.add(self)
        self.seal.carrier = self
        await super().start(introduce)

    async def close(self) -> None:
        """Leave the groups."""
        seals.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next_hello_s, self._closed = None, math.inf, True
        await super().close()

    def group(self, side: str) -> Endpoint:
        """Return the group of the frames of a side."""
        return (self.control if side == "control" else self.data).endpoint

    def refusals(self) -> list[tuple[str, str, int]]:
        """Return the refused messages since the start: cause, node, how many; most first."""
        counts = self.seal.opener.refusals.counts.most_common()
        return [(str(cause), node, count) for (cause, node), count in counts]

    def log_frame(self, line: bytes) -> bytes:
        """Return the datagram that carries a log line; a house that watches sends it open."""
        if self.seal.mode == "watch":
            return line
        return self.seal.closed(Side.LOG, (line,), clock_ms())[0]

    def listening(self, side: str, receive: Receive) -> tuple[Receive, Callable[[], None]]:
        """Return what opens the frames of another listener of this process, and what ends it."""
        listener = next(_listeners)

        def take(batch: memoryview, size: int, sender: Address) -> None:
            bus = cast("SealedBus", self.seal.carrier)
            arrival = Arrival(receive, sender, None)
            bus.open_batch(Side[side.upper()], batch, size, arrival, listener)

        return take, partial(self.seal.opener.forget_listener, listener)

    def _say_hello(self) -> None:
        self._next_hello_s = time.monotonic() + self._hello_s
        self.control.say(self.seal.hello(Side.CONTROL, Ask(EVERY_NODE), clock_ms()))
        self._plan()

    def _plan(self) -> None:
        """Have `_tick` called when something is due."""
        if self._closed:
            return
        due_s = min(self._next_hello_s, (self.seal.due_ms() + 1) / 1000)
        if self._timer is not None:
            if self._timer.when() <= due_s:
                return
            self._timer.cancel()
            self._timer = None
        if due_s < math.inf:
            self._timer = asyncio.get_running_loop().call_at(due_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        for due in self.seal.poll(clock_ms()):
            self._say(due.ask, due.context)
        if time.monotonic() >= self._next_hello_s:
            self._say_hello()
        self._plan()

    def _say(self, ask: Ask, arrival: Arrival) -> None:
        frame = self.seal.hello(Side.UNICAST, ask, clock_ms())
        self.control.pass_on([frame], arrival.sender, arrival.via)
        if ask.by_bus:
            self.control.say(self.seal.hello(Side.CONTROL, ask, clock_ms()))

    def open_batch(
        self, side: Side, batch: memoryview, size: int, arrival: Arrival, listener: int = 0
    ) -> None:
        """Open the frames of a batch and pass their messages on, those of equal size together."""
        self._sender = arrival.sender
        now_ms, opened = clock_ms(), self.seal.opened
        ready: list[tuple[Arrival, Block]] = []
        asks: list[Ask] = []
        for start in range(0, len(batch) or 1, size or 1):
            outcome = opened(side, bytes(batch[start : start + size]), arrival, now_ms, listener)
            for released in outcome.released:
                context = released.context
                ready += [(context, block) for block in released.blocks]
            asks += outcome.asks
        for ask in asks:
            self._say(ask, arrival)
        if asks or self.seal.mode == "watch":
            self._plan()
        if (newer := self.seal.opener.hellos.newer) is not None:
            self._newer(newer[0], arrival.sender)
        if len(ready) == 1:
            context, (joined, each) = ready[0]
            context.take(memoryview(joined), each, context.sender)
            return
        for (context, each), group in groupby(ready, _kind):
            joined = b"".join(block.joined for _, block in group)
            context.take(memoryview(joined), each, context.sender)

    def _count(self, cause: Cause, node: str, claimed: Fields | None) -> None:
        self._refuse(cause.value, self._sender, partial(sentence, cause, node, claimed))


def beside(group: Endpoint) -> Endpoint:
    """Return the group of the frames of a house that has original programs on `group`.

    Its last byte differs by 128.
    """
    address = ipaddress.ip_address(group.address)
    other = type(address)(int(address) ^ 0x80)
    return msgspec.structs.replace(group, address=str(other))


def _kind(ready: tuple[Arrival, Block]) -> tuple[Arrival, int]:
    return ready[0], ready[1].size


def clock_ms() -> int:
    """Return the time since an arbitrary moment, ms; it is never stepped."""
    return time.monotonic_ns() // 1_000_000
