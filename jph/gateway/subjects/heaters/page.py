"""The page where heaters get their orders."""

import time
from typing import Any, Final

from litestar import Response, get

from jph.config.model import Network
from jph.gateway.live import view
from jph.gateway.platform import language
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest

NOW_AND_ALWAYS: Final = ("comfort", "comfort-1", "comfort-2", "eco", "frost", "off")
"""The orders, from warm to cold, as the page has them."""


def _has_heaters(network: Network) -> bool:
    return any(sensor.type == "PilotCard" for sensor in network.sensors)


LINKS: Final = [Link("/heaters", "Heaters", 15, shown=_has_heaters)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/heaters", include_in_schema=False, sync_to_thread=False)
    def heaters(request: WebRequest) -> Response[str]:
        board, tongue = parts.hub.board, language.of(request)
        board.settle(time.monotonic())
        return parts.shell.page(
            request,
            "heaters.html",
            board=board,
            rooms=view.heated_rooms_of(board),
            phases=[phase.number for phase in board.house.phases if phase.loads],
            orders=NOW_AND_ALWAYS,
            masks=view.masks_of(board),
            worded=lambda row: view.worded(row, tongue.say, tongue.code),
        )

    return [heaters]
