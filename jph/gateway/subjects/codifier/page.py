"""The page of one codifier: its value now, its graph, its numbers, its messages, its entry."""

from collections.abc import Iterator
from typing import Any, Final

from litestar import Response, get

from jph.config.model import Sensor
from jph.gateway.live import view
from jph.gateway.live.board import Board
from jph.gateway.live.entries import entry_of
from jph.gateway.platform import language
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import WebRequest
from jph.gateway.subjects.graphs.page import codifiers_of, orders_in
from jph.gateway.subjects.history.gaps import keeps_history
from jph.gateway.subjects.sensors.api import known

_MOST_RELATED: Final = 40


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/codifier/{codifier:str}", include_in_schema=False, sync_to_thread=False)
    def codifier(request: WebRequest) -> Response[str]:
        board = parts.hub.board
        code = known(parts, request.path_params["codifier"])
        sensor, tongue = board.network.sensor(code), language.of(request)
        value, unit = view.worded(board.row(code), tongue.say, tongue.code)
        facts = {
            "code": code,
            "codifiers": [each for each in codifiers_of(board) if each["code"] == code],
            "kept": keeps_history(board.network),
            "orders": orders_in(tongue),
        }
        return parts.shell.page(
            request,
            "codifier.html",
            sensor=sensor,
            name=sensor.name or view.label(sensor),
            row=board.row(code),
            value=value,
            unit=unit,
            settings=entry_of(sensor),
            related=list(_related(board, sensor)),
            facts=facts,
            kept=keeps_history(board.network),
        )

    return [codifier]


def _related(board: Board, sensor: Sensor) -> Iterator[Sensor]:
    """Yield the node of an element first, then its other elements; of a node its own."""
    above = sensor.parent or sensor.codifier
    if sensor.parent and sensor.parent in board:
        yield board.network.sensor(sensor.parent)
    elements = (e for e in board.network.elements(above) if e.codifier != sensor.codifier)
    for number, element in enumerate(elements):
        if number < _MOST_RELATED:
            yield element
