"""The page of the house."""

import time
from typing import Any, Final

from litestar import Response, get

from jph.gateway.live import view
from jph.gateway.live.figures import decimal
from jph.gateway.live.stream import Hub
from jph.gateway.platform import language
from jph.gateway.platform.language import Language
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest
from jph.heating.explain import span

LINKS: Final = [Link("/", "House", 10)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/", include_in_schema=False)
    async def house(request: WebRequest) -> Response[str]:
        await parts.holes.fresh()
        return parts.shell.page(request, "house.html", **_context(parts.hub, language.of(request)))

    return [house]


def _context(hub: Hub, tongue: Language) -> dict[str, Any]:
    board = hub.board
    board.settle(time.monotonic())
    in_rooms = [heater for room in board.house.rooms for heater in room.heaters]
    placed = {heater.codifier for heater in in_rooms}
    homeless = [h for h in board.house.wiring.heaters.values() if h.codifier not in placed]
    return {
        "board": board,
        "dials": view.dials_of(board),
        "rooms": view.rooms_of(board),
        "homeless": view.chips_of(board, homeless),
        "power": _tile(hub, board.house.power),
        "tariff": _tile(hub, board.house.tariff),
        "summary": board.summary(),
        "troubles": view.troubles_of(board),
        "watched": view.watched_of(board),
        "masks": view.masks_of(board),
        "history": board.history,
        "worded": lambda row: view.worded(row, tongue.say, tongue.code),
        "counted": lambda text: view.counted(text, tongue.say),
        "lasted": lambda seconds: span(seconds or 0, tongue.say),
        "decimal": lambda text: decimal(text, tongue.code),
    }


def _tile(hub: Hub, codifier: str | None) -> view.Tile | None:
    if codifier is None or codifier not in hub.board:
        return None
    sensor = hub.board.network.sensor(codifier)
    return view.Tile(view.label(sensor), codifier, hub.board.row(codifier), [])
