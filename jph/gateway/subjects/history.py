"""The history, as graphs draw it and as spreadsheets read it."""

import re
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any, Final, NoReturn, TypeVar, cast

import msgspec
from litestar import get
from litestar.exceptions import HTTPException
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from collector.db.location import zone_of
from collector.history.export import csv_pieces
from collector.history.query import Curve, Level, Range, Wanted, read_curves
from collector.history.stored import first_times, read_changes
from collector.statistics.statistics import Statistic
from jph.config.model import Network
from jph.errors import StoreError
from jph.gateway.accounts.throttle import place_of
from jph.gateway.live.gaps import WHY, keeps_history
from jph.gateway.live.history_reader import Busy
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest, address_of
from jph.gateway.view.figures import unit_of

MOST_CODES: Final = 12
MOST_POINTS: Final = 5000
DEFAULT_LENGTH_MS: Final = 86_400_000
LAST_MS: Final = 253_370_764_800_000
"""The year 9999; buckets that end later have no date."""
_CHANGES_MOST: Final = 500
_CHANGES_LONGEST_MS: Final = 8 * 86_400_000
_CODIFIER: Final = re.compile(r"[0-9A-Z]{2}")

T = TypeVar("T")

Codes = Annotated[
    str,
    QueryParameter(
        description=f"Codifiers, separated by commas; at most {MOST_CODES}", max_length=100
    ),
]
Start = Annotated[
    int | None,
    QueryParameter(name="from", ge=0, le=LAST_MS, description="ms since 1970; a day before `to`"),
]
End = Annotated[
    int | None, QueryParameter(name="to", ge=0, le=LAST_MS, description="ms since 1970; now")
]


class Series(msgspec.Struct, frozen=True, omit_defaults=True):
    """The history of one codifier, column by column; `t` in ms since 1970, the end of each point.

    `every` is how fine it is and `step` how many ms a point sums up, 0 for readings as they are;
    `v` is the statistic asked for, `lo` and `hi` the least and the most of each point, absent where
    they are `v`. `expect` is after how many seconds without a reading its value is late. `gaps` are
    [from, to, why, readings or null] of what is lost for good. `changes` are [t, text] of a
    codifier without numbers. `first` is the time of the first stored reading of a codifier that has
    none in this time.
    """

    code: str
    name: str
    unit: str
    every: str
    step: int
    t: list[int]
    v: list[float | None]
    lo: list[float] = []
    hi: list[float] = []
    gaps: list[tuple[int, int, str, int | None]] = []
    changes: list[tuple[int, str]] = []
    expect: float | None = None
    first: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """Histories in the order of the codes; `from` and `to` as asked for, `now` by our clock."""

    start: int = msgspec.field(name="from")
    to: int
    now: int
    statistic: str
    series: list[Series]


def handlers(services: Services) -> list[Any]:
    """Return the history as JSON and as CSV."""

    @get("/api/history", summary="Histories as columns")
    async def history(
        request: WebRequest,
        codes: Codes,
        start: Start = None,
        end: End = None,
        points: Annotated[int, QueryParameter(ge=2, le=MOST_POINTS)] = 1500,
        every: FromQuery[Level | None] = None,
        statistic: FromQuery[Statistic] = Statistic.MEAN,
    ) -> Answer:
        """Tell histories in at most about `points` points each, however long the time is.

        Without `every` they are as fine as that allows; neighbours are joined if it does not.
        """
        network = _network(services)
        start_ms, end_ms = _between(start, end)
        wanted = Wanted(_codes(codes), start_ms, end_ms, points, every, statistic)
        zone = zone_of(network)
        curves = await asked(services, request, partial(read_curves, wanted=wanted, zone=zone))
        changes = await _changes(services, request, wanted, curves)
        found = [_series(curve, network, changes.get(curve.codifier, [])) for curve in curves]
        empty = [curve.codifier for curve in curves if curve.times == "[]"]
        if empty:
            firsts = await asked(services, request, partial(first_times, codifiers=empty))
            found = [msgspec.structs.replace(each, first=firsts.get(each.code)) for each in found]
        return Answer(start_ms, end_ms, now_ms(), statistic, found)

    return [history, *_tables(services)]


def _tables(services: Services) -> list[Any]:
    @get("/api/history.csv", summary="Histories as CSV")
    async def table(
        codes: Codes, start: Start = None, end: End = None, every: FromQuery[Level] = Level.RAW
    ) -> Stream:
        """Return readings exactly as they were sent, or whole buckets with all their statistics."""
        _network(services)
        between = _between(start, end)
        wanted = [Range(code, *between) for code in _codes(codes)]
        pieces = services.history.stream(partial(csv_pieces, wanted=wanted, level=every))
        name = f"jph-{'-'.join(each.codifier for each in wanted)}-{every}.csv"
        return Stream(
            await _begun(pieces),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{name}"'},
        )

    return [table]


def now_ms() -> int:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


def _network(services: Services) -> Network:
    network = services.network()
    if not keeps_history(network):
        raise HTTPException("this configuration has no history", status_code=404)
    return network


def _codes(text: str) -> tuple[str, ...]:
    """Return the codifiers asked for, each once."""
    codes = tuple(dict.fromkeys(text.split(",")))
    wrong = [code for code in codes if not _CODIFIER.fullmatch(code)]
    if wrong:
        raise HTTPException("codes are two letters or digits each, as I1,I2", status_code=400)
    if len(codes) > MOST_CODES:
        raise HTTPException(f"at most {MOST_CODES} codes at a time", status_code=400)
    return codes


def _between(start: int | None, end: int | None) -> tuple[int, int]:
    end_ms = now_ms() if end is None else end
    start_ms = max(0, end_ms - DEFAULT_LENGTH_MS) if start is None else start
    if start_ms >= end_ms:
        raise HTTPException("`from` must be before `to`", status_code=400)
    return start_ms, end_ms


async def asked(services: Services, request: WebRequest, question: Callable[[Any], T]) -> T:
    """Return the answer of the history; refuses with 503 if there is none."""
    try:
        return await services.history.ask(question, place_of(address_of(request)))
    except StoreError as error:
        _refuse(error)


def _refuse(error: StoreError) -> NoReturn:
    """Say that there is no answer now, without a word of PostgreSQL's own."""
    text = str(error) if isinstance(error, Busy) else "PostgreSQL cannot be read now"
    raise HTTPException(text, status_code=503, headers={"retry-after": "2"}) from error


async def _changes(
    services: Services, request: WebRequest, wanted: Wanted, curves: list[Curve]
) -> dict[str, list[tuple[int, str]]]:
    """Return the texts of codifiers without numbers, if the time is not too long to look."""
    silent = [curve.codifier for curve in curves if curve.times == "[]"]
    if not silent or wanted.end_ms - wanted.start_ms > _CHANGES_LONGEST_MS:
        return {}

    def read(connection: Any) -> dict[str, list[tuple[int, str]]]:  # noqa: ANN401 - psycopg2's
        between = wanted.start_ms, wanted.end_ms
        return {
            code: read_changes(connection, Range(code, *between), _CHANGES_MOST) for code in silent
        }

    return await asked(services, request, read)


async def _begun(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return the pieces once there is a first one: an error before it has a status of its own."""
    try:
        first = await anext(pieces)
    except StoreError as error:
        _refuse(error)

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return all_of_them()


def _series(curve: Curve, network: Network, changes: list[tuple[int, str]]) -> Series:
    sensor = next((each for each in network.sensors if each.codifier == curve.codifier), None)
    gaps = msgspec.json.decode(curve.gaps, type=list[tuple[int, int, str, int | None]])
    return Series(
        code=curve.codifier,
        name=(sensor.name or sensor.short_name) if sensor else "",
        unit=unit_of(sensor.symbol) if sensor else "",
        every=curve.level,
        step=curve.step_ms,
        t=_as_it_is(curve.times),
        v=_as_it_is(curve.values),
        lo=_as_it_is(curve.low) if curve.low else [],
        hi=_as_it_is(curve.high) if curve.high else [],
        gaps=[(start, end, WHY.get(cause, cause), many) for start, end, cause, many in gaps],
        changes=changes,
        expect=curve.expected_s or (sensor.timeout_warning if sensor else None),
    )


def _as_it_is(column: str) -> list[Any]:
    """Return JSON that is put into an answer as it is, for the list that it says."""
    return cast("list[Any]", msgspec.Raw(column.encode()))
