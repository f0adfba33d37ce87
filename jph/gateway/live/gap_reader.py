"""Reads the table of gaps for the page: every 30 s at most, while a client watches."""

import asyncio
import contextlib
import logging
import time
from typing import Any, Final

from collector.history.gaps import Gaps, read_gaps
from jph.config.model import Network
from jph.errors import JphError
from jph.gateway.live.gaps import MOST_READ, UNREADABLE, history_of
from jph.gateway.live.stream import Hub
from jph.util.worker import Worker

EVERY_S: Final = 30.0
PATIENCE_S: Final = 10.0
"""After this time without an answer PostgreSQL is said to be away."""
PAGE_WAITS_S: Final = 1.0
"""How long a page that is asked for waits for a reading; it gets a later one by the stream."""
_VANISHED: Final = " keepalives_idle=10 keepalives_interval=5 keepalives_count=3"
"""A server's host that has lost its power is found out in 25 s, not in the kernel's two hours."""


class HoleReader:
    """Keeps the history of the hub's board as new as `every_s`, while there are browsers.

    Nothing is raised: a PostgreSQL that is away is waited for.

    Attributes:
        gaps: what was read last; None if the last attempt failed, or there was none.
    """

    def __init__(
        self,
        hub: Hub,
        log: "logging.Logger | logging.LoggerAdapter[Any]",
        *,
        every_s: float = EVERY_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.gaps: Gaps | None = None
        self._hub = hub
        self._log = log
        self._every_s = every_s
        self._patience_s = patience_s
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()
        self._looked_s = -float("inf")
        self._failed = False

    async def run(self) -> None:
        """Read until cancelled."""
        worker = Worker("jph holes")
        try:
            while True:
                if not self._wanted.is_set() and not self._hub.clients:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._every_s):
                            await self._wanted.wait()
                    continue
                self._wanted.clear()
                if self._hub.board.history is not None:
                    await self._read(worker, self._hub.board.network)
                await asyncio.sleep(self._every_s)
        finally:
            worker.stop()

    async def fresh(self) -> None:
        """Have the table read if that was long ago, and wait a little for it."""
        if self._hub.board.history is None or time.monotonic() - self._looked_s < self._every_s:
            return
        self._wanted.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PAGE_WAITS_S):
                await self._looked.wait()

    def show(self) -> None:
        """Put what was read last on the board, which may be a new one."""
        board = self._hub.board
        if board.history is None or self._looked_s < 0:
            return
        board.set_history(history_of(self.gaps, board.network) if self.gaps else UNREADABLE)
        self._hub.wake()

    async def _read(self, worker: Worker, network: Network) -> None:
        reading = asyncio.ensure_future(worker.run(_newest, network))
        try:
            done, _ = await asyncio.wait({reading}, timeout=self._patience_s)
            if not done:
                self._take(None, "it does not answer")
            self._take(await reading, "")
        # What psycopg2 cannot make a datetime of (the year 10000) is a ValueError.
        except (JphError, ValueError) as error:
            self._take(None, str(error))
        finally:
            reading.cancel()

    def _take(self, gaps: Gaps | None, trouble: str) -> None:
        if trouble and not self._failed:
            self._log.warning("the history's holes cannot be read, trying again: %s", trouble)
        elif self._failed and not trouble:
            self._log.info("the history's holes can be read again")
        self._failed = bool(trouble)
        self.gaps, self._looked_s = gaps, time.monotonic()
        self.show()
        event, self._looked = self._looked, asyncio.Event()
        event.set()


def _newest(network: Network) -> Gaps:
    from collector.db.location import dsn_of

    return read_gaps(dsn_of(network) + _VANISHED, newest=MOST_READ)
