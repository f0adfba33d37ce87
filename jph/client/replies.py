"""Readings that follow a command, for as long as the command waits for them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final

from jph.config.model import Network
from jph.errors import DecodeError
from jph.net.channel import Address
from jph.net.group_listener import GroupListener
from jph.node.arrivals import parts
from jph.wire.codec import Reading, decode_batch, decode_data

Take = Callable[[Sequence[Reading]], None]

_JOIN_LIMIT_S: Final = 1.0
_LOOK_S: Final = 0.01
_STAY_S: Final = 30.0
"""How long the group stays joined after the last command."""


class Heard:
    """The newest reading of each of some codifiers."""

    def __init__(self, codifiers: Iterable[str]) -> None:
        self.readings: dict[str, Reading] = {}
        self._codifiers = frozenset(codifiers)
        self._came = asyncio.Event()

    def take(self, readings: Iterable[Reading]) -> None:
        """Take readings from the bus."""
        for reading in readings:
            if reading.source in self._codifiers:
                self.readings[reading.source] = reading
                self._came.set()

    async def until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Wait until `condition` holds, at most `limit_s`; return whether it does."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not condition():
                    self._came.clear()
                    await self._came.wait()
        return condition()


class Replies:
    """Passes readings to the commands that wait; pass each batch from the data bus to `take`."""

    def __init__(self) -> None:
        self._takers: list[Take] = []

    def take(self, readings: Sequence[Reading]) -> None:
        """Pass on readings from the bus."""
        for each in self._takers:
            each(readings)

    @contextlib.asynccontextmanager
    async def listening(self, take: Take) -> AsyncIterator[None]:
        """Pass every reading, announcements excepted, to `take` for the length of a block."""
        self._takers.append(take)
        try:
            await self._join()
            yield
        finally:
            self._takers.remove(take)
            self._leave()

    @contextlib.asynccontextmanager
    async def hear(self, codifiers: Iterable[str]) -> AsyncIterator[Heard]:
        """Collect the readings of these codifiers for the length of a block."""
        heard = Heard(codifiers)
        async with self.listening(heard.take):
            yield heard

    async def _join(self) -> None:
        """Make sure that readings arrive."""

    def _leave(self) -> None:
        """Note that a command has ended."""


class GroupReplies(Replies):
    """Joins the data group of `network()` with the first command and leaves it when idle.

    All other values of a gateway come from the cache, which costs less, but may be down when a
    user switches a heater off. Commands in quick succession share one membership.
    """

    def __init__(self, network: Callable[[], Network], stay_s: float = _STAY_S) -> None:
        super().__init__()
        self._network = network
        self._stay_s = stay_s
        self._listener: GroupListener | None = None
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    @property
    def joined(self) -> bool:
        """Whether the group is joined."""
        return self._listener is not None and self._listener.joined

    def close(self) -> None:
        """Leave the group now: the configuration has changed, or the gateway ends."""
        if self._leaving is not None:
            self._leaving.cancel()
        if self._task is not None:
            self._task.cancel()
        self._task = self._listener = self._leaving = None

    async def _join(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._listener is None:
            multicast = self._network().multicast
            self._listener = GroupListener(multicast.data, multicast, self._receive)
            self._task = asyncio.create_task(self._listener.run(), name="replies")
        listener = self._listener
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOIN_LIMIT_S):
                while not listener.joined:  # noqa: ASYNC110 - it joins in its first turn, or waits
                    await asyncio.sleep(_LOOK_S)

    def _leave(self) -> None:
        if not self._takers and self._leaving is None and self._task is not None:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(self._stay_s, self.close)

    def _receive(self, batch: memoryview, size: int, sender: Address) -> None:
        if self._takers:
            for part in parts(decode_batch(decode_data, batch, size, _ignore)):
                if not isinstance(part, Reading):  # an announcement is no value
                    self.take(part)


def _ignore(_: DecodeError) -> None:
    """Leave out a datagram that is no reading: every node on the bus counts and logs it."""
