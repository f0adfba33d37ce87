"""The page of the network: every node and element, and commands to them."""

import time
from typing import Any, Final

import msgspec
from litestar import Response, get

from gateway import language, page
from gateway.api.network import ORDERS
from gateway.controls import control_of
from gateway.parts import Parts
from gateway.shell import Link, WebRequest

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
            lines=page.lines_of(board),
            controls={code: each for code, each in controls.items() if each},
            controls_plain={c: msgspec.to_builtins(each) for c, each in controls.items() if each},
            timeouts={s.codifier: s.timeout_warning for s in sensors},
            worded=lambda row: page.worded(row, tongue.say, tongue.code),
        )

    return [network]
