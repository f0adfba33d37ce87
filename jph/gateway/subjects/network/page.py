"""The page of the network: every node and element, and commands to them."""

import time
from typing import Any, Final

import msgspec
from litestar import Response, get

from jph.gateway.live import view
from jph.gateway.live.controls import control_of
from jph.gateway.platform import language
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.network.api import ORDERS

LINKS: Final = [Link("/network", "Network", 50)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/network", include_in_schema=False, sync_to_thread=False)
    def network(request: WebRequest) -> Response[str]:
        board, tongue = parts.hub.board, language.of(request)
        board.settle(time.monotonic())
        sensors = board.network.sensors
        wires = board.house.wiring
        controls = {s.codifier: control_of(s, wires, ORDERS) for s in sensors}
        return parts.shell.page(
            request,
            "network.html",
            board=board,
            lines=view.lines_of(board),
            controls={code: each for code, each in controls.items() if each},
            controls_plain={c: msgspec.to_builtins(each) for c, each in controls.items() if each},
            timeouts={s.codifier: s.timeout_warning for s in sensors},
            worded=lambda row: view.worded(row, tongue.say, tongue.code),
        )

    return [network]
