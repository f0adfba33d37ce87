"""The codifiers: what the cache and the configuration say of each."""

import time
from typing import Any

from litestar import get
from litestar.exceptions import HTTPException

from jph.gateway.live.gaps import records_of
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest


def handlers(services: Services) -> list[Any]:
    """Return the addresses of the original, and the holes."""
    hub, holes = services.hub, services.holes

    @get("/sensor", sync_to_thread=False)
    def sensors() -> list[dict[str, object]]:
        hub.board.settle(time.monotonic())
        return [hub.board.record(codifier) for codifier in hub.board.codifiers]

    @get("/sensor/{codifier:str}", sync_to_thread=False)
    def sensor(request: WebRequest) -> list[dict[str, object]]:
        hub.board.settle(time.monotonic())
        return [hub.board.record(known(services, request.path_params["codifier"]))]

    @get("/gaps")
    async def gaps(request: WebRequest) -> list[dict[str, object]]:
        await holes.fresh()
        return _gaps(services, request.query_params.get("code"))

    return [sensors, sensor, gaps]


def known(services: Services, codifier: str) -> str:
    """Return a codifier that is in the configuration; answers 404 for any other."""
    if codifier not in services.hub.board:
        raise HTTPException("no such codifier in the config", status_code=404)
    return codifier


def _gaps(services: Services, codifier: str | None) -> list[dict[str, object]]:
    board = services.hub.board
    if board.history is None:
        raise HTTPException("this configuration has no history", status_code=404)
    if services.holes.gaps is None:
        raise HTTPException("PostgreSQL cannot be read now", status_code=503)
    found = records_of(services.holes.gaps, board.network, codifier)
    if codifier is not None and not found:
        known(services, codifier)
    return found
