"""Answering those who ask again: merged, fair, and slowly enough to disturb nobody.

Only `Answering.serve` waits; the queue and the pace are pure.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

from jph.repair.history import Found, History
from jph.repair.letters import Asked, Repair, encode_letter, split_long
from jph.repair.ranges import Ranges
from jph.wire import SEQUENCE_LIMIT

LIMIT: Final = 500
"""Datagrams sent in one turn of the loop."""
RATE: Final = 2_000_000
"""Bytes a second that answers may take."""
_BURST_S: Final = 0.02
_MOST_ASKERS: Final = 1024
"""Askers and sources waiting at once: more are refused, and ask again."""
_MOST_RANGES: Final = 8192
_A_LETTER: Final = 100
"""Ranges in one letter: with the largest numbers it still fits a usual datagram."""


Where = tuple[socket.socket | None, tuple[str, int]]


class Asker(NamedTuple):
    """Who asked, about what.

    Attributes:
        where: the socket that was written to, if any, and the asker's address.
        plain: whether it understands only plain answers.
    """

    where: Where
    code: str
    codifier: str
    epoch: int
    plain: bool


class Pace:
    """How long to wait after sending, so that no more than `rate` bytes a second leave."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_s = 0.0

    def spend(self, size: int, now_s: float) -> float:
        """Take note of `size` bytes sent at `now_s`; return the seconds to wait."""
        self._free_s = max(self._free_s, now_s - _BURST_S) + size / self._rate
        return max(0.0, self._free_s - now_s)


class Queue:
    """What is asked and not yet answered; what is asked twice is answered once."""

    def __init__(self) -> None:
        self._asked: dict[Asker, tuple[Ranges, set[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._asked)

    def put(self, asker: Asker, ranges: Sequence[Asked]) -> None:
        """Take a request in; a count of 0 asks for the end."""
        if asker not in self._asked and len(self._asked) >= _MOST_ASKERS:
            return
        wanted, ends = self._asked.setdefault(asker, (Ranges(), set()))
        for first, count in ranges:
            if count == 0:
                ends.clear()
                ends.add(first)
            elif len(wanted) < _MOST_RANGES:
                wanted.add(first, min(first + count, SEQUENCE_LIMIT))
                wanted.add(0, first + count - SEQUENCE_LIMIT)

    def take(self) -> tuple[Asker, list[Asked]]:
        """Return all that the asker who waits longest wants; what is put back waits again."""
        asker = next(iter(self._asked))
        wanted, ends = self._asked.pop(asker)
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
                size = await self._turn()
                await asyncio.sleep(self._pace.spend(size, clock()))

    async def _turn(self) -> int:
        """Answer up to a turn's worth of datagrams to one asker; return their bytes."""
        asker, ranges = self._queue.take()
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
        letters = self._letters(asker, answer)
        self._send(asker, answer.datagrams + letters)
        size = sum(map(len, answer.datagrams)) + sum(map(len, letters))
        self.datagrams += len(answer.datagrams) + len(letters)
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
