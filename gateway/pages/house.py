"""The page of the house."""

import time
from typing import Any, Final

from litestar import Response, get

from gateway import language, page
from gateway.figures import decimal
from gateway.language import Language
from gateway.parts import Parts
from gateway.shell import Link, WebRequest
from gateway.stream import Hub
from heating.explain import span

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
        "dials": page.dials_of(board),
        "rooms": page.rooms_of(board),
        "homeless": page.chips_of(board, homeless),
        "power": _tile(hub, board.house.power),
        "tariff": _tile(hub, board.house.tariff),
        "summary": board.summary(),
        "troubles": page.troubles_of(board),
        "watched": page.watched_of(board),
        "masks": page.masks_of(board),
        "history": board.history,
        "worded": lambda row: page.worded(row, tongue.say, tongue.code),
        "counted": lambda text: page.counted(text, tongue.say),
        "lasted": lambda seconds: span(seconds or 0, tongue.say),
        "decimal": lambda text: decimal(text, tongue.code),
    }


def _tile(hub: Hub, codifier: str | None) -> page.Tile | None:
    if codifier is None or codifier not in hub.board:
        return None
    sensor = hub.board.network.sensor(codifier)
    return page.Tile(page.label(sensor), codifier, hub.board.row(codifier), [])
