"""WebSockets for clients of the original projects: the radiator app, DomoPyc's live power.

The radiator app connects to `/api`, or to `/`, with its token as subprotocol, and drops a
connection that does not echo it. `/livedata/power` is for clients that may read: public, session,
token.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any, Final, NamedTuple

from collector.db.location import zone_of
from collector.history.query import Level, Wanted, read_curves
from jph.client import orders
from jph.errors import StoreError
from jph.gateway.accounts.roles import Role
from jph.gateway.live import radiators
from jph.gateway.live.gaps import keeps_history
from jph.gateway.platform.protection import App, Receive, Scope, Send, refusal
from jph.gateway.platform.services import Services
from jph.heating.orders.coding import Order
from jph.node.node import now_ms

_APP_PATHS: Final = frozenset({"/", "/api"})
_POWER: Final = "/livedata/power"
_POLICY: Final = 1008
"""Close code of WebSocket (RFC 6455): the message violates a policy."""
_GOING_AWAY: Final = 1001
_MERGE_S: Final = 0.1
_MOST: Final = 64
_POINTS: Final = 200_000


class Door(NamedTuple):
    """Token and role of the radiator app; without a token it is refused."""

    token: str = ""
    role: Role = Role.VIEWER


MayRead = Callable[[Scope], Awaitable[bool]]


class LiveSockets:
    """An ASGI application around another: takes these WebSockets, passes all else on."""

    def __init__(
        self, app: App, services: Services, door: Door, hosts: Collection[str], may_read: MayRead
    ) -> None:
        self._app = app
        self._services = services
        self._door = door
        self._hosts = hosts
        self._may_read = may_read
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one WebSocket to its end."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        offered = scope.get("subprotocols", ())
        is_app = scope["path"] in _APP_PATHS and self._is_token(offered)
        if not is_app and scope["path"] != _POWER:
            await self._app(scope, receive, send)
            return
        await receive()  # the handshake
        if self._running >= _MOST or (not is_app and not await self._may_watch(scope)):
            await send({"type": "websocket.close", "code": _POLICY})
            return
        self._running += 1
        try:
            await send(
                {"type": "websocket.accept", "subprotocol": self._door.token if is_app else None}
            )
            place = (scope.get("client") or ("-", 0))[0]
            talk = _AppTalk(self._services, self._door, send, place)
            serve = talk.run(receive) if is_app else _power(self._services, receive, send)
            with contextlib.suppress(OSError, RuntimeError):  # the client went first
                await serve
                await send({"type": "websocket.close", "code": _GOING_AWAY})
        finally:
            self._running -= 1

    def _is_token(self, offered: Collection[str]) -> bool:
        token = self._door.token.encode()
        return bool(token) and any(secrets.compare_digest(o.encode(), token) for o in offered)

    async def _may_watch(self, scope: Scope) -> bool:
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        place = scope.get("place")
        refused = refusal("POST", headers, self._hosts, any_port=bool(place and place.any_port))
        return refused is None and await self._may_read(scope)


class _AppTalk:
    """One radiator app."""

    def __init__(self, services: Services, door: Door, send: Send, place: str) -> None:
        self._services = services
        self._door = door
        self._send = send
        self._place = place
        self._sent: dict[str, Any] = {}
        self._orders: set[asyncio.Task[None]] = set()

    async def run(self, receive: Receive) -> None:
        """Serve until the app goes or the gateway ends."""
        writer = asyncio.create_task(self._follow())
        reader = asyncio.create_task(self._listen(receive))
        try:
            await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, reader, *self._orders):
                task.cancel()
            await asyncio.gather(writer, reader, *self._orders, return_exceptions=True)

    async def _listen(self, receive: Receive) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            hub = self._services.hub
            command = radiators.read_command(message.get("text") or "", hub.board)
            if command is None:
                continue
            if command.kind == "heaters":
                self._sent.clear()  # the app takes its state only from messages
                await self._tell(radiators.heaters(hub.board))
                await self._news()
            elif command.kind == "history":
                await self._history(command.history)
            elif self._door.role >= Role.OPERATOR:
                task = asyncio.create_task(self._order(command))
                self._orders.add(task)
                task.add_done_callback(self._orders.discard)

    async def _follow(self) -> None:
        async for _ in self._services.hub.turns(_MERGE_S):
            await self._news()

    async def _news(self) -> None:
        board = self._services.hub.board
        now = dict(radiators.states(board, time.time()))
        now["heaters"] = radiators.heaters(board)
        for name, message in now.items():
            if self._sent.get(name) != _lasting(message):
                self._sent[name] = _lasting(message)
                await self._tell(message)

    async def _order(self, command: radiators.Command) -> None:
        services = self._services
        wanted = Order(command.order)
        network = services.hub.board.network
        outcomes = await orders.give(services.client, network, list(command.heaters), wanted)
        told = "; ".join(f"{o.heater.codifier} {o.words()}" for o in outcomes)
        which = "all" if len(outcomes) > 1 else command.heaters[0].codifier
        text = f"order {which} {wanted.word}"
        services.auditor.note("radiator app", self._place, text, told, of_program=True)
        await self._tell(radiators.heaters(services.hub.board))

    async def _history(self, length: str) -> None:
        services = self._services
        board = services.hub.board
        names, end_ms = radiators.wanted_of(board), now_ms()
        hours: dict[str, dict[int, radiators.Hour]] = {}
        if names and keeps_history(board.network):
            start_ms = max(0, end_ms - radiators.RANGES_MS[length])
            codes = tuple(dict.fromkeys(names.values()))
            wanted = Wanted(codes, start_ms, end_ms, _POINTS, Level.HOUR)
            question = partial(read_curves, wanted=wanted, zone=zone_of(board.network))
            with contextlib.suppress(StoreError):
                for curve in await services.history.ask(question, self._place):
                    columns = (curve.times, curve.low, curve.values, curve.high)
                    hours[curve.codifier] = radiators.hours_in(
                        *(json.loads(each or "[]") for each in columns)
                    )
        await self._tell(radiators.history(length, names, hours, end_ms))

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": json.dumps(message)})


def _lasting(message: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return what makes a message a new one; a time alone does not, to a second."""
    data = message["data"]
    return {**data, "time": round(data["time"])} if message["type"] == "power" else data


async def _power(services: Services, receive: Receive, send: Send) -> None:
    """Send each value of the house's power from now on, as DomoPyc's meter gave it."""

    async def follow() -> None:
        last: dict[str, Any] = {}
        async for _ in services.hub.turns(_MERGE_S):
            power = dict(radiators.states(services.hub.board, time.time())).get("power")
            if power is None or _lasting(power) == last:
                continue
            last = _lasting(power)
            when = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(power["data"]["time"]))
            content = {"date": f"{when[:-2]}:{when[-2:]}", "watt": power["data"]["value"]}
            await send({"type": "websocket.send", "text": json.dumps(content)})

    async def gone() -> None:
        while (await receive())["type"] == "websocket.receive":
            pass

    tasks = [asyncio.create_task(follow()), asyncio.create_task(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
