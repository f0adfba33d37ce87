"""The page of the house."""

import time
from typing import Any, Final

from litestar import Response, get

from gateway import page
from gateway.parts import Parts
from gateway.shell import Link, WebRequest
from gateway.stream import Hub

LINKS: Final = [Link("/", "House", 10)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/", include_in_schema=False)
    async def house(request: WebRequest) -> Response[str]:
        await parts.holes.fresh()
        return parts.shell.page(request, "house.html", **_context(parts.hub))

    return [house]


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
