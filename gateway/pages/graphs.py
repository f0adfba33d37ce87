"""The page of graphs: any codifiers over any time."""

from typing import Any, Final

from litestar import Response, get

from gateway import language, page
from gateway.board import Board
from gateway.figures import unit_of
from gateway.history import keeps_history
from gateway.language import Language
from gateway.parts import Parts
from gateway.shell import Link, WebRequest
from heating.orders import Order
from jph.config import Sensor

LINKS: Final = [Link("/graphs", "Graphs", 40, shown=keeps_history)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/graphs", include_in_schema=False, sync_to_thread=False)
    def graphs(request: WebRequest) -> Response[str]:
        board = parts.hub.board
        facts = {
            "codifiers": codifiers_of(board),
            "orders": orders_in(language.of(request)),
            "ideas": _ideas(board),
            "known": request.user.known,
        }
        return parts.shell.page(
            request, "graphs.html", facts=facts, kept=keeps_history(board.network)
        )

    return [graphs]


def orders_in(tongue: Language) -> dict[str, str]:
    """Return the words for orders by their numbers."""
    return {str(int(order)): tongue.say(order.word) for order in Order}


def codifiers_of(board: Board) -> list[dict[str, Any]]:
    """Return what there is to draw, elements behind their nodes: what a person searches by."""
    heaters = board.house.wiring.heaters.values()
    orders = {code for h in heaters for code in (h.codifier, h.applied, h.verified)}
    return [
        _codifier(sensor, is_order=sensor.codifier in orders)
        for node in board.network.nodes()
        for sensor in (node, *board.network.elements(node.codifier))
    ]


def _codifier(sensor: Sensor, *, is_order: bool) -> dict[str, Any]:
    return {
        "code": sensor.codifier,
        "name": sensor.name or page.label(sensor),
        "short": page.label(sensor),
        "unit": unit_of(sensor.symbol),
        "symbol": sensor.symbol,
        "kind": sensor.type,
        "order": is_order,
    }


def _ideas(board: Board) -> list[dict[str, Any]]:
    """Return graphs to begin with, as the house has them."""
    house = board.house
    rooms = [room.thermometer for room in house.rooms if room.thermometer]
    ideas = [
        ("Power", [house.power] if house.power else []),
        ("Currents of the phases", [phase.current for phase in house.phases if phase.current]),
        ("Temperatures", [*rooms, *house.temperatures]),
    ]
    here = [(name, [code for code in codes if code in board][:8]) for name, codes in ideas]
    return [{"name": name, "codes": codes} for name, codes in here if codes]
