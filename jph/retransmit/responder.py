"""Answers requests to resend: merged, fair between addresses, and paced.

Only `Answering.serve` waits; the queue and the pace are pure.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

from jph.retransmit.gaps import IntervalSet
from jph.retransmit.messages import LIVES_A_LETTER, Asked, Lives, Repair, encode_letter, split_long
from jph.retransmit.resend_history import Found, History
from jph.wire.codec import SEQUENCE_LIMIT

LIMIT: Final = 500
"""Datagrams sent in one turn of the loop."""
RATE: Final = 2_000_000
"""Bytes a second that answers may take."""
_BURST_S: Final = 0.02
ADDRESS_RATE: Final = 1_000_000
"""Bytes a second that one address may have, however often it asks."""
ADDRESS_BURST: Final = 8 * 2**20
"""Bytes that it may have at once: two rings of the default size."""
_MOST_ADDRESSES: Final = 1024
_MOST_ASKERS: Final = 256
"""Askers and sources waiting at one address: more are refused, and ask again."""
_MOST_RANGES: Final = 8192
"""Of one address: half a megabyte."""
_A_LETTER: Final = 100
"""IntervalSet in one letter: with the largest numbers it still fits a usual datagram."""


Where = tuple[socket.socket | None, tuple[str, int]]


class Asker(NamedTuple):
    """Who asked, about what.

    Attributes:
        where: the socket that was written to, if any, and the asker's address.
        plain: whether it understands only plain answers.
        lives: whether it asks which earlier starts there are.
    """

    where: Where
    code: str
    codifier: str
    epoch: int
    plain: bool
    lives: bool = False

    @property
    def host(self) -> str:
        """The address that asks, whatever it says it is."""
        return self.where[1][0]


class Pace:
    """How long to wait after sending, so that no more than `rate` bytes a second leave."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_s = 0.0

    def spend(self, size: int, now_s: float) -> float:
        """Take note of `size` bytes sent at `now_s`; return the seconds to wait."""
        self._free_s = max(self._free_s, now_s - _BURST_S) + size / self._rate
        return max(0.0, self._free_s - now_s)


class Budgets:
    """How much each address may still have; what is repeated for one is not taken from others."""

    def __init__(self) -> None:
        self._free_s: dict[str, float] = {}

    def spend(self, host: str, size: int, now_s: float) -> None:
        """Take note of `size` bytes sent to an address."""
        full_s = now_s - ADDRESS_BURST / ADDRESS_RATE
        if len(self._free_s) >= _MOST_ADDRESSES:
            self._free_s = {each: at_s for each, at_s in self._free_s.items() if at_s > full_s}
        self._free_s[host] = max(self._free_s.get(host, full_s), full_s) + size / ADDRESS_RATE

    def free_s(self, host: str) -> float:
        """Return from when on an address may be sent anything."""
        return self._free_s.get(host, 0.0)


class Queue:
    """What is asked and not yet answered; what is asked twice is answered once.

    Addresses take turns, and those at one address among themselves.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, dict[Asker, tuple[IntervalSet, set[int]]]] = {}

    def __bool__(self) -> bool:
        return bool(self._hosts)

    def put(self, asker: Asker, ranges: Sequence[Asked]) -> None:
        """Take a request in; a count of 0 asks for the end."""
        asked = self._hosts.get(asker.host)
        if asked is None:
            if len(self._hosts) >= _MOST_ADDRESSES:
                return
            asked = self._hosts.setdefault(asker.host, {})
        if asker not in asked and len(asked) >= _MOST_ASKERS:
            return
        left = _MOST_RANGES - sum(len(wanted) for wanted, _ in asked.values())
        wanted, ends = asked.setdefault(asker, (IntervalSet(), set()))
        for first, count in ranges:
            if count == 0:
                ends.clear()
                ends.add(first)
            elif left > 0:
                wanted.add(first, min(first + count, SEQUENCE_LIMIT))
                wanted.add(0, first + count - SEQUENCE_LIMIT)
                left -= 1

    def due_s(self, budgets: Budgets) -> float:
        """Return when the first waiting request may be answered; there must be one."""
        return min(budgets.free_s(host) for host in self._hosts)

    def take(self, budgets: Budgets, now_s: float) -> tuple[Asker, list[Asked]] | None:
        """Return all that the asker wants whose turn it is; what is put back waits again.

        None if no address that waits may be answered yet.
        """
        host = next((each for each in self._hosts if budgets.free_s(each) <= now_s), None)
        if host is None:
            return None
        asked = self._hosts.pop(host)
        asker = next(iter(asked))
        wanted, ends = asked.pop(asker)
        if asked:
            self._hosts[host] = asked
        return asker, [(s, e - s) for s, e in wanted] + [(end, 0) for end in ends]


class Answering:
    """Answers out of a history.

    `send` is given an asker and the datagrams for it; `thread` runs what reads the disk.

    Attributes:
        answered: readings sent again; gone: sequences that could not be.
        datagrams, answered_bytes: all that was answered, letters too.
    """

    def __init__(
        self,
        history: History,
        send: Callable[[Asker, list[bytes]], None],
        now_ms: Callable[[], int],
        thread: Executor | None = None,
    ) -> None:
        self.answered = self.gone = self.datagrams = self.answered_bytes = 0
        self._history = history
        self._send = send
        self._now_ms = now_ms
        self._thread = thread
        self._queue = Queue()
        self._asked = asyncio.Event()
        self._pace = Pace(RATE)
        self._budgets = Budgets()

    def ask(self, asker: Asker, ranges: Sequence[Asked]) -> None:
        """Have a request answered."""
        self._queue.put(asker, ranges)
        self._asked.set()

    async def serve(self) -> None:
        """Answer for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            await self._asked.wait()
            self._asked.clear()
            while self._queue:
                now_s = clock()
                turn = self._queue.take(self._budgets, now_s)
                if turn is None:
                    await self._idle(self._queue.due_s(self._budgets) - now_s)
                    continue
                asker, ranges = turn
                size = await (self._list if asker.lives else self._repeat)(asker, ranges)
                self._budgets.spend(asker.host, size, now_s)
                await asyncio.sleep(self._pace.spend(size, clock()))

    async def _idle(self, seconds: float) -> None:
        """Wait until an address may be answered again, or another address asks."""
        self._asked.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._asked.wait()

    async def _list(self, asker: Asker, ranges: Sequence[Asked]) -> int:
        """Answer which earlier starts there are, a letter's worth; return its bytes."""
        lives = await asyncio.get_running_loop().run_in_executor(self._thread, self._history.lives)
        first = ranges[0][0]
        rows = tuple(lives[first : first + LIVES_A_LETTER])
        epoch, now = self._history.epoch, self._now_ms()
        letter = encode_letter(
            Lives(epoch, now, asker.codifier, asker.code, first, len(lives), rows)
        )
        return self._post(asker, [letter])

    async def _repeat(self, asker: Asker, ranges: Sequence[Asked]) -> int:
        """Answer up to a turn's worth of datagrams to one asker; return their bytes."""
        answer = Found()
        for position, asked in enumerate(ranges):
            left = LIMIT - len(answer.datagrams)
            if left <= 0:
                self._queue.put(asker, ranges[position:])
                break
            found = await self._find(asker, asked, left)
            answer.datagrams += found.datagrams
            answer.gone += found.gone
            answer.next = found.next if answer.next is None else answer.next
            if found.rest is not None:
                self._queue.put(asker, [found.rest])
        self.answered += len(answer.datagrams)
        return self._post(asker, answer.datagrams + self._letters(asker, answer))

    def _post(self, asker: Asker, datagrams: list[bytes]) -> int:
        self._send(asker, datagrams)
        size = sum(map(len, datagrams))
        self.datagrams += len(datagrams)
        self.answered_bytes += size
        return size

    async def _find(self, asker: Asker, asked: Asked, limit: int) -> Found:
        """Look up in memory at once, on the disk in the journal's thread."""
        find = partial(self._history.find, asker.codifier, asker.epoch, asked, limit)
        if self._history.in_memory(asker.codifier, asker.epoch, asked[0]):
            return find()
        return await asyncio.get_running_loop().run_in_executor(self._thread, find)

    def _letters(self, asker: Asker, answer: Found) -> list[bytes]:
        """Write what is gone, and where the source ends."""
        gone = sorted(set(answer.gone))
        self.gone += sum(count for _, count in gone)
        end = [] if answer.next is None else [(answer.next, 0)]
        epoch = asker.epoch or self._history.epoch
        ranges = split_long(gone + end)
        most = 1 if asker.plain else _A_LETTER
        parts = [tuple(ranges[i : i + most]) for i in range(0, len(ranges), most)]
        return [
            encode_letter(
                Repair(
                    self._history.epoch,
                    self._now_ms(),
                    asker.codifier,
                    asker.code,
                    part,
                    0 if asker.plain else epoch,
                    asker.plain,
                )
            )
            for part in parts
        ]
