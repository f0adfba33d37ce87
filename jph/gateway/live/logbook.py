"""The newest log lines of all nodes, as they came from the network: bounded in every way."""

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import msgspec

from jph.config.model import Multicast
from jph.errors import DecodeError
from jph.net.channel import Address
from jph.net.group_listener import GroupListener
from jph.net.log_channel import LogLine, decode
from jph.util.token_bucket import TokenBucket

MOST_KEPT: Final = 4000
MOST_A_SECOND: Final = 500.0
_BURST: Final = 2000.0
_MOST_SENDERS: Final = 256
_MOST_COUNTED: Final = 2**53
"""What senders say that they held back has no other bound, and JSON's numbers end."""
_STRANGE_GAP: Final = 10_000
"""A count that leaps so far is no loss: the sender's port belongs to another program now."""
MERGE_S: Final = 0.1
"""So long those who wait for lines are not woken after the first, so that they get many at once."""


class Entry(msgspec.Struct, frozen=True):
    """One line. `id` counts the lines of this book; `time` is the sender's, ms since 1970."""

    id: int
    time: int
    code: str
    level: str
    host: str
    text: str


class Logbook:
    """Keeps the newest lines, and lets many wait for more.

    Attributes:
        epoch: a new one for each book, so that a client does not mix up the ids of two.
        missed: lines that were lost on the way, or that their program held back.
        surplus: lines that came faster than the book takes them.
        refused: datagrams that were no lines.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.epoch = secrets.token_hex(4)
        self.missed = self.surplus = self.refused = 0
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=MOST_KEPT)
        self._next = 0
        self._allowance = TokenBucket(MOST_A_SECOND, _BURST)
        self._counts: dict[Address, int] = {}
        self._came = asyncio.Event()
        self._closed = False
        self._ear: GroupListener | None = None

    @property
    def next_id(self) -> int:
        """The id that the next line will have."""
        return self._next

    @property
    def joined(self) -> bool:
        """Whether lines can come."""
        return self._ear is not None and self._ear.joined

    async def listen(self, multicast: Multicast) -> None:
        """Take what comes on the log channel, if there is one, until cancelled."""
        self._ear = None
        if multicast.log is not None:
            self._ear = GroupListener(multicast.log, multicast, self.receive)
            await self._ear.run()

    def receive(self, batch: memoryview, size: int, sender: Address) -> None:
        """Take datagrams, `size` bytes each; the last may be shorter."""
        for start in range(0, len(batch), size or 1):
            if not self._allowance.take(self._clock()):
                self.surplus += 1
                continue
            try:
                line = decode(batch[start : start + size])
            except DecodeError:
                self.refused += 1
            else:
                self._take(line, sender)

    def after(self, last_id: int, most: int) -> list[Entry]:
        """Return the oldest lines, at most `most`, that came after that of an id."""
        first = self._next - len(self._entries)
        skipped = max(0, last_id + 1 - first)
        return list(islice(self._entries, skipped, skipped + most))

    async def wait(self, last_id: int, limit_s: float) -> None:
        """Wait until there is a line after that of an id, or the book is closed; not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while self._next <= last_id + 1 and not self._closed:
                    await self._came.wait()
                if not self._closed:
                    await asyncio.sleep(MERGE_S)

    def close(self) -> None:
        """End all waiting."""
        self._closed = True
        self._wake()

    def _take(self, line: LogLine, sender: Address) -> None:
        missed = self.missed + line.held + self._gap(line.n, sender)
        self.missed = min(missed, _MOST_COUNTED)
        self._entries.append(
            Entry(self._next, line.time, line.code, line.level, line.host, line.text)
        )
        self._next += 1
        self._wake()

    def _gap(self, count: int, sender: Address) -> int:
        """Return how many lines of a sender did not come before this one."""
        before = self._counts.pop(sender, None)
        while len(self._counts) >= _MOST_SENDERS:
            del self._counts[next(iter(self._counts))]
        self._counts[sender] = count
        gap = 0 if before is None else count - before - 1
        return gap if 0 < gap < _STRANGE_GAP else 0

    def _wake(self) -> None:
        event, self._came = self._came, asyncio.Event()
        event.set()


def matching(entries: list[Entry], code: str, levels: frozenset[str], text: str) -> Iterator[Entry]:
    """Yield the entries of a codifier ("" is any), of some levels, with a text in them."""
    wanted = text.casefold()
    for entry in entries:
        said = f"{entry.code} {entry.host} {entry.text}".casefold()
        if code in ("", entry.code) and entry.level in levels and wanted in said:
            yield entry
