"""Limits connections and the time to read a request header and body."""

import asyncio
import logging
import time
from collections import Counter
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from jph.gateway.accounts.throttle import place_of
from jph.gateway.platform.forwarded import UNIX
from jph.util.logs import Throttle

HEAD_LIMIT_S: Final = 10.0
"""How long a request header may take, from connecting or from the first byte of a further one."""
BODY_LIMIT_S: Final = 20.0
"""How long the body of a request may take after its header: a slow body occupies a connection."""
MOST_CONNECTIONS: Final = 256
"""Far below the 1024 files that a process may usually have open."""
_NO_FILES: Final = "socket.accept() out of system resource"  # asyncio's words


class Connection(H11Protocol):
    """One client. Beyond the limit, the connection that is idle for longest is closed.

    If none is idle, one of the address with the most connections is closed.
    """

    _waits_since_s: float = 0.0
    _upgraded = False
    _limit: asyncio.TimerHandle | None = None
    _body: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a client in."""
        super().connection_made(transport)
        if self.client is None:
            self.client = (UNIX, 0)
        self._wait_for_head()
        if len(self.connections) > MOST_CONNECTIONS:
            self._evict()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a client."""
        self._head_came()
        self._body_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what a client sends."""
        super().data_received(data)
        if self._upgraded:
            return
        self._watch_body()
        if self.busy:
            self._head_came()
        elif self._limit is None and not self.transport.is_closing():
            self._wait_for_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over: what follows is no request."""
        self._head_came()
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for another request, if there is to be one."""
        self._waits_since_s = time.monotonic()
        super().on_response_complete()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_evictable(self) -> bool:
        """Whether nothing whole has been asked that is not answered yet."""
        return not self.busy or self._body is not None

    def _wait_for_head(self) -> None:
        self._waits_since_s = time.monotonic()
        self._limit = self.loop.call_later(HEAD_LIMIT_S, self.transport.close)

    def _head_came(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _watch_body(self) -> None:
        if self.conn.their_state is not h11.SEND_BODY:
            self._body_came()
        elif self._body is None:
            self._body = self.loop.call_later(BODY_LIMIT_S, self.transport.abort)

    def _body_came(self) -> None:
        if self._body is not None:
            self._body.cancel()
            self._body = None

    def _evict(self) -> None:
        idle = [c for c in self.connections if isinstance(c, Connection) and c._is_evictable]
        oldest = min(idle, key=lambda c: c._waits_since_s)  # at least we ourselves are idle
        if oldest is self:
            oldest = self._of_the_greediest()
        self.connections.discard(oldest)  # `connection_lost` comes in the next turn of the loop
        oldest.transport.abort()
        self.logger.warning("more than %d connections: one dropped", MOST_CONNECTIONS)

    @property
    def _place(self) -> str:
        return place_of(self.client[0]) if self.client else ""

    def _of_the_greediest(self) -> "Connection":
        """Return the oldest connection of the address with the most, or this one if it is of it."""
        every = [c for c in self.connections if isinstance(c, Connection)]
        many = Counter(c._place for c in every)
        (place, most), *_ = many.most_common(1)
        if most <= many[self._place] + 1:
            return self
        return min((c for c in every if c._place == place), key=lambda c: c._waits_since_s)


class ServerLog(logging.Filter):
    """Throttles the log of the web server to one line a minute for each message.

    Any client that reaches the port can cause such lines.
    """

    def __init__(self, log: logging.LoggerAdapter[logging.Logger]) -> None:
        super().__init__()
        self._log = log
        self._codifier = str((log.extra or {}).get("codifier", "--"))
        self._throttle = Throttle()
        self._logger = logging.getLogger("uvicorn.error")

    def start(self) -> None:
        """Listen to the server and to its loop."""
        self._logger.addFilter(self)
        asyncio.get_running_loop().set_exception_handler(self._loop_failed)

    def stop(self) -> None:
        """Listen no more."""
        self._logger.removeFilter(self)
        asyncio.get_running_loop().set_exception_handler(None)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass if the like has not been for a minute."""
        record.codifier = self._codifier
        error = record.exc_info[1] if record.exc_info else None
        return self._throttle.allow((record.msg, repr(error)), time.monotonic())

    def _loop_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log exhausted file descriptors in one line instead of thousands of tracebacks."""
        if context.get("message") != _NO_FILES:
            loop.default_exception_handler(context)
        elif self._throttle.allow(_NO_FILES, time.monotonic()):
            self._log.error("no connection can be taken: %s", context.get("exception"))
