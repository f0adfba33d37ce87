"""The receiving half of a node's data bus: readings in, each once; what is missing asked again."""

import asyncio
import logging
import math
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from jph.errors import DecodeError
from jph.net.batches import Address, Batches, keep_on_link, prepare
from jph.net.channel import Channel
from jph.net.fault_injection import Weather
from jph.node.outbox import now_ms
from jph.retransmit import Checkpoint, Gap
from jph.retransmit.messages import (
    Drill,
    Letter,
    Lives,
    Repair,
    decode_letter,
    encode_letter,
    is_letter,
)
from jph.retransmit.ordering import Order
from jph.retransmit.repairer import Ask, Repairer
from jph.util.logs import Throttle
from jph.wire.codec import Reading, decode_batch, decode_data
from jph.wire.columns import decode_readings
from jph.wire.sequence import SequenceTable

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]
Deliver = Callable[[Sequence[Reading], Address], None]

_MOST_HOSTS: Final = 1024
"""Addresses that were asked, and may answer."""
_Item = tuple[bytes, Address, bool]
"""A datagram in a drill: where it came from, and whether it was sent again."""


class Refusals:
    """Counts what is not one of ours, and tells it once a minute for each sender."""

    def __init__(self, log: Log) -> None:
        self.counts: Counter[str] = Counter()
        self._log = log
        self._throttle = Throttle()

    def by(self, sender: Address) -> Callable[[DecodeError], None]:
        """Return what is to be called with the error of a datagram of `sender`."""

        def refuse(error: DecodeError) -> None:
            self.counts[error.reason] += 1
            if self._throttle.allow(sender[0], time.monotonic()):  # the host, whatever port
                told = (*sender, error, self.tally())
                self._log.warning("refused a datagram from %s port %s: %s (so far: %s)", *told)

        return refuse

    def tally(self) -> str:
        """Return the counts in words, by reason."""
        return ", ".join(f"{reason} {count}" for reason, count in sorted(self.counts.items()))


class Receiver:
    """Takes what comes on the data bus, through a drill if there is one.

    Attributes:
        channel: the data bus; another one after a reload.
        sequences: what came and what is missing, per source.
    """

    def __init__(self, channel: Channel, deliver: Deliver, refusals: Refusals, log: Log) -> None:
        self.channel = channel
        self.sequences = SequenceTable()
        self._deliver = deliver
        self._refusals = refusals
        self._log = log
        self._weather: Weather[_Item] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def receive(self, batch: memoryview, size: int, sender: Address) -> None:
        """Take a batch from the bus."""
        if self._weather is not None:
            self._blow(batch, size, sender, again=False)
            return
        if len(batch) == size:  # alone: it takes the shortest way
            try:
                reading = decode_data(batch)
            except DecodeError as error:
                self._refusals.by(sender)(error)
            else:
                self._take([reading], sender)
            return
        self._take(decode_readings(batch, size, self._refusals.by(sender)), sender)

    def start(self) -> None:
        """Take what is needed while the node lives."""

    def close(self) -> None:
        """Give it back."""
        if self._timer is not None:
            self._timer.cancel()

    def begin_drill(self, drill: Drill) -> None:
        """Make the network bad for a while, beginning now."""
        if self._weather is not None:
            if self._weather.drill == drill:
                return  # it is asked again because our answer was lost
            self._end_drill(self._weather)
        self._weather = Weather(drill, time.monotonic())
        self._log.warning(
            "drill for %g s, seed %s: loss %g %%, duplicate %g %%, reorder %g %%, delay %g ms",
            drill.seconds,
            drill.seed,
            100 * drill.loss,
            100 * drill.duplicate,
            100 * drill.reorder,
            1000 * drill.delay_s,
        )
        self._plan()

    def _take(self, readings: Sequence[Reading], sender: Address) -> None:
        self.sequences.take(readings)
        if readings:
            self._deliver(readings, sender)

    def _take_again(self, batch: memoryview | bytes, size: int, sender: Address) -> None:
        """Ignore a batch of resends; this receiver requests none."""

    def _blow(self, batch: memoryview, size: int, sender: Address, again: bool) -> None:
        assert self._weather is not None
        starts = range(0, len(batch) or 1, size or 1)
        items = [(bytes(batch[start : start + size]), sender, again) for start in starts]
        self._arrive(self._weather.blow(items, time.monotonic()))
        self._plan()

    def _arrive(self, items: Iterable[_Item]) -> None:
        for datagram, sender, again in items:
            if again:
                self._take_again(datagram, len(datagram), sender)
            else:
                refuse = self._refusals.by(sender)
                self._take(decode_readings(datagram, len(datagram), refuse), sender)

    def _end_drill(self, weather: Weather[_Item]) -> None:
        self._weather = None
        self._log.warning("the drill is over: %s", weather)
        self._arrive(weather.release(math.inf))

    # Time

    def _due_s(self) -> float:
        return self._weather.due_s if self._weather is not None else math.inf

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
        if (weather := self._weather) is not None:
            if weather.over(now_s):
                self._end_drill(weather)
            else:
                self._arrive(weather.release(now_s))
        self._plan()


class RepairingReceiver(Receiver):
    """Hands each reading on once, and asks for those that are missing from a socket of its own.

    `past_s(source)` is for how long a source's journal keeps what it sent before a restart, s.

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
        past_s: Callable[[str], float],
        ordered: bool,
    ) -> None:
        super().__init__(channel, deliver, refusals, log)
        self.asked = self.asked_bytes = 0
        self.requested = False
        self.repairer = Repairer(past_s)
        self._order = Order(self.repairer.lowest_wanted) if ordered else None
        self._codifier, self._epoch = codifier, epoch
        self._on_holes = on_gaps
        self._overflowed = 0
        self._socket: socket.socket | None = None
        self._hosts: dict[str, None] = {}
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

    def resume(self, marks: Iterable[Checkpoint]) -> None:
        """Want what is missing behind these marks."""
        self.repairer.resume(marks, time.monotonic())
        if self._socket is not None:
            self._plan()

    def _asked_of(self, host: str) -> None:
        """Take answers from an address that is asked now."""
        self._hosts.pop(host, None)
        self._hosts[host] = None
        if len(self._hosts) > _MOST_HOSTS:
            del self._hosts[next(iter(self._hosts))]

    def _hear(self, batch: memoryview, size: int, sender: Address) -> None:
        if sender[0] not in self._hosts:
            self._refusals.by(sender)(DecodeError("unasked", "an answer without a request"))
            return
        if self._weather is not None:
            self._blow(batch, size, sender, again=True)
        else:
            self._take_again(batch, size, sender)

    def _take(self, readings: Sequence[Reading], sender: Address) -> None:
        self.sequences.take(readings)
        overflowed, self._overflowed = self._overflowed, self.channel.overflowed
        now_s = time.monotonic()
        grown = max(0, self._overflowed - overflowed)
        fresh = self.repairer.take(readings, sender, now_s, grown)
        self._hand_on(fresh, sender, now_s)

    def _take_again(self, batch: memoryview | bytes, size: int, sender: Address) -> None:
        """Take answers: readings, and what is gone."""
        now_s = time.monotonic()
        readings: list[Reading] = []
        for message in decode_batch(_decode_answer, batch, size, self._refusals.by(sender)):
            if isinstance(message, Reading):
                readings.append(message)
            elif isinstance(message, Repair):
                self.repairer.told(message, now_s)
            elif isinstance(message, Lives):
                self.repairer.lived(message, sender, now_s)
        fresh = self.repairer.take_again(readings, now_s)
        for reading in fresh:
            known = self.sequences.sources.get(reading.source)
            if known is not None and known.epoch == reading.epoch:
                known.observe(reading.sequence, reading.epoch, announces=False)
        self.requested = True
        try:
            self._hand_on(fresh, sender, now_s)
        finally:
            self.requested = False

    def _hand_on(self, fresh: Sequence[Reading], sender: Address, now_s: float) -> None:
        if self._order is not None:
            fresh = self._order.put(fresh, now_s)
        if fresh:
            self._deliver(fresh, sender)
        self._tell_holes()
        self._plan()

    def _tell_holes(self) -> None:
        if holes := self.repairer.holes():
            self._on_holes(holes)

    def _due_s(self) -> float:
        held_s = self._order.due_s if self._order is not None else math.inf
        return min(super()._due_s(), self.repairer.due_s, held_s)

    def _tick(self) -> None:
        now_s = time.monotonic()
        for ask in self.repairer.poll(now_s):
            self._ask(ask)
        self._tell_holes()
        if self._order is not None and (ready := self._order.release(now_s)):
            self._deliver(ready, ("", 0))
        super()._tick()

    def _ask(self, ask: Ask) -> None:
        if self._socket is None or (self._weather is not None and self._weather.loses()):
            return
        head = (self._epoch, now_ms(), self._codifier, ask.source)
        letter = Lives(*head, ask.row) if ask.row >= 0 else Repair(*head, ask.ranges, ask.epoch)
        datagram = encode_letter(letter)
        self._asked_of(ask.address[0])
        self.asked += 1
        self.asked_bytes += len(datagram)
        self._batches.send((self._socket,), (datagram,), (ask.address,))


def _decode_answer(datagram: memoryview) -> Reading | Letter:
    return decode_letter(datagram) if is_letter(datagram) else decode_data(datagram)
