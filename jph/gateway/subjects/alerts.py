"""Alerts: those that are open and the last that are over, as their node sends them."""

import json
import time
from typing import Any, Final

import msgspec
from litestar import Response, get

from jph.config.model import Network, Sensor
from jph.gateway.live.board import Board
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view.figures import encodable

KIND: Final = "Alerts"
_MOST: Final = 100
_MOST_VALUES: Final = 8
_LONGEST: Final = 400


class ShownAlert(msgspec.Struct, frozen=True):
    """An alert: `text` is English with the names of `values` in braces.

    `began` and `ended` are ms since 1970; `ended` is 0 while it is open.
    """

    number: int
    rule: str
    text: str
    values: dict[str, str]
    began: int
    ended: int


class AlertsNow(msgspec.Struct, frozen=True):
    """The alerts of a node, the newest first; `waiting` are notices that no service has taken yet.

    `state` is that of the node, as alive or dead.
    """

    code: str
    state: str
    open: list[ShownAlert]
    ended: list[ShownAlert]
    waiting: int


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the address of alerts."""

    @get("/api/alerts", sync_to_thread=False)
    def alerts() -> list[AlertsNow]:
        """Return the alerts that are open, and the last that are over."""
        board = services.hub.board
        board.settle(time.monotonic())
        return [alerts_of(board, sensor) for sensor in alert_nodes(board.network)]

    return [alerts]


def alert_nodes(network: Network) -> list[Sensor]:
    """Return the nodes that watch for alerts."""
    return [sensor for sensor in network.sensors if sensor.type == KIND]


def alerts_of(board: Board, sensor: Sensor) -> AlertsNow:
    """Return what a node says, as far as it can be believed."""
    said = _said(board, str(sensor.sensor.get("State", "")))
    waiting = said.get("waiting")
    counts = waiting.values() if isinstance(waiting, dict) else ()
    return AlertsNow(
        code=sensor.codifier,
        state=str(board.row(sensor.codifier).state),
        open=_alerts(said.get("open")),
        ended=_alerts(said.get("ended")),
        waiting=sum(count for count in counts if type(count) is int and 0 <= count < 2**31),
    )


def _said(board: Board, code: str) -> dict[str, Any]:
    """Return the JSON object that an element carries, {} if it has none."""
    if code not in board:
        return {}
    try:
        said = json.loads(str(board.record(code).get("Value", "")))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _alerts(listed: object) -> list[ShownAlert]:
    found = []
    for each in listed[-_MOST:] if isinstance(listed, list) else ():
        if not isinstance(each, dict):
            continue
        times = [each.get(key) for key in ("number", "began", "ended")]
        if not all(type(number) is int and 0 <= number < 2**53 for number in times):
            continue
        values = each.get("values")
        pairs = list(values.items())[:_MOST_VALUES] if isinstance(values, dict) else []
        found.append(
            ShownAlert(
                number=each["number"],
                rule=_text(each.get("rule")),
                text=_text(each.get("text")),
                values={_text(name): _text(value) for name, value in pairs},
                began=each["began"],
                ended=each["ended"],
            )
        )
    return found[::-1]


def _text(value: object) -> str:
    return encodable(str(value))[:_LONGEST] if isinstance(value, str) else ""


def _shown(network: Network) -> bool:
    return bool(alert_nodes(network))


LINKS: Final = [Link("/alerts", "Alerts", 55, shown=_shown)]


def _page(services: Services) -> list[Any]:
    """Return the page; what it shows comes by `/api/alerts`."""

    @get("/alerts", include_in_schema=False, sync_to_thread=False)
    def alerts(request: WebRequest) -> Response[str]:
        configured = _shown(services.network())
        return services.shell.page(request, "alerts.html", configured=configured)

    return [alerts]
