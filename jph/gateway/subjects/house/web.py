"""The house now: phases, heaters and reasons, energy today, end of the tariff period."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import Response, get

from jph.client.plan import schedule_node
from jph.config.house.loads import Load
from jph.config.house.rooms import Room
from jph.config.model import Network
from jph.errors import ConfigError, StoreError
from jph.gateway.live.board import Board
from jph.gateway.live.gaps import keeps_history
from jph.gateway.live.stream import Hub
from jph.gateway.platform import language
from jph.gateway.platform.language import Language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.platform.zones import Zone, zone_of
from jph.gateway.subjects.house.today import Glance, read_end, read_today
from jph.gateway.subjects.plan.reader import has_plan
from jph.gateway.subjects.plan.web import rooms_in
from jph.gateway.view import panels
from jph.gateway.view.figures import decimal
from jph.gateway.view.unknown import HEADLINES, Unknown, unknown_of
from jph.heating.explain.facts import Evidence
from jph.heating.explain.heaters import explain, explain_phase, explain_sheds, why_shed
from jph.heating.explain.loads import explain_load, explain_shares
from jph.heating.explain.sentences import Say, span
from jph.heating.orders.coding import Order
from jph.node.node import now_ms

if TYPE_CHECKING:
    from psycopg2.extensions import connection

GLANCE_EVERY_S: Final = 60.0
WAITS_S: Final = 1.0
"""How long a request waits for new facts before it gets those read last."""
AGAIN_S: Final = 10.0
"""So soon the history is asked again when it was away."""


class HeaterNow(msgspec.Struct, frozen=True):
    """A heater: orders are words, null where no element carries them; `shed` null is not known.

    `until` is when the order ends (ms since 1970) and `then` what follows. `why` are the sentences
    that `control.py why` says, `reason` those about a shed alone.
    """

    codifier: str
    room: str
    name: str
    phase: int
    card: str
    solid_state: bool
    order: str | None
    applied: str | None
    verified: str | None
    shed: bool | None
    until: float | None
    then: str | None
    watts: float | None
    rated_watts: float | None
    reason: str
    why: list[str]


class PhaseNow(msgspec.Struct, frozen=True):
    """A phase in A; `seconds_left` until the breaker opens, -1: no trip is near, null: unknown.

    `held` is the sentence about all its heaters that are shed, empty if none is.
    """

    phase: int
    current: float | None
    limit: float | None
    seconds_left: float | None
    shed: list[str] | None
    said: str
    held: str


class LoadNow(msgspec.Struct, frozen=True):
    """A load beside the heaters: `value` as it reports it (0 and 1, or A), kWh since its `by`.

    `why` are the sentences that `control.py why` says.
    """

    codifier: str
    name: str
    ordered: float | None
    value: float | None
    watts: float | None
    kwh: float | None
    turn_of: list[str]
    why: list[str]


class HouseNow(msgspec.Struct, frozen=True):
    """The house; `unknown` is what is not known, the worst first.

    `energy` is the sentence about the energy of the day by loads, empty where it is not known.
    `history` is there, away, none (the config has none), or "" (not read yet).
    """

    unknown: list[Unknown]
    phases: list[PhaseNow]
    heaters: list[HeaterNow]
    loads: list[LoadNow]
    energy: str
    history: str
    glance: Glance


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the address."""
    glances = Glances(services)

    @get("/api/house", tags=["house"])
    async def house(request: WebRequest, zone: Zone = "") -> HouseNow:
        """Tell how the house is; sentences are in the language of who asks."""
        await glances.fresh()
        board, say = services.hub.board, language.of(request).say
        now_s = time.monotonic()
        evidence = board.evidence
        numbers = sorted({p.number for p in board.house.phases}) if evidence else []
        return HouseNow(
            unknown=unknown_of(board),
            phases=[_phase(evidence, n, now_s, say) for n in numbers] if evidence else [],
            heaters=heaters_now(board, say, zone_of(zone), services.called(request)),
            loads=_loads(evidence, now_s, say) if evidence else [],
            energy=_energy(evidence, now_s, say) if evidence else "",
            history=glances.state,
            glance=glances.glance,
        )

    return [house]


def heaters_now(
    board: Board, say: Say, zone: tzinfo | None = None, called: Callable[[str], str] | None = None
) -> list[HeaterNow]:
    """Return what is known of every heater; times of day in sentences are those of `zone`."""
    evidence = board.evidence
    if evidence is None:
        return []
    called = called or str
    names = {s.codifier: called(s.short_name or s.name) for s in board.network.sensors}
    return [
        _heater(evidence, heater, names, say, zone, called)
        for heater in board.house.wiring.heaters.values()
    ]


def _heater(
    evidence: Evidence,
    heater: Load,
    names: dict[str, str],
    say: Say,
    zone: tzinfo | None,
    called: Callable[[str], str],
) -> HeaterNow:
    at_ms = now_ms()
    facts = evidence.heater(heater.codifier, time.monotonic())
    return HeaterNow(
        codifier=heater.codifier,
        room=called(heater.room),
        name=called(heater.name),
        phase=heater.phase,
        card=heater.actuator.card,
        solid_state=heater.actuator.solid_state,
        order=_word(facts.order),
        applied=_word(facts.applied),
        verified=_word(facts.verified),
        shed=facts.shed,
        until=facts.until_ms,
        then=_word(facts.then),
        watts=facts.watts,
        rated_watts=facts.rated_watts,
        reason=" ".join(why_shed(facts, at_ms, names, say=say, zone=zone)) if facts.shed else "",
        why=explain(facts, at_ms, names, say=say, zone=zone),
    )


def _phase(evidence: Evidence, number: int, now_s: float, say: Say) -> PhaseNow:
    facts = evidence.phase(number, now_s)
    heaters = [evidence.heater(code, now_s) for code in evidence.wiring.heaters]
    return PhaseNow(
        facts.phase,
        facts.current_a,
        facts.limit_a,
        facts.seconds_left,
        None if facts.shed is None else sorted(facts.shed),
        explain_phase(facts, say),
        explain_sheds(facts, heaters, say) if facts.shed else "",
    )


def _loads(evidence: Evidence, now_s: float, say: Say) -> list[LoadNow]:
    found = []
    for code, label in evidence.loads.items():
        facts = evidence.load(code, now_s)
        found.append(
            LoadNow(
                code,
                label,
                facts.ordered,
                facts.value,
                facts.watts,
                facts.kwh,
                list(facts.turn_of),
                explain_load(facts, say),
            )
        )
    return found


def _energy(evidence: Evidence, now_s: float, say: Say) -> str:
    shares = evidence.shares(now_s)
    return "" if shares is None else explain_shares(shares, say)


def _word(order: int | None) -> str | None:
    try:
        return None if order is None else Order(order).word
    except ValueError:
        return None


class Glances:
    """What the history tells of today, read once a minute at most, however many ask.

    Attributes:
        state: there, away, none, or "" while nothing has been read yet.
    """

    def __init__(self, services: Services, clock: Callable[[], float] = time.monotonic) -> None:
        self.glance = Glance()
        self.state = ""
        self._services = services
        self._clock = clock
        self._again_s = -float("inf")
        self._of: Board | None = None
        self._reading: asyncio.Task[None] | None = None

    async def fresh(self) -> None:
        """Have it read again if it is older than a minute, and wait a little for it."""
        board = self._services.hub.board
        due = self._of is not board or self._clock() >= self._again_s
        if due and (self._reading is None or self._reading.done()):
            self._of = board
            self._reading = asyncio.create_task(self._read(board), name="glance")
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=WAITS_S)

    async def _read(self, board: Board) -> None:
        """Read; PostgreSQL away is no error."""
        network, tariff = board.network, board.house.tariff
        if not keeps_history(network):
            self.glance, self.state = Glance(), "none"
        else:
            await self._ask(network, tariff)
        lasts_s = AGAIN_S if self.state == "away" else GLANCE_EVERY_S
        self._again_s = self._clock() + lasts_s

    async def _ask(self, network: Network, tariff: str | None) -> None:
        def question(history: "connection") -> Glance:
            now = datetime.now(UTC)
            end = read_end(history, network, tariff, now) if tariff else None
            today = read_today(history, network, now)
            return Glance(today, round(end.timestamp() * 1000) if end else None)

        try:
            self.glance, self.state = await self._services.history.ask(question), "there"
        except (StoreError, ConfigError):
            self.glance, self.state = Glance(), "away"


LINKS: Final = [Link("/", "House", 10), Link("/breaker", "Breaker", 14, shown=has_plan)]


def _page(services: Services) -> list[Any]:
    """Return the pages: the rooms if there is a plan for them, and phases and heaters."""

    @get("/", include_in_schema=False)
    async def house(request: WebRequest) -> Response[str]:
        if has_plan(services.network()):
            return _rooms(services, request)
        return await _phases(services, request, "House")

    @get("/breaker", include_in_schema=False)
    async def breaker(request: WebRequest) -> Response[str]:
        return await _phases(services, request, "Breaker")

    return [house, breaker]


async def _phases(services: Services, request: WebRequest, title: str) -> Response[str]:
    """Return the page of phases, heaters and reasons."""
    await services.holes.fresh()
    tongue = language.of(request)
    context = _context(services.hub, tongue)
    return services.shell.page(request, "house.html", title=tongue.say(title), **context)


def _rooms(services: Services, request: WebRequest) -> Response[str]:
    """Return the page of the rooms, in the order that its user has chosen."""
    board = services.hub.board
    board.settle(time.monotonic())
    schedule = schedule_node(board.network).codifier
    return services.shell.page(
        request,
        "rooms.html",
        unknown=unknown_of(board),
        headlines=HEADLINES,
        board=board,
        rooms=ordered(rooms_in(board.network), request.cookies.get("rooms", "")),
        schedule=schedule,
        schedule_away=board.row(schedule).state in ("dead", "silent", "halted"),
        trouble=len(panels.troubles_of(board)),
        masks=panels.masks_of(board),
    )


def ordered(rooms: tuple[Room, ...], wanted: str) -> list[Room]:
    """Return the rooms in an order as `ZB.ZS`; rooms that it does not name come last."""
    places = {code: place for place, code in enumerate(wanted[:2000].split("."))}
    return sorted(rooms, key=lambda room: places.get(room.codifier, len(places)))


def _context(hub: Hub, tongue: Language) -> dict[str, Any]:
    board = hub.board
    board.settle(time.monotonic())
    in_rooms = [heater for room in board.house.rooms for heater in room.heaters]
    placed = {heater.codifier for heater in in_rooms}
    homeless = [h for h in board.house.wiring.heaters.values() if h.codifier not in placed]
    unknown = unknown_of(board)
    return {
        "unknown": unknown,
        "unknown_codes": {code for each in unknown for code in each.codes},
        "headlines": HEADLINES,
        "board": board,
        "dials": panels.dials_of(board),
        "rooms": panels.rooms_of(board),
        "homeless": panels.chips_of(board, homeless),
        "power": _tile(hub, board.house.power),
        "tariff": _tile(hub, board.house.tariff),
        "summary": board.summary(),
        "troubles": panels.troubles_of(board),
        "watched": panels.watched_of(board),
        "masks": panels.masks_of(board),
        "history": board.history,
        "worded": lambda row: panels.worded(row, tongue.say, tongue.code),
        "counted": lambda text: panels.counted(text, tongue.say),
        "lasted": lambda seconds: span(seconds or 0, tongue.say),
        "decimal": lambda text: decimal(text, tongue.code),
    }


def _tile(hub: Hub, codifier: str | None) -> panels.Tile | None:
    if codifier is None or codifier not in hub.board:
        return None
    sensor = hub.board.network.sensor(codifier)
    return panels.Tile(panels.label(sensor), codifier, hub.board.row(codifier), [])
