"""Heaters: their state, orders for them, and the answers of the cards."""

import time
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody

from jph.client import orders
from jph.config.model import Network
from jph.errors import ConfigError
from jph.gateway.accounts.roles import Role, needs
from jph.gateway.live.ordering import HeaterAnswer, heater_answer
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.platform.zones import Zone, zone_of
from jph.gateway.subjects.house.web import HeaterNow, heaters_now
from jph.gateway.view import panels
from jph.gateway.view.unknown import HEADLINES, unknown_of
from jph.heating.orders.coding import Order
from jph.heating.orders.holds import LONGEST_S
from jph.heating.orders.targets import choose
from jph.node.node import now_ms

_LONGEST_TARGET: Final = 100

Target = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=_LONGEST_TARGET,
        description="A heater's codifier, a room, a room and a heater's name, `phase 2`, or `all`",
    ),
]
Word = Annotated[
    str,
    msgspec.Meta(
        max_length=20, description="comfort, comfort-1, comfort-2, eco, frost or off; or in French"
    ),
]
Seconds = Annotated[
    int,
    msgspec.Meta(
        ge=1,
        le=LONGEST_S,
        description="The card goes back by itself after this time; at most a week",
    ),
]


class GiveOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An order for some heaters; without `seconds` it stays until the next one."""

    target: Target
    order: Word
    seconds: Seconds | None = None


class OrderGiven(msgspec.Struct, frozen=True):
    """What came of an order; `done` if every heater follows. `until` is ms since 1970."""

    target: str
    order: str
    until: int | None
    done: bool
    heaters: list[HeaterAnswer]


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the addresses."""

    @get("/api/heaters", tags=["heaters"], sync_to_thread=False)
    def heaters(request: WebRequest, zone: Zone = "") -> list[HeaterNow]:
        """Tell of every heater: order, what its wire carries, shed or not, and why."""
        return heaters_now(
            services.hub.board, language.of(request).say, zone_of(zone), services.called(request)
        )

    @post("/api/heaters/orders", tags=["heaters"], status_code=200, guards=[needs(Role.OPERATOR)])
    async def order(request: WebRequest, data: JSONBody[GiveOrder]) -> OrderGiven:
        """Give an order, and wait for what the cards answer."""
        board = services.hub.board
        try:
            wanted = Order.named(data.order)
            chosen = choose(board.house.wiring, data.target)
        except (ValueError, ConfigError) as error:
            raise HTTPException(str(error), status_code=400) from error
        until = None if data.seconds is None else now_ms() + 1000 * data.seconds
        say = language.of(request).say
        outcomes = await orders.give(services.client, board.network, chosen, wanted, until, say)
        answers = [heater_answer(outcome, say) for outcome in outcomes]
        told = "; ".join(f"{each.codifier} {each.text}" for each in answers)
        lasts = "" if data.seconds is None else f" for {data.seconds} s"
        services.audit(request, f"order {data.target} {wanted.word}{lasts}", told)
        done = all(each.followed for each in answers)
        return OrderGiven(data.target, wanted.word, until, done, answers)

    return [heaters, order]


NOW_AND_ALWAYS: Final = ("comfort", "comfort-1", "comfort-2", "eco", "frost", "off")
"""The orders, from warm to cold, as the page has them."""


def _has_heaters(network: Network) -> bool:
    return any(sensor.type == "PilotCard" for sensor in network.sensors)


LINKS: Final = [Link("/heaters", "Heaters", 15, shown=_has_heaters)]


def _page(services: Services) -> list[Any]:
    """Return the page."""

    @get("/heaters", include_in_schema=False, sync_to_thread=False)
    def heaters(request: WebRequest) -> Response[str]:
        board, tongue = services.hub.board, language.of(request)
        board.settle(time.monotonic())
        return services.shell.page(
            request,
            "heaters.html",
            board=board,
            unknown=unknown_of(board),
            headlines=HEADLINES,
            rooms=panels.heated_rooms_of(board),
            phases=[phase.number for phase in board.house.phases if phase.loads],
            orders=NOW_AND_ALWAYS,
            masks=panels.masks_of(board),
            worded=lambda row: panels.worded(row, tongue.say, tongue.code),
        )

    return [heaters]
