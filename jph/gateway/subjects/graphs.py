"""Graphs of any codifiers over any time, and the graphs that users save."""

from collections.abc import Coroutine
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Response, delete, get, post, put
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    PermissionDeniedException,
)
from litestar.params import JSONBody, PathParameter

from jph.config.model import Sensor
from jph.gateway.accounts.roles import Role
from jph.gateway.accounts.saved_graphs import LONGEST_NAME, LONGEST_QUERY, SavedGraph, SavedGraphs
from jph.gateway.accounts.users import UserError
from jph.gateway.live.board import Board
from jph.gateway.live.gaps import keeps_history
from jph.gateway.platform import language
from jph.gateway.platform.language import Language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view import panels
from jph.gateway.view.figures import unit_of
from jph.heating.orders.coding import Order

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
Query = Annotated[str, msgspec.Meta(max_length=LONGEST_QUERY)]
GraphId = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]


class Graph(msgspec.Struct, frozen=True):
    """A graph that is kept: `query` is what its page's address has after the "?"."""

    id: int
    name: str
    query: str
    shared: bool
    owner: str
    mine: bool


class NewGraph(msgspec.Struct, frozen=True):
    """A graph to keep."""

    name: Name
    query: Query


class GraphChange(msgspec.Struct, frozen=True):
    """What is to be different; what is left out stays."""

    name: Name | None = None
    query: Query | None = None
    shared: bool | None = None


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the addresses of kept graphs."""

    @get("/api/graphs", summary="Saved graphs")
    async def kept(request: WebRequest) -> list[Graph]:
        """Return my graphs and those that others share, by name."""
        return [_graph(each) for each in await SavedGraphs(services.accounts, request.user).list()]

    @post("/api/graphs", summary="Save a graph")
    async def keep(request: WebRequest, data: JSONBody[NewGraph]) -> Graph:
        """Keep a graph."""
        return _graph(await _done(_mine(services, request).add(data.name, data.query)))

    @put("/api/graphs/{graph_id:int}", summary="Change a saved graph")
    async def change(request: WebRequest, graph_id: GraphId, data: JSONBody[GraphChange]) -> Graph:
        """Rename a graph of mine, keep it as it is now, share it or no longer."""
        changed = _mine(services, request).update(
            graph_id, name=data.name, query=data.query, shared=data.shared
        )
        return _graph(await _done(changed))

    @delete("/api/graphs/{graph_id:int}", status_code=200, summary="Delete a saved graph")
    async def forget(request: WebRequest, graph_id: GraphId) -> dict[str, bool]:
        """Forget a graph of mine."""
        await _done(_mine(services, request).delete(graph_id))
        return {"forgotten": True}

    return [kept, keep, change, forget]


def _mine(services: Services, request: WebRequest) -> SavedGraphs:
    if not request.user.known:
        raise NotAuthorizedException("log in to keep graphs")
    if request.auth.token is not None and request.user.role < Role.OPERATOR:
        raise PermissionDeniedException("a token of a viewer reads only")
    return SavedGraphs(services.accounts, request.user)


async def _done(change: Coroutine[Any, Any, T]) -> T:
    try:
        return await change
    except UserError as error:
        raise HTTPException(str(error), status_code=409) from error


def _graph(saved: SavedGraph) -> Graph:
    return Graph(*saved)


LINKS: Final = [Link("/graphs", "Graphs", 40, shown=keeps_history)]


def _page(services: Services) -> list[Any]:
    """Return the page."""

    @get("/graphs", include_in_schema=False, sync_to_thread=False)
    def graphs(request: WebRequest) -> Response[str]:
        board = services.hub.board
        facts = {
            "codifiers": codifiers_of(board),
            "orders": orders_in(language.of(request)),
            "ideas": _ideas(board),
            "known": request.user.known,
        }
        return services.shell.page(
            request, "graphs.html", facts=facts, kept=keeps_history(board.network)
        )

    return [graphs]


def orders_in(tongue: Language) -> dict[str, str]:
    """Return the words for orders by their numbers."""
    return {str(int(order)): tongue.say(order.word) for order in Order}


def codifiers_of(board: Board) -> list[dict[str, Any]]:
    """Return what there is to draw, elements behind their nodes: what a person searches by."""
    heaters = board.house.wiring.heaters.values()
    wires = [(h.codifier, h.actuator.applied, h.actuator.verified) for h in heaters]
    orders = {codifier for each in wires for codifier in each}
    return [
        _codifier(sensor, is_order=sensor.codifier in orders)
        for node in board.network.nodes()
        for sensor in (node, *board.network.elements(node.codifier))
    ]


def _codifier(sensor: Sensor, *, is_order: bool) -> dict[str, Any]:
    return {
        "code": sensor.codifier,
        "name": sensor.name or panels.label(sensor),
        "short": panels.label(sensor),
        "unit": unit_of(sensor.symbol),
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
