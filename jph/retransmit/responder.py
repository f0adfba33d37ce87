"""The answering half: resends readings on request; merged, fair between addresses, and paced.

A request without proof of its address gets only a challenge, which is not longer than the request:
a forged sender address makes nothing larger than what was sent. Requests in the forms of 0.1.0
cannot prove their address; all of them together share a small rate.

Only `Responder.serve` waits; the queue and the rates are pure.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

from jph.retransmit.gaps import IntervalSet
from jph.retransmit.legacy import LegacyEpochs, LegacyRanges, encode_legacy, split_long
from jph.retransmit.messages import (
    EPOCHS_A_MESSAGE,
    LARGEST_RESENT,
    Challenge,
    Envelope,
    EpochsReport,
    ResendReport,
    ResentReadings,
    encode_unicast,
    pack_readings,
)
from jph.retransmit.ranges import Interval, clipped
from jph.retransmit.resend_store import Found, ResendStore
from jph.wire.codec import SEQUENCE_LIMIT

try:  # hashlib has the same, and loads OpenSSL: 4 MB in every node
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

LIMIT: Final = 500
"""Readings resent in one turn of the loop."""
RATE: Final = 2_000_000
"""Bytes a second that all answers may take."""
_BURST_S: Final = 0.02
ADDRESS_RATE: Final = 1_000_000
"""Bytes a second that one address may get, however often it asks."""
ADDRESS_BURST: Final = 8 * 2**20
"""Bytes that it may get at once: two resend buffers of the default size."""
UNPROVED_RATE: Final = 100_000
"""Bytes a second that all requests without proof of their address may get together."""
UNPROVED_BURST: Final = 2**20
_MOST_ADDRESSES: Final = 1024
_MOST_REQUESTS: Final = 256
"""Requests that wait for one address; more are dropped, and repeated by the receiver."""
_MOST_RANGES: Final = 8192
"""Ranges that wait for one address: half a megabyte."""
_RANGES_A_REPORT: Final = 100
"""With the largest numbers they still fit a usual datagram."""
_COOKIE_S: Final = 3600.0
_UNPROVED: Final = ""
"""The host that all requests without proof share in the queue's rates."""

Where = tuple[socket.socket | None, tuple[str, int]]


class Origin(NamedTuple):
    """Where a request came from, and what it is about.

    Attributes:
        where: the socket that received it, if any, and the address of the sender.
        code: codifier of the sender; codifier: the node or element that is asked.
        legacy: whether the request has a form of 0.1.0; plain: whether it is a plain `R`.
        epochs: whether it asks for earlier epochs.
    """

    where: Where
    code: str
    codifier: str
    epoch: int
    legacy: bool = False
    plain: bool = False
    epochs: bool = False

    @property
    def host(self) -> str:
        """The UDP source address of the request; the codifier in it is not trusted."""
        return self.where[1][0]


class Ticket(NamedTuple):
    """What an answer repeats of its request: the id, and the clip of sequences."""

    request_id: int = 0
    clip: Interval = (0, SEQUENCE_LIMIT)


class Cookies:
    """Proofs of address: only a host that receives our datagrams knows its cookie."""

    def __init__(self) -> None:
        self._keys = [os.urandom(16), os.urandom(16)]
        self._renewed_s = 0.0

    def of(self, address: tuple[str, int], now_s: float) -> int:
        """Return the cookie of an address."""
        if now_s - self._renewed_s > _COOKIE_S:
            self._keys = [os.urandom(16), self._keys[0]]
            self._renewed_s = now_s
        return self._sign(self._keys[0], address)

    def proves(self, cookie: int, address: tuple[str, int]) -> bool:
        """Whether a cookie was given to this address, within the last two hours."""
        # Without a branch that depends on a bit: the time of a refusal shows nothing.
        differences = [cookie ^ self._sign(key, address) for key in self._keys]
        return 0 in differences

    @staticmethod
    def _sign(key: bytes, address: tuple[str, int]) -> int:
        text = f"{address[0]} {address[1]}".encode()
        digest = blake2b(text, key=key, digest_size=8).digest()
        return int.from_bytes(digest, "little") or 1


class Pace:
    """Time to wait after sending, so that no more than `rate` bytes a second leave."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_s = 0.0

    def spend(self, size: int, now_s: float) -> float:
        """Count `size` bytes sent at `now_s`; return the seconds to wait."""
        self._free_s = max(self._free_s, now_s - _BURST_S) + size / self._rate
        return max(0.0, self._free_s - now_s)


class AddressRates:
    """Bytes that each address may still get; one address does not use up another's."""

    def __init__(self) -> None:
        self._free_s: dict[str, float] = {}

    def spend(self, host: str, size: int, now_s: float) -> None:
        """Count `size` bytes sent to an address."""
        rate, burst = ADDRESS_RATE, ADDRESS_BURST
        if host == _UNPROVED:
            rate, burst = UNPROVED_RATE, UNPROVED_BURST
        full_s = now_s - burst / rate
        if len(self._free_s) >= _MOST_ADDRESSES:
            self._free_s = {each: at_s for each, at_s in self._free_s.items() if at_s > full_s}
        self._free_s[host] = max(self._free_s.get(host, full_s), full_s) + size / rate

    def free_s(self, host: str) -> float:
        """Return from when on an address may get anything."""
        return self._free_s.get(host, 0.0)


class _Waiting:
    """What one origin waits for."""

    __slots__ = ("ends", "ticket", "wanted")

    def __init__(self) -> None:
        self.wanted = IntervalSet()
        self.ends: set[int] = set()
        self.ticket = Ticket()


class Queue:
    """Requests that are not answered yet; what is asked for twice is answered once.

    Addresses take turns, and the requests of one address among themselves.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, dict[Origin, _Waiting]] = {}

    def __bool__(self) -> bool:
        return bool(self._hosts)

    def put(self, origin: Origin, ranges: Sequence[Interval], ticket: Ticket | None = None) -> None:
        """Add a request; a count of 0 asks for the next sequence. Its ticket replaces an older."""
        host = _UNPROVED if origin.legacy else origin.host
        asked = self._hosts.get(host)
        if asked is None:
            if len(self._hosts) >= _MOST_ADDRESSES:
                return
            asked = self._hosts.setdefault(host, {})
        if origin not in asked and len(asked) >= _MOST_REQUESTS:
            return
        left = _MOST_RANGES - sum(len(each.wanted) for each in asked.values())
        waiting = asked.setdefault(origin, _Waiting())
        if ticket is not None:
            waiting.ticket = ticket
        for first, count in ranges:
            if count == 0:
                waiting.ends.clear()
                waiting.ends.add(first)
            elif left > 0:
                waiting.wanted.add(first, min(first + count, SEQUENCE_LIMIT))
                waiting.wanted.add(0, first + count - SEQUENCE_LIMIT)
                left -= 1

    def due_s(self, rates: AddressRates) -> float:
        """Return when the first waiting address may be answered; one must wait."""
        return min(rates.free_s(host) for host in self._hosts)

    def take(
        self, rates: AddressRates, now_s: float
    ) -> tuple[Origin, list[Interval], Ticket] | None:
        """Return all that the next origin wants; what is put back waits again.

        None if no waiting address may be answered yet.
        """
        host = next((each for each in self._hosts if rates.free_s(each) <= now_s), None)
        if host is None:
            return None
        asked = self._hosts.pop(host)
        origin = next(iter(asked))
        waiting = asked.pop(origin)
        if asked:
            self._hosts[host] = asked
        ranges = [(s, e - s) for s, e in waiting.wanted] + [(end, 0) for end in waiting.ends]
        return origin, ranges, waiting.ticket


class Responder:
    """Answers requests out of a resend store.

    `send` receives an origin and the datagrams for it; `thread` runs what reads the disk. `failed`
    is called with the error of a request that cannot be answered; the next one is answered.

    Attributes:
        answered: readings resent; lost: sequences that could not be.
        datagrams, answered_bytes: all answers, reports included.
        challenged: requests that got a challenge.
    """

    def __init__(
        self,
        store: ResendStore,
        send: Callable[[Origin, list[bytes]], None],
        now_ms: Callable[[], int],
        thread: Executor | None = None,
        failed: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self.answered = self.lost = self.datagrams = self.answered_bytes = self.challenged = 0
        self._store = store
        self._send = send
        self._now_ms = now_ms
        self._thread = thread
        self._failed = failed
        self._queue = Queue()
        self._asked = asyncio.Event()
        self._pace = Pace(RATE)
        self._rates = AddressRates()
        self._cookies = Cookies()

    def proves(self, origin: Origin, request_id: int, cookie: int, now_s: float) -> bool:
        """Whether a request proves its address; if not, a challenge is sent."""
        address = origin.where[1]
        if self._cookies.proves(cookie, address):
            return True
        self.challenged += 1
        envelope = Envelope(
            *(self._store.epoch, self._now_ms(), origin.codifier, origin.code),
            *(request_id, self._cookies.of(address, now_s)),
        )
        self._send(origin, [encode_unicast(Challenge(envelope))])
        return False

    def ask(self, origin: Origin, ranges: Sequence[Interval], ticket: Ticket | None = None) -> None:
        """Have a request answered."""
        self._queue.put(origin, ranges, ticket)
        self._asked.set()

    async def serve(self) -> None:
        """Answer until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._queue:
                now_s = clock()
                turn = self._queue.take(self._rates, now_s)
                if turn is None:
                    await self._idle(self._queue.due_s(self._rates) - now_s)
                    continue
                origin, ranges, ticket = turn
                answer = self._list if origin.epochs else self._resend
                try:
                    size = await answer(origin, ranges, ticket)
                except Exception as error:  # one request must not end the node
                    self._failed(error)
                    continue
                host = _UNPROVED if origin.legacy else origin.host
                self._rates.spend(host, size, now_s)
                await asyncio.sleep(self._pace.spend(size, clock()))

    async def _idle(self, seconds: float) -> None:
        """Wait until an address may be answered again, or another request arrives."""
        self._asked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()

    async def _list(self, origin: Origin, ranges: Sequence[Interval], ticket: Ticket) -> int:
        """Answer which earlier epochs there are, a message's worth; return its bytes."""
        loop = asyncio.get_running_loop()
        spans = await loop.run_in_executor(self._thread, self._store.epochs)
        first = ranges[0][0]
        rows = tuple(spans[first : first + EPOCHS_A_MESSAGE])
        if origin.legacy:
            head = (self._store.epoch, self._now_ms(), origin.codifier, origin.code)
            return self._post(origin, [encode_legacy(LegacyEpochs(*head, first, len(spans), rows))])
        report = EpochsReport(self._envelope(origin, ticket), first, len(spans), rows)
        return self._post(origin, [encode_unicast(report)])

    async def _resend(self, origin: Origin, ranges: Sequence[Interval], ticket: Ticket) -> int:
        """Answer up to a turn's worth of readings to one origin; return the bytes."""
        answer = Found()
        for index, asked in enumerate(ranges):
            left = LIMIT - len(answer.datagrams)
            if left <= 0:
                self._queue.put(origin, ranges[index:], ticket)
                break
            found = await self._find(origin, asked, left)
            answer.datagrams += found.datagrams
            answer.lost += found.lost
            answer.next = found.next if answer.next is None else answer.next
            if found.rest is not None:
                self._queue.put(origin, [found.rest], ticket)
        self.answered += len(answer.datagrams)
        if origin.legacy:
            return self._post(origin, answer.datagrams + self._legacy_report(origin, answer))
        return self._post(origin, self._messages(origin, answer, ticket))

    def _post(self, origin: Origin, datagrams: list[bytes]) -> int:
        self._send(origin, datagrams)
        size = sum(map(len, datagrams))
        self.datagrams += len(datagrams)
        self.answered_bytes += size
        return size

    async def _find(self, origin: Origin, asked: Interval, limit: int) -> Found:
        """Look up in memory at once, on the disk in the resend log's thread."""
        find = partial(self._store.find, origin.codifier, origin.epoch, asked, limit)
        if self._store.in_memory(origin.codifier, origin.epoch, asked[0]):
            return find()
        return await asyncio.get_running_loop().run_in_executor(self._thread, find)

    def _envelope(self, origin: Origin, ticket: Ticket) -> Envelope:
        return Envelope(
            *(self._store.epoch, self._now_ms(), origin.codifier, origin.code),
            ticket.request_id,
        )

    def _messages(self, origin: Origin, answer: Found, ticket: Ticket) -> list[bytes]:
        """Write the readings, then what is lost and where the source ends."""
        envelope = self._envelope(origin, ticket)
        small = [each for each in answer.datagrams if len(each) <= LARGEST_RESENT]
        large = [each for each in answer.datagrams if len(each) > LARGEST_RESENT]
        sent = [encode_unicast(ResentReadings(envelope, part)) for part in pack_readings(small)]
        lost = clipped(sorted(set(answer.lost)), ticket.clip)
        self.lost += sum(count for _, count in lost)
        ranges = lost + ([] if answer.next is None else [(answer.next, 0)])
        epoch = origin.epoch or self._store.epoch
        reports = [
            encode_unicast(
                ResendReport(envelope, epoch, ticket.clip, tuple(ranges[i : i + _RANGES_A_REPORT]))
            )
            for i in range(0, len(ranges), _RANGES_A_REPORT)
        ]
        return sent + large + reports

    def _legacy_report(self, origin: Origin, answer: Found) -> list[bytes]:
        """Write what is lost, and where the source ends, in the form of 0.1.0."""
        lost = sorted(set(answer.lost))
        self.lost += sum(count for _, count in lost)
        ranges = split_long(lost + ([] if answer.next is None else [(answer.next, 0)]))
        epoch = 0 if origin.plain else origin.epoch or self._store.epoch
        most = 1 if origin.plain else _RANGES_A_REPORT
        parts = [tuple(ranges[i : i + most]) for i in range(0, len(ranges), most)]
        head = (self._store.epoch, self._now_ms(), origin.codifier, origin.code)
        return [encode_legacy(LegacyRanges(*head, part, epoch, origin.plain)) for part in parts]
