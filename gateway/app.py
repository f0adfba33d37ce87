"""The addresses of the gateway: the page, the API, the stream."""

import asyncio
import logging
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Litestar, MediaType, Request, Response, asgi, get, post
from litestar.datastructures import CacheControlHeader
from litestar.exceptions import HTTPException
from litestar.static_files import create_static_files_router

from gateway import page
from gateway.commands import FLAGS, Answer, Commander, TooManyWaiting
from gateway.guard import App, Guard
from gateway.history import records_of
from gateway.holes import HoleReader
from gateway.stream import Hub

_HERE: Final = Path(__file__).parent
_MOST_BODY_BYTES: Final = 64 * 1024
BODY_LIMIT_S: Final = 10.0
"""How long the rest of a request may take; none of ours has one."""
_STREAM: Final = "/events"

# A parameter that is taken from the path as it is has been declared differently in each Litestar.
_Request = Request[Any, Any, Any]

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


def build_app(
    hub: Hub, commander: Commander, holes: HoleReader, hosts: Collection[str], log: Log
) -> App:
    """Return the whole application, doors included.

    `hub.board` is what is shown, `commander` what speaks to nodes, `holes` what reads
    the history's, `hosts` our names.
    """
    routes = _Routes(hub, commander, holes, log)

    def as_fault(_: object, error: Exception) -> Response[dict[str, str]]:
        """Log a bug with its traceback and tell the browser only that there is one."""
        log.error("the gateway failed", exc_info=error)
        return Response({"error": "internal error"}, status_code=500, media_type=MediaType.JSON)

    static = create_static_files_router(
        path="/static",
        directories=[_HERE / "static"],
        cache_control=CacheControlHeader(no_cache=True),
    )
    app = Litestar(
        [*routes.handlers(), static],
        exception_handlers={HTTPException: _as_json, Exception: as_fault},
        request_max_body_size=_MOST_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    return Guard(_heads_as_gets(app), hosts)


class _Routes:
    """The handlers and the parts they need."""

    def __init__(self, hub: Hub, commander: Commander, holes: HoleReader, log: Log) -> None:
        self._hub = hub
        self._commander = commander
        self._holes = holes
        self._log = log

    def handlers(self) -> list[Any]:
        """Return the route handlers, bound to the parts."""
        hub, commander, holes, log = self._hub, self._commander, self._holes, self._log
        template = _templates().get_template("index.html")

        @get("/")
        async def index() -> Response[str]:
            await holes.fresh()
            return Response(template.render(_context(hub)), media_type=MediaType.HTML)

        @get("/sensor", sync_to_thread=False)
        def sensors() -> list[dict[str, object]]:
            hub.board.settle(time.monotonic())
            return [hub.board.record(codifier) for codifier in hub.board.codifiers]

        @get("/sensor/{codifier:str}", sync_to_thread=False)
        def sensor(request: _Request) -> list[dict[str, object]]:
            hub.board.settle(time.monotonic())
            return [hub.board.record(_known(hub, request.path_params["codifier"]))]

        @get("/gaps")
        async def gaps(request: _Request) -> list[dict[str, object]]:
            await holes.fresh()
            return _gaps(hub, holes, request.query_params.get("code"))

        @post("/sensormsg/{codifier:str}/{flag:str}", status_code=200)
        async def message(request: _Request) -> Answer:
            await _read(request)
            return await _command(hub, commander, log, **request.path_params)

        @get("/healthz", sync_to_thread=False)
        def health() -> dict[str, object]:
            board = hub.board
            return {"status": "ok", "redis": board.cache_here, "clients": hub.clients}

        @asgi(_STREAM, copy_scope=True)
        async def events(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            if scope["method"] != "GET":
                raise HTTPException("events are for GET", status_code=405)
            headers = dict(scope["headers"])
            await hub.serve(receive, send, headers.get(b"last-event-id", b"").decode("latin-1"))

        return [index, sensors, sensor, gaps, message, health, events]


def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )


async def _read(request: _Request) -> None:
    """Read a request to its end: one that breaks off is no command."""
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            await request.body()
    except TimeoutError as error:
        raise HTTPException("the request does not end", status_code=408) from error


async def _command(hub: Hub, commander: Commander, log: Log, codifier: str, flag: str) -> Answer:
    sensor = hub.board.network.sensor(_known(hub, codifier))
    allowed = {"P": FLAGS["P"]} if sensor.parent else page.flags_of(sensor)
    if flag not in FLAGS:
        raise HTTPException(f"no such command: {flag}; known: {', '.join(FLAGS)}", status_code=404)
    if flag not in allowed:
        raise HTTPException(f"{codifier} takes no {FLAGS[flag]}", status_code=409)
    try:
        answer = await commander.ask(codifier, flag, sensor.parent or codifier)
    except TooManyWaiting as error:
        raise HTTPException("too many commands are waiting", status_code=429) from error
    log.info("%s of %s from the page: %s", FLAGS[flag], codifier, answer.text)
    return answer


def _gaps(hub: Hub, holes: HoleReader, codifier: str | None) -> list[dict[str, object]]:
    if hub.board.history is None:
        raise HTTPException("this configuration has no history", status_code=404)
    if holes.gaps is None:
        raise HTTPException("PostgreSQL cannot be read now", status_code=503)
    found = records_of(holes.gaps, hub.board.network, codifier)
    if codifier is not None and not found:
        _known(hub, codifier)
    return found


def _known(hub: Hub, codifier: str) -> str:
    if codifier not in hub.board:
        raise HTTPException("no such codifier in the config", status_code=404)
    return codifier


def _context(hub: Hub) -> dict[str, Any]:
    board = hub.board
    board.settle(time.monotonic())
    return {
        "board": board,
        "dials": page.dials_of(board),
        "rooms": page.rooms_of(board),
        "lines": page.lines_of(board),
        "power": _tile(hub, board.house.power),
        "tariff": _tile(hub, board.house.tariff),
        "summary": board.summary(),
        "history": board.history,
    }


def _tile(hub: Hub, codifier: str | None) -> page.Tile | None:
    if codifier is None or codifier not in hub.board:
        return None
    sensor = hub.board.network.sensor(codifier)
    return page.Tile(page.label(sensor), codifier, hub.board.row(codifier), [])


def _as_json(_: object, error: HTTPException) -> Response[dict[str, str]]:
    """Say a refusal in JSON, without more of the inside than its own words."""
    return Response(
        {"error": error.detail}, status_code=error.status_code, media_type=MediaType.JSON
    )


def _heads_as_gets(app: Any) -> App:  # noqa: ANN401 - Litestar's own types are narrower
    """Answer HEAD as GET; the server leaves the body out. A stream has no end to know before."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] != _STREAM:
            scope = {**scope, "method": "GET"}
        await app(scope, receive, send)

    return answer
