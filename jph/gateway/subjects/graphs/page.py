"""The page of graphs: any codifiers over any time."""

from typing import Any, Final

from litestar import Response, get

from jph.config.model import Sensor
from jph.gateway.live import view
from jph.gateway.live.board import Board
from jph.gateway.live.figures import unit_of
from jph.gateway.platform import language
from jph.gateway.platform.language import Language
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.history.gaps import keeps_history
from jph.heating.orders import Order

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
    orders = {
        code for h in heaters for code in (h.codifier, h.actuator.applied, h.actuator.verified)
    }
    return [
        _codifier(sensor, is_order=sensor.codifier in orders)
        for node in board.network.nodes()
        for sensor in (node, *board.network.elements(node.codifier))
    ]


def _codifier(sensor: Sensor, *, is_order: bool) -> dict[str, Any]:
    return {
        "code": sensor.codifier,
        "name": sensor.name or view.label(sensor),
        "short": view.label(sensor),
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
