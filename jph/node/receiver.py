"""The receiving half of a node's data bus. A kind that misses nothing takes requesting_receiver."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from jph.errors import DecodeError
from jph.net.batches import Address
from jph.net.channel import Channel
from jph.net.fault_injection import FaultInjector
from jph.retransmit import Checkpoint
from jph.retransmit.messages import Faults
from jph.util.logs import Throttle
from jph.wire.codec import Reading, decode_data
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

    def count(self, reason: str, sender: Address, sentence: Callable[[], str]) -> None:
        """Count a refusal; a line is logged once a minute for each host and reason."""
        self.counts[reason] += 1
        if self._throttle.allow((sender[0], reason), time.monotonic()):
            told = (*sender, reason, sentence(), self.tally())
            self._log.warning("refused a datagram from %s port %s, %s: %s (so far: %s)", *told)

    def tally(self) -> str:
        """Return the counts by reason, as text."""
        return ", ".join(f"{reason} {count}" for reason, count in sorted(self.counts.items()))


class Receiver:
    """Takes readings from the data bus, through injected faults if there are any.

    Attributes:
        channel: the data bus; another one after a reload.
        sequences: what arrived and what is missing, per source.
        requested: whether the readings that are delivered now were requested.
    """

    def __init__(self, channel: Channel, deliver: Deliver, refusals: Refusals, log: Log) -> None:
        self.channel = channel
        self.sequences = SequenceTable()
        self.requested = False
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

    def resume(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Request what is missing after these checkpoints; this receiver requests nothing."""

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
