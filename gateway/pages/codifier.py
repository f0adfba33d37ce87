"""The page of one codifier: its value now, its graph, its numbers, its messages, its entry."""

from collections.abc import Iterator
from typing import Any, Final

from litestar import Response, get

from gateway import language, page
from gateway.api.sensors import known
from gateway.board import Board
from gateway.entries import entry_of
from gateway.history import keeps_history
from gateway.pages.graphs import codifiers_of, orders_in
from gateway.parts import Parts
from gateway.shell import WebRequest
from jph.config import Sensor

_MOST_RELATED: Final = 40


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/codifier/{codifier:str}", include_in_schema=False, sync_to_thread=False)
    def codifier(request: WebRequest) -> Response[str]:
        board = parts.hub.board
        code = known(parts, request.path_params["codifier"])
        sensor, tongue = board.network.sensor(code), language.of(request)
        value, unit = page.worded(board.row(code), tongue.say, tongue.code)
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
            name=sensor.name or page.label(sensor),
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
