"""What the history has newest of one codifier: messages as they came, and statistics."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from litestar import get
from litestar.exceptions import HTTPException
from litestar.params import FromPath, FromQuery, QueryParameter

from collector.history.latest import latest_buckets, latest_readings
from collector.history.reading_back import Level
from jph.gateway.platform.services import Parts
from jph.gateway.subjects.history.api import asked
from jph.gateway.subjects.history.gaps import keeps_history
from jph.gateway.subjects.sensors.api import known
from jph.wire.codec import Quality

MOST: Final = 200
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


class Bucket(msgspec.Struct, frozen=True):
    """Statistics of the time up to `t` (ms since 1970); `coverage` in %."""

    t: int
    mean: float
    mode: float | None
    median: float
    max: float
    min: float
    stdev: float
    readings: int
    coverage: float
    time_mean: float | None


def handlers(parts: Parts) -> list[Any]:
    """Return the messages and the statistics of a codifier."""

    @get("/api/codifier/{codifier:str}/messages", summary="Its last messages")
    async def messages(codifier: FromPath[str], last: Last = 50) -> list[Message]:
        """Return the last messages that are stored, newest first."""
        code = known(parts, codifier)
        found = await _asked(parts, partial(latest_readings, codifier=code, most=last))
        return [
            Message(*each[:4], "" if each.quality == 0 else _QUALITIES.get(each.quality, "?"))
            for each in found
        ]

    @get("/api/codifier/{codifier:str}/statistics", summary="Its last statistics")
    async def statistics(
        codifier: FromPath[str],
        every: FromQuery[Literal["10min", "hour", "day"]] = "hour",
        last: Last = 24,
    ) -> list[Bucket]:
        """Return the last statistics that are computed, newest first."""
        code = known(parts, codifier)
        question = partial(latest_buckets, codifier=code, level=Level(every), most=last)
        return [Bucket(*each) for each in await _asked(parts, question)]

    return [messages, statistics]


async def _asked(parts: Parts, question: Callable[[Any], T]) -> T:
    if not keeps_history(parts.network()):
        raise HTTPException("this configuration has no history", status_code=404)
    return await asked(parts, question)
