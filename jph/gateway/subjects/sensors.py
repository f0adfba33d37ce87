"""The codifiers: what the cache and the configuration say of each."""

import time
from typing import Any

from litestar import get
from litestar.exceptions import HTTPException

from jph.gateway.live.gaps import records_of
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import WebRequest


def handlers(parts: Parts) -> list[Any]:
    """Return the addresses of the original, and the holes."""
    hub, holes = parts.hub, parts.holes

    @get("/sensor", sync_to_thread=False)
    def sensors() -> list[dict[str, object]]:
        hub.board.settle(time.monotonic())
        return [hub.board.record(codifier) for codifier in hub.board.codifiers]

    @get("/sensor/{codifier:str}", sync_to_thread=False)
    def sensor(request: WebRequest) -> list[dict[str, object]]:
        hub.board.settle(time.monotonic())
        return [hub.board.record(known(parts, request.path_params["codifier"]))]

    @get("/gaps")
    async def gaps(request: WebRequest) -> list[dict[str, object]]:
        await holes.fresh()
        return _gaps(parts, request.query_params.get("code"))

    return [sensors, sensor, gaps]


def known(parts: Parts, codifier: str) -> str:
    """Return a codifier that is in the configuration; answers 404 for any other."""
    if codifier not in parts.hub.board:
        raise HTTPException("no such codifier in the config", status_code=404)
    return codifier


def _gaps(parts: Parts, codifier: str | None) -> list[dict[str, object]]:
    board = parts.hub.board
    if board.history is None:
        raise HTTPException("this configuration has no history", status_code=404)
    if parts.holes.gaps is None:
        raise HTTPException("PostgreSQL cannot be read now", status_code=503)
    found = records_of(parts.holes.gaps, board.network, codifier)
    if codifier is not None and not found:
        known(parts, codifier)
    return found
