"""Message rates on the two buses by source, counted only while a client asks for them.

About `MOST_A_SECOND` messages a second are counted on average: after a busy window the groups are
left until the average is below that, and the last rates stay.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from jph.config.model import Multicast
from jph.net.channel import Address
from jph.net.group_listener import GroupListener

LOOKED_AT_S: Final = 12.0
"""How long after a request counting goes on."""
WINDOW_S: Final = 1.0
MOST_A_SECOND: Final = 5000
_LONGEST_REST_S: Final = 10.0
_SMOOTHING: Final = 0.4
"""The share of the newest window in a rate."""
_LEAST: Final = 0.005
"""Messages a second that count as none."""
_SOURCE: Final = 17
"""Where a datagram has its source, two bytes (jph/wire/codec.py)."""


class Rates(NamedTuple):
    """Messages a second by source codifier on each bus; `counting` is whether they are of now."""

    control: dict[str, float]
    data: dict[str, float]
    counting: bool


class Tally:
    """Counts the messages of one bus by source, and smooths them to rates."""

    def __init__(self) -> None:
        self.rates: dict[str, float] = {}
        self._window: Counter[tuple[int, int]] = Counter()

    def receive(self, batch: memoryview, size: int, _: Address) -> None:
        """Count a batch; nothing but the sources is looked at."""
        if size > _SOURCE:
            data = batch.tobytes()
            self._window.update(zip(data[_SOURCE::size], data[_SOURCE + 1 :: size], strict=False))

    def end(self, seconds: float, *, fresh: bool) -> int:
        """End a window of some length, return how many messages it had; `fresh` forgets rates."""
        counted = {chr(a) + chr(b): n for (a, b), n in self._window.items()}
        whole = self._window.total()
        self._window.clear()
        before = {} if fresh else self.rates
        share = 1.0 if fresh else _SMOOTHING
        self.rates = {}
        for source in {*before, *counted}:
            old = before.get(source, 0.0)
            rate = old + share * (counted.get(source, 0) / seconds - old)
            if rate >= _LEAST:
                self.rates[source] = rate
        return whole


class Traffic:
    """The rates of both buses, while a client asks for them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.control, self.data = Tally(), Tally()
        self._clock = clock
        self._until_s = -float("inf")
        self._asked = asyncio.Event()
        self._counting = False

    def rates(self) -> Rates:
        """Return the rates, and have them counted for some seconds more."""
        self._until_s = self._clock() + LOOKED_AT_S
        self._asked.set()
        return Rates(dict(self.control.rates), dict(self.data.rates), self._counting)

    async def listen(self, multicast: Multicast) -> None:
        """Count while a client asks, until cancelled."""
        while True:
            self._asked.clear()
            if self._clock() >= self._until_s:
                self._counting = False
                await self._asked.wait()
            rest_s = await self._count(multicast)
            if rest_s:
                await asyncio.sleep(rest_s)

    async def _count(self, multicast: Multicast) -> float:
        """Count while it is cheap; return how long to leave the buses after it."""
        ears = (
            GroupListener(multicast.control, multicast, self.control.receive),
            GroupListener(multicast.data, multicast, self.data.receive),
        )
        tasks = [asyncio.ensure_future(ear.run()) for ear in ears]
        try:
            while self._clock() < self._until_s:
                began_s, fresh = self._clock(), not self._counting
                await asyncio.sleep(WINDOW_S)
                seconds = self._clock() - began_s
                seen = sum(t.end(seconds, fresh=fresh) for t in (self.control, self.data))
                self._counting = True
                rest_s = seen / MOST_A_SECOND - seconds
                if rest_s > 0:
                    return min(rest_s, _LONGEST_REST_S)
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
        return 0.0
