"""One codifier: its value, graph, statistics, messages and configuration."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, QueryParameter

from collector.history.query import Level
from collector.history.stored import latest_buckets, latest_readings
from collector.statistics.statistics import Statistic
from jph.config.model import Sensor
from jph.gateway.live.board import Board
from jph.gateway.live.gaps import keeps_history
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest
from jph.gateway.subjects.graphs import codifiers_of, orders_in
from jph.gateway.subjects.history import asked
from jph.gateway.subjects.sensors import known
from jph.gateway.view import panels
from jph.gateway.view.settings import settings_of
from jph.node.node import now_ms
from jph.wire.codec import Quality

MOST: Final = 200
_AHEAD_MS: Final = 60_000
"""A message further in the future than this is not one of the last messages."""
_MOST_AHEAD: Final = 100
"""Messages of the future that are skipped."""
_QUALITIES: Final = {quality.value: quality.name.lower() for quality in Quality}

T = TypeVar("T")
Last = Annotated[int, QueryParameter(ge=1, le=MOST)]


class Message(msgspec.Struct, frozen=True):
    """A reading as it was stored; `t` in ms since 1970, `quality` "" for a good one."""

    t: int
    epoch: int
    sequence: int
    value: str
    quality: str


_BUCKET_FIELDS: Final = [
    ("t", int),
    *(
        ("readings", int) if each is Statistic.COUNT else (each.value, float | None)
        for each in Statistic
    ),
]


_BucketFields: Final[Any] = msgspec.defstruct("BucketFields", _BUCKET_FIELDS, frozen=True)


class Bucket(_BucketFields, frozen=True):  # type: ignore[misc, call-arg]  # fields of `Statistic`
    """Statistics of the time up to `t` (ms since 1970); `coverage` in %."""


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the messages and the statistics of a codifier."""

    @get("/api/codifier/{codifier:str}/messages", summary="Its last messages")
    async def messages(
        request: WebRequest, codifier: FromPath[str], last: Last = 50
    ) -> list[Message]:
        """Return the last messages that are stored, newest first.

        Messages of the future, from a clock that is ahead, are left out.
        """
        code = known(services, codifier)
        question = partial(latest_readings, codifier=code, most=last + _MOST_AHEAD)
        end_ms = now_ms() + _AHEAD_MS
        found = await _asked(services, request, question)
        found = [each for each in found if each.timestamp_ms <= end_ms][:last]
        return [
            Message(*each[:4], "" if each.quality == 0 else _QUALITIES.get(each.quality, "?"))
            for each in found
        ]

    @get("/api/codifier/{codifier:str}/statistics", summary="Its last statistics")
    async def statistics(
        request: WebRequest,
        codifier: FromPath[str],
        every: FromQuery[Literal["10min", "hour", "day"]] = "hour",
        last: Last = 24,
    ) -> list[Bucket]:
        """Return the last statistics that are computed, newest first."""
        code = known(services, codifier)
        question = partial(latest_buckets, codifier=code, level=Level(every), most=last)
        found = await _asked(services, request, question)
        return [Bucket(each.timestamp_ms, *each.statistics) for each in found]

    return [messages, statistics]


async def _asked(services: Services, request: WebRequest, question: Callable[[Any], T]) -> T:
    if not keeps_history(services.network()):
        raise HTTPException("this configuration has no history", status_code=404)
    return await asked(services, request, question)


_MOST_RELATED: Final = 40


def _page(services: Services) -> list[Any]:
    """Return the page."""

    @get("/codifier/{codifier:str}", include_in_schema=False, sync_to_thread=False)
    def codifier(request: WebRequest) -> Response[str]:
        board = services.hub.board
        code = known(services, request.path_params["codifier"])
        sensor, tongue = board.network.sensor(code), language.of(request)
        value, unit = panels.worded(board.row(code), tongue.say, tongue.code)
        facts = {
            "code": code,
            "codifiers": [each for each in codifiers_of(board) if each["code"] == code],
            "kept": keeps_history(board.network),
            "orders": orders_in(tongue),
        }
        return services.shell.page(
            request,
            "codifier.html",
            sensor=sensor,
            name=sensor.name or panels.label(sensor),
            row=board.row(code),
            value=value,
            unit=unit,
            settings=settings_of(sensor),
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
