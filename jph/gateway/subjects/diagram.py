"""The diagram of the network: nodes, message rates, missing nodes."""

import time
from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec
from litestar import Response, get

from jph.config.model import Sensor
from jph.gateway.live.board import Board, announces
from jph.gateway.live.traffic import Rates
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view import panels
from jph.gateway.view.unknown import HEADLINES, Unknown, unknown_of
from jph.util.freshness import State

Role = Literal["source", "actor", "store", "view", "console"]
_ROLES: Final[dict[str, Role]] = {
    "Gateway": "view",
    "Flask": "view",
    "ControlProgram": "console",
    "PilotCard": "actor",
    "Shedding": "actor",
    "Pool": "actor",
    "jphRedis": "store",
    "jphPostgreSQL": "store",
    "postgresCalcHandler": "store",
    "jphCalcHistory": "store",
    "Recorder": "store",
}


class Element(msgspec.Struct, frozen=True):
    """An element: its state in a word, its value as text, messages a second on the data bus."""

    code: str
    name: str
    state: str
    value: str
    rate: float


class Member(msgspec.Struct, frozen=True):
    """A node: `data` and `control` are messages a second, of its elements too; `age` in s.

    `role` says where it is drawn. `expected` is whether its silence means something: a console
    need not be there.
    """

    code: str
    name: str
    kind: str
    role: Role
    state: str
    age: float | None
    expected: bool
    data: float
    control: float
    elements: list[Element]


class Picture(msgspec.Struct, frozen=True):
    """The whole network; `strangers` are messages a second from sources that are not in the config.

    `counting` is whether rates are known yet: they are counted only while a client asks.
    """

    unknown: list[Unknown]
    layout: str
    redis: bool
    counting: bool
    control: float
    data: float
    strangers: float
    members: list[Member]


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the address of the picture."""

    @get("/api/diagram", sync_to_thread=False)
    def diagram() -> Picture:
        """Return the network as it is now, with rates as soon as they are counted (1 s)."""
        board = services.hub.board
        board.settle(time.monotonic())
        return picture(board, services.senses.traffic.rates())

    return [diagram]


def picture(board: Board, rates: Rates) -> Picture:
    """Return the picture of a board."""
    known = frozenset(board.codifiers)
    every = [*rates.control.items(), *rates.data.items()]
    return Picture(
        unknown=unknown_of(board),
        layout=board.layout,
        redis=not board.cache_away,
        counting=rates.counting,
        control=_round(sum(rates.control.values())),
        data=_round(sum(rates.data.values())),
        strangers=_round(sum(rate for code, rate in every if code not in known)),
        members=list(_members(board, rates)),
    )


def _members(board: Board, rates: Rates) -> Iterator[Member]:
    for node in board.network.nodes():
        code = node.codifier
        row = board.row(code)
        elements = [_element(board, each, rates) for each in board.network.elements(code)]
        yield Member(
            code=code,
            name=panels.label(node),
            kind=node.type,
            role=_ROLES.get(node.type, "source"),
            state=_state(row.state),
            age=row.age,
            expected=node.active and announces(node),
            data=_round(rates.data.get(code, 0.0) + sum(each.rate for each in elements)),
            control=_round(rates.control.get(code, 0.0)),
            elements=elements,
        )


def _element(board: Board, sensor: Sensor, rates: Rates) -> Element:
    row = board.row(sensor.codifier)
    value = f"{row.value} {row.unit}".strip()
    rate = _round(rates.data.get(sensor.codifier, 0.0))
    return Element(sensor.codifier, panels.label(sensor), _state(row.state), value, rate)


def _state(state: object) -> str:
    return State(state).value if isinstance(state, str) else str(state)


def _round(rate: float) -> float:
    return round(rate, 2 if rate < 10 else 1)


LINKS: Final = [Link("/diagram", "Diagram", 70)]


def _page(services: Services) -> list[Any]:
    """Return the page; what it draws comes by `/api/diagram`."""

    @get("/diagram", include_in_schema=False, sync_to_thread=False)
    def diagram(request: WebRequest) -> Response[str]:
        unknown = unknown_of(services.hub.board)
        return services.shell.page(request, "diagram.html", unknown=unknown, headlines=HEADLINES)

    return [diagram]
