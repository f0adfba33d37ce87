"""Reads the history for pages: few connections, a thread each, every wait limited.

While PostgreSQL is away, a request fails at once instead of waiting. Requests beyond the number of
connections wait in turn, those of one address one after the other, so that one client does not take
every connection. Beyond `MOST_WAITING` they are refused.
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
MOST_OF_ADDRESS: Final = 8
"""Requests of one address that wait at a time."""
MOST_STREAMS: Final = 2
"""Exports at a time, each with a connection of its own."""
PATIENCE_S: Final = 10.0
"""Longest time of a question; PostgreSQL has the same limit."""
AGAIN_S: Final = 1.0
"""Pause after a failed attempt to connect."""

T = TypeVar("T")
Log = logging.Logger | logging.LoggerAdapter[Any]


_TOO_MANY: Final = "too many ask for the history at once"


class Busy(StoreError):
    """Too many questions are waiting."""


class _Turn:
    """The questions of one address."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class HistoryReader:
    """Reads PostgreSQL for pages. `network` returns the current configuration.

    Attributes:
        away: whether the last attempt failed because PostgreSQL did not answer.
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
        self._workers = [_Worker(network, patience_s) for _ in range(connections)]
        self._free: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._free.put_nowait(worker)
        self._waiting = 0
        self._turns: dict[str, _Turn] = {}
        self._streams = 0
        self._failed_s = -float("inf")
        self._trouble = ""

    async def ask(self, question: "Callable[[connection], T]", place: str = "") -> T:
        """Return the result of `question`, which blocks and gets a connection.

        Of one `place`, the address of a client, one question is under way at a time.

        Raises:
            Busy: too many others wait.
            StoreError: PostgreSQL is away, refuses the question, or takes too long.
        """
        if not place:
            return await self._ask(question)
        turn = self._turns.setdefault(place, _Turn())
        if turn.users >= MOST_OF_ADDRESS:
            raise Busy(_TOO_MANY)
        turn.users += 1
        try:
            async with turn.lock:
                return await self._ask(question)
        finally:
            turn.users -= 1
            if not turn.users:
                self._turns.pop(place, None)

    async def _ask(self, question: "Callable[[connection], T]") -> T:
        self._refuse_early()
        if self._waiting >= MOST_WAITING:
            raise Busy(_TOO_MANY)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                worker = await self._free.get()
        except TimeoutError as error:
            raise Busy(_TOO_MANY) from error
        finally:
            self._waiting -= 1
        work = asyncio.ensure_future(worker.thread.run(worker.ask, question))
        # A request that gives up leaves the thread to its work; the worker is free once that ends.
        work.add_done_callback(lambda _: self._free.put_nowait(worker))
        return await self._answer(worker, work)

    async def stream(
        self, pieces: "Callable[[connection], Iterator[bytes]]"
    ) -> AsyncIterator[bytes]:
        """Yield the results of `pieces`, which blocks and gets a connection of its own.

        Raises:
            Busy: there are too many streams already.
            StoreError: PostgreSQL is away, or goes away.
        """
        self._refuse_early()
        if self._streams >= MOST_STREAMS:
            raise Busy("too many exports at once")
        self._streams += 1
        worker = _Worker(self._network, self._patience_s, autocommit=False)
        try:
            made = await self._answer(worker, asyncio.ensure_future(worker.thread.run(worker.open)))
            each = iter(pieces(made))
            while (piece := await worker.thread.run(next, each, None)) is not None:
                yield piece
        finally:
            self._streams -= 1
            worker.close()

    def close(self) -> None:
        """Close the connections after the work under way."""
        for worker in self._workers:
            worker.close()

    def _refuse_early(self) -> None:
        if time.monotonic() - self._failed_s < AGAIN_S:
            raise StoreError(self._trouble)

    async def _answer(self, worker: "_Worker", work: "asyncio.Future[T]") -> T:
        try:
            # Twice: PostgreSQL itself ends what takes too long, unless it does not answer at all.
            async with asyncio.timeout(2 * self._patience_s):
                answer = await asyncio.shield(work)
        except TimeoutError as error:
            work.add_done_callback(_forget)
            self._note("it does not answer")
            raise StoreError("PostgreSQL does not answer") from error
        except StoreError as error:
            if worker.connection is None:
                self._note(str(error))
            raise
        self._note("")
        return answer

    def _note(self, trouble: str) -> None:
        """Log once that PostgreSQL is away, and once that it is back."""
        if trouble and not self.away:
            self._log.warning("the history cannot be read, trying again: %s", trouble)
        elif self.away and not trouble:
            self._log.info("the history can be read again")
        self.away = bool(trouble)
        if trouble:
            self._failed_s, self._trouble = time.monotonic(), trouble


class _Worker:
    """One connection and the thread that uses it; `connection` is None while there is none."""

    def __init__(
        self, network: Callable[[], Network], patience_s: float, *, autocommit: bool = True
    ) -> None:
        self.thread = Worker("jph history")
        self.connection: connection | None = None
        self._network = network
        self._of: Network | None = None
        self._patience_s = patience_s
        self._autocommit = autocommit

    def ask(self, question: "Callable[[connection], T]") -> T:
        """Ask; a connection that ended unnoticed is opened again, once."""
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
        """Return a connection for the current configuration."""
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
        """End the thread and the connection after the work under way."""
        self.thread.post(self._end)
        self.thread.stop()

    def _end(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(Exception):  # it may have ended in any way
                self.connection.close()
        self.connection = None


def _forget(work: "asyncio.Future[Any]") -> None:
    """Take an answer that no request waits for any more."""
    if not work.cancelled():
        work.exception()
