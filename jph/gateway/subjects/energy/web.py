"""Energy and costs of a day, a week, a month or a year: page and API."""

import asyncio
import time
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from weakref import WeakValueDictionary

from litestar import Response, get
from litestar.exceptions import HTTPException

from collector.db.connecting import transaction
from collector.energy import consumed, money
from collector.energy.account import Span, choose_meter, has_meters
from collector.energy.meters import has_periods, indexes, read_tariffs
from jph.config.house.loads import wiring
from jph.config.model import Network
from jph.errors import ConfigError
from jph.gateway.live.gaps import keeps_history
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.energy.report import (
    Contract,
    Facts,
    before,
    report,
    same_point,
    span_of,
    year_before,
)
from jph.gateway.subjects.energy.structs import Report
from jph.gateway.subjects.history import asked

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

KEPT_S: Final = 20.0
"""An answer is given again for so long: the tables change every ten minutes."""
_MOST_KEPT: Final = 64

Kind = Literal["day", "week", "month", "year"]


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the address of energy."""
    answers = _Answers()

    @get("/api/energy")
    async def energy(request: WebRequest, span: Kind = "month", at: date | None = None) -> Report:
        """Return energy and costs of the `span` in which the day `at` lies, by default today."""
        network = services.network()
        if not keeps_history(network):
            raise HTTPException("this configuration has no history", status_code=404)
        if not indexes(network):
            raise HTTPException("no meter of this configuration has an index", status_code=404)
        try:
            contract = contract_of(network)
        except ConfigError as error:
            detail = "the tariffs have mistakes, or do not say of which meter they are"
            raise HTTPException(detail, status_code=409) from error
        now = datetime.now(contract.days.zone)
        day = at or now.date()
        if not has_meters(day, now.date()):
            raise HTTPException("no meter has an index of that day", status_code=404)
        question = partial(read, network=network, kind=span, day=day, contract=contract, now=now)
        ask = partial(asked, services, request, question)
        return await answers.of(network, (span, day), ask)

    return [energy]


def contract_of(network: Network) -> Contract:
    """Return whose energy is shown, at what prices.

    Raises:
        ConfigError: no meter has an index, several have and no tariff names one, or the
            tariffs have mistakes.
    """
    tariffs = read_tariffs(network)
    meter, of_meter = choose_meter(network, tariffs, None)
    return Contract(meter, of_meter, money.local_days(network))


def read(
    connection: "connection",
    *,
    network: Network,
    kind: str,
    day: date,
    contract: Contract,
    now: datetime,
) -> Report:
    """Ask PostgreSQL for everything about a span.

    Raises:
        StoreError: PostgreSQL is away, or nothing has been counted in it.
    """
    span = span_of(kind, day)
    total = not has_periods(network, contract.meter)
    with transaction(connection) as cursor:
        facts = _facts(cursor, kind, span, contract, now, total=total)
    return report(kind, span, facts, contract, _heaters(network), now)


def _facts(
    cursor: "cursor", kind: str, span: Span, contract: Contract, now: datetime, *, total: bool
) -> Facts:
    meter, zone = contract.meter, contract.days.zone
    spans = (span, before(kind, span), year_before(kind, span))
    drawn, drawn_before, drawn_year_before = (
        money.read_energy(cursor, meter, s.first, s.after, total=total).within(zone) for s in spans
    )
    facts = Facts(
        drawn=drawn,
        before=drawn_before,
        year_before=drawn_year_before,
        phases=consumed.phase_days(cursor, span.first, span.after),
        heaters=consumed.heater_times(cursor, span.first, span.after),
        first_day=consumed.first_day(cursor, meter),
    )
    if kind == "day":
        mine, theirs = (
            consumed.hours(cursor, meter, s.first, s.after, total=total) for s in spans[:2]
        )
        facts = facts._replace(hours=mine, hours_before=theirs)
    if span.first <= now.date() < span.after:
        hour = now.replace(minute=0, second=0, microsecond=0)
        points = (hour, *(same_point(span, other, hour) for other in spans[1:]))
        so_far = [
            consumed.up_to(cursor, meter, s.first, s.after, point, total=total)
            for s, point in zip(spans, points, strict=True)
        ]
        facts = facts._replace(until=hour, so_far=(so_far[0], so_far[1], so_far[2]))
    return facts


def _heaters(network: Network) -> dict[str, str]:
    """Return the names of heaters, by codifier."""
    try:
        heaters = wiring(network).heaters.values()
    except ConfigError:
        return {}
    return {h.codifier: f"{h.room}, {h.name}" if h.name else h.room for h in heaters}


class _Kept(NamedTuple):
    at_s: float
    network: Network
    report: Report


class _Answers:
    """Answers of the last seconds; requests for the same span share one query.

    Requests for other spans do not wait for it: of one address, the reader limits them.
    """

    def __init__(self) -> None:
        self._kept: dict[object, _Kept] = {}
        self._asking: WeakValueDictionary[object, asyncio.Lock] = WeakValueDictionary()

    async def of(self, network: Network, key: object, ask: Callable[[], Any]) -> Report:
        """Return the answer that is kept under `key`, or that `ask` gets."""
        asking = self._asking.setdefault(key, asyncio.Lock())
        async with asking:
            now_s = time.monotonic()
            kept = self._kept.get(key)
            stale = kept is None or kept.network is not network or now_s - kept.at_s > KEPT_S
            if kept is None or stale:
                kept = _Kept(now_s, network, await ask())
                self._kept.pop(key, None)
                self._kept[key] = kept
                while len(self._kept) > _MOST_KEPT:
                    del self._kept[next(iter(self._kept))]
            return kept.report


def _shown(network: Network) -> bool:
    return keeps_history(network) and bool(indexes(network))


LINKS: Final = [Link("/energy", "Energy", 30, shown=_shown)]


def _page(services: Services) -> list[Any]:
    """Return the page; what it shows comes by `/api/energy`."""

    @get("/energy", include_in_schema=False, sync_to_thread=False)
    def energy(request: WebRequest) -> Response[str]:
        network = services.network()
        return services.shell.page(
            request, "energy.html", counted=_shown(network), priced=bool(network.tariffs)
        )

    return [energy]
