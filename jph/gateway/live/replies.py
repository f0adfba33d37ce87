"""What codifiers say on the data bus while somebody waits for it: the answers to commands.

Only then is the bus listened to: all other values come from the cache, which is cheaper, but may be
away when somebody turns a heater off.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable

from jph.config.model import Network
from jph.errors import DecodeError
from jph.net.channel import Address
from jph.net.group_listener import GroupListener
from jph.wire.codec import Reading, decode_batch, decode_data

_JOIN_LIMIT_S = 1.0
_LOOK_S = 0.01


class Heard:
    """The newest reading of each of some codifiers."""

    def __init__(self, codifiers: Iterable[str]) -> None:
        self.readings: dict[str, Reading] = {}
        self._codifiers = frozenset(codifiers)
        self._came = asyncio.Event()

    def take(self, readings: Iterable[Reading]) -> None:
        """Take what came on the bus."""
        for reading in readings:
            if reading.source in self._codifiers and reading.flag != "n":
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
    """Listens to the data bus of `network()` for those who wait for answers."""

    def __init__(self, network: Callable[[], Network]) -> None:
        self._network = network
        self._waiting: set[Heard] = set()
        self._ear: GroupListener | None = None
        self._task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def hear(self, codifiers: Iterable[str]) -> AsyncIterator[Heard]:
        """Give what these codifiers say from now on; nothing while the network is away."""
        heard = Heard(codifiers)
        self._waiting.add(heard)
        try:
            await self._joined()
            yield heard
        finally:
            self._waiting.discard(heard)
            if not self._waiting and self._task is not None:
                self._task.cancel()
                self._task = self._ear = None

    async def _joined(self) -> None:
        if self._ear is None:
            multicast = self._network().multicast
            self._ear = GroupListener(multicast.data, multicast, self._receive)
            self._task = asyncio.create_task(self._ear.run(), name="replies")
        ear = self._ear
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_JOIN_LIMIT_S):
                while not ear.joined:  # noqa: ASYNC110 - it joins within its first turn, or waits
                    await asyncio.sleep(_LOOK_S)

    def _receive(self, batch: memoryview, size: int, sender: Address) -> None:
        readings = decode_batch(decode_data, batch, size, _refuse)
        for heard in self._waiting:
            heard.take(readings)


def _refuse(_: DecodeError) -> None:
    """Leave out what is no reading: every program on the bus has told it already."""
