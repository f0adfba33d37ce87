"""The gateway's one way to the history: few connections, a thread each, and patience with an end.

A page never waits long for PostgreSQL: who asks while it is away is told at once, and one who asks
later finds it back. Programs that ask for more at a time than there are connections wait in turn;
beyond `MOST_WAITING` they are refused.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from collector.db.connecting import connect
from collector.db.location import dsn_of
from jph.config.model import Network
from jph.errors import StoreError
from jph.util.worker import Worker

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CONNECTIONS: Final = 2
MOST_WAITING: Final = 32
MOST_STREAMS: Final = 2
"""So many exports at a time, each with a connection of its own."""
PATIENCE_S: Final = 10.0
"""After this time a question is given up, by PostgreSQL itself too."""
AGAIN_S: Final = 1.0
"""So long after a failed attempt to connect nobody else tries."""

T = TypeVar("T")
Log = logging.Logger | logging.LoggerAdapter[Any]


class Busy(StoreError):
    """Too many questions are waiting."""


class HistoryReader:
    """Asks PostgreSQL on behalf of pages. `network` returns the configuration of now.

    Attributes:
        away: whether the last attempt failed because PostgreSQL was not to be had.
    """

    def __init__(
        self,
        network: Callable[[], Network],
        log: Log,
        *,
        connections: int = CONNECTIONS,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.away = False
        self._network = network
        self._log = log
        self._patience_s = patience_s
        self._lines = [_Line(network, patience_s) for _ in range(connections)]
        self._free: asyncio.LifoQueue[_Line] = asyncio.LifoQueue()
        for line in self._lines:
            self._free.put_nowait(line)
        self._waiting = 0
        self._streams = 0
        self._failed_s = -float("inf")
        self._trouble = ""

    async def ask(self, question: "Callable[[connection], T]") -> T:
        """Return what `question`, which blocks, finds out with a connection.

        Raises:
            Busy: too many others wait.
            StoreError: PostgreSQL is away, refuses the question, or takes too long.
        """
        self._refuse_early()
        if self._waiting >= MOST_WAITING:
            raise Busy("too many ask for the history at once")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                line = await self._free.get()
        except TimeoutError as error:
            raise Busy("too many ask for the history at once") from error
        finally:
            self._waiting -= 1
        work = asyncio.ensure_future(line.worker.run(line.ask, question))
        # Whoever gives up leaves the thread to its work, and the line is free when that is done.
        work.add_done_callback(lambda _: self._free.put_nowait(line))
        return await self._answer(line, work)

    async def stream(
        self, pieces: "Callable[[connection], Iterator[bytes]]"
    ) -> AsyncIterator[bytes]:
        """Yield what `pieces`, which blocks, makes of a connection of its own.

        Raises:
            Busy: there are too many streams already.
            StoreError: PostgreSQL is away, or goes away.
        """
        self._refuse_early()
        if self._streams >= MOST_STREAMS:
            raise Busy("too many exports at once")
        self._streams += 1
        line = _Line(self._network, self._patience_s, autocommit=False)
        try:
            made = await self._answer(line, asyncio.ensure_future(line.worker.run(line.open)))
            each = iter(pieces(made))
            while (piece := await line.worker.run(next, each, None)) is not None:
                yield piece
        finally:
            self._streams -= 1
            line.close()

    def close(self) -> None:
        """Close the connections, when what is under way is done."""
        for line in self._lines:
            line.close()

    def _refuse_early(self) -> None:
        if time.monotonic() - self._failed_s < AGAIN_S:
            raise StoreError(self._trouble)

    async def _answer(self, line: "_Line", work: "asyncio.Future[T]") -> T:
        try:
            # Twice: PostgreSQL itself ends what takes too long, unless it does not answer at all.
            async with asyncio.timeout(2 * self._patience_s):
                answer = await asyncio.shield(work)
        except TimeoutError as error:
            work.add_done_callback(_forget)
            self._note("it does not answer")
            raise StoreError("PostgreSQL does not answer") from error
        except StoreError as error:
            if line.connection is None:
                self._note(str(error))
            raise
        self._note("")
        return answer

    def _note(self, trouble: str) -> None:
        """Say once that PostgreSQL went away, and once that it is back."""
        if trouble and not self.away:
            self._log.warning("the history cannot be read, trying again: %s", trouble)
        elif self.away and not trouble:
            self._log.info("the history can be read again")
        self.away = bool(trouble)
        if trouble:
            self._failed_s, self._trouble = time.monotonic(), trouble


class _Line:
    """One connection and the thread that uses it; `connection` is None while there is none."""

    def __init__(
        self, network: Callable[[], Network], patience_s: float, *, autocommit: bool = True
    ) -> None:
        self.worker = Worker("jph history")
        self.connection: connection | None = None
        self._network = network
        self._of: Network | None = None
        self._patience_s = patience_s
        self._autocommit = autocommit

    def ask(self, question: "Callable[[connection], T]") -> T:
        """Ask; a connection that had ended unnoticed is made anew, once."""
        kept = self.connection is not None and self._of is self._network()
        try:
            return question(self.open())
        except StoreError:
            if self.connection is None or not self.connection.closed:
                raise
            self._end()
            if not kept:
                raise
        return question(self.open())

    def open(self) -> "connection":
        """Return the connection, of the configuration of now."""
        network = self._network()
        if self.connection is not None and self._of is not network:
            self._end()
        if self.connection is None:
            made = connect(dsn_of(network), "gateway", read_only=True)
            made.autocommit = True
            with made.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = {round(1000 * self._patience_s)}")
            made.autocommit = self._autocommit
            self.connection, self._of = made, network
        return self.connection

    def close(self) -> None:
        """End the thread, and the connection with it, after what it was given."""
        self.worker.post(self._end)
        self.worker.stop()

    def _end(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(Exception):  # it may have ended in any way
                self.connection.close()
        self.connection = None


def _forget(work: "asyncio.Future[Any]") -> None:
    """Take the answer that nobody waits for any more."""
    if not work.cancelled():
        work.exception()
