"""Server-sent events: each client gets the changes it has not seen, at its own pace.

A client has no queue, only the version it has seen. Changes are merged into the next event, so a
slow client costs no memory and does not delay others. A client that takes nothing is dropped.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from jph.gateway.live.board import Board
from jph.gateway.view.unknown import unknown_of

MERGE_S: Final = 0.04
"""Longest delay of a page: under 0.1 s, which people do not notice, so 100 browsers cost little."""
KEEP_ALIVE_S: Final = 15.0
STALL_S: Final = 10.0
MOST_CLIENTS: Final = 200
"""Fewer than connections are taken: with so many watching, the page still answers."""
RETRY_MS: Final = 2000
_MOST_MADE: Final = 100
"""Events of one moment that are kept for others who want the same."""

_START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),  # nginx would keep events back otherwise
    ],
}

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class Hub:
    """All browsers that watch one board. Times in s: merging, keep-alive and patience."""

    def __init__(
        self,
        board: Board,
        *,
        merge_s: float = MERGE_S,
        keep_alive_s: float = KEEP_ALIVE_S,
        stall_s: float = STALL_S,
    ) -> None:
        self.board = board
        self.dropped = 0
        self._merge_s = merge_s
        self._keep_alive_s = keep_alive_s
        self._stall_s = stall_s
        self._changed = asyncio.Event()
        self._closed = False
        self._places: dict[asyncio.Task[None], str] = {}
        self._made: dict[tuple[int, frozenset[str] | None], bytes] = {}
        self._made_for: tuple[int, float] = (-1, 0.0)
        self._summary = b""

    @property
    def clients(self) -> int:
        """How many watch now."""
        return len(self._places)

    def wake(self) -> None:
        """Tell all clients that the board has changed."""
        event, self._changed = self._changed, asyncio.Event()
        event.set()

    def use(self, board: Board) -> None:
        """Go on with another board, after a new configuration."""
        self.board = board
        self._made_for = (-1, 0.0)
        self.wake()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self.wake()

    async def turns(self, merge_s: float) -> AsyncIterator[Board]:
        """Yield the board at once, and after changes, until the hub closes."""
        while not self._closed:
            changed = self._changed
            yield self.board
            await changed.wait()
            await asyncio.sleep(merge_s)

    async def serve(
        self,
        receive: Receive,
        send: Send,
        last_id: str,
        codes: frozenset[str] | None = None,
        place: str = "",
    ) -> None:
        """Stream to one client until it goes away, stalls, makes room, or the hub closes.

        `last_id` is the id of the last event it has seen. `codes` are the codifiers it wants to
        hear of; None for all, and what the history lacks. `place` is where it is.
        """
        if self._closed or not self._has_room(place):
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b"too many browsers\n"})
            return
        gone = asyncio.ensure_future(_gone(receive))
        stream = asyncio.create_task(self._stream(send, last_id, codes))
        self._places[stream] = place
        try:
            await asyncio.wait({gone, stream}, return_when=asyncio.FIRST_COMPLETED)
            if stream.done() and not stream.cancelled():
                stream.result()
        except (TimeoutError, OSError):
            self.dropped += 1
        finally:
            self._places.pop(stream, None)
            for task in (gone, stream):
                task.cancel()
            await asyncio.gather(gone, stream, return_exceptions=True)

    def _has_room(self, place: str) -> bool:
        """Whether one more may watch; where most watch, the oldest makes room for who is elsewhere.

        One address cannot lock out others, and many users behind one address are not locked out.
        """
        if self.clients < MOST_CLIENTS:
            return True
        many = Counter(self._places.values())
        ((greediest, most),) = many.most_common(1)
        if most <= many[place] + 1:
            return False
        oldest = next(stream for stream, where in self._places.items() if where == greediest)
        del self._places[oldest]
        oldest.cancel()
        return True

    async def _stream(self, send: Send, last_id: str, codes: frozenset[str] | None) -> None:
        await self._send(send, f"retry: {RETRY_MS}\n\n".encode(), start=True)
        board, seen, told = self.board, self._seen(last_id), b""
        while not self._closed:
            changed = self._changed
            if board is not self.board:
                board, seen = self.board, -1
            if self.board.version > seen:
                event, version, summary = self._event(seen, codes)
                if event or summary != told:
                    await self._send(send, event or self._bare(version, summary))
                seen, told = version, summary
                await asyncio.sleep(self._merge_s)
                continue
            try:
                async with asyncio.timeout(self._keep_alive_s):
                    await changed.wait()
            except TimeoutError:
                await self._send(send, b": still here\n\n")
        with contextlib.suppress(OSError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, body: bytes, *, start: bool = False) -> None:
        """Send, but not for ever: a client whose socket stays full is given up."""
        async with asyncio.timeout(self._stall_s):
            if start:
                await send(_START)
            await send({"type": "http.response.body", "body": body, "more_body": True})

    def _seen(self, last_id: str) -> int:
        """Return the version a client has seen, -1 when its id is not of this board."""
        epoch, _, version = last_id.partition("-")
        if epoch != self.board.epoch or not version.isdecimal():
            return -1
        return min(int(version[:18]), self.board.version)

    def _event(self, seen: int, codes: frozenset[str] | None) -> tuple[bytes, int, bytes]:
        """Return the event with everything after `seen`, made once for clients in step.

        It is empty if nothing of `codes` has changed; with it come its version and the summary.
        """
        board, version = self.board, self.board.version
        # Ages in a row are of the moment it was made: an event is not kept longer than a merge.
        slot = asyncio.get_running_loop().time() // max(self._merge_s, 0.001)
        if self._made_for != (version, slot):
            self._made_for, self._made = (version, slot), {}
            self._summary = msgspec.json.encode(board.summary())
        if (seen, codes) not in self._made:
            if len(self._made) >= _MOST_MADE:
                self._made.clear()
            self._made[seen, codes] = self._make(seen, codes)
        return self._made[seen, codes], version, self._summary

    def _make(self, seen: int, codes: frozenset[str] | None) -> bytes:
        board, rows = self.board, self.board.rows(seen)
        content: dict[str, object] = {"layout": board.layout, "summary": msgspec.Raw(self._summary)}
        if codes is not None:
            rows = {code: row for code, row in rows.items() if code in codes}
            if not rows:
                return b""
        elif board.history is not None and board.history_version > seen:
            content["history"] = board.history
        return self._framed(board.version, {**content, "rows": rows})

    def _bare(self, version: int, summary: bytes) -> bytes:
        """Return an event for who wants few codifiers, of which none has changed."""
        content: dict[str, object] = {"layout": self.board.layout, "rows": {}}
        content["summary"] = msgspec.Raw(summary)
        return self._framed(version, content)

    def _framed(self, version: int, content: dict[str, object]) -> bytes:
        content["unknown"] = unknown_of(self.board)
        head = f"id: {self.board.epoch}-{version}\nevent: board\ndata: ".encode()
        return head + msgspec.json.encode(content) + b"\n\n"


async def _gone(receive: Receive) -> None:
    """Wait until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
