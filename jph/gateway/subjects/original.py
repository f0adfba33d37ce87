"""The addresses of the original's web program, for scripts and dashboards that know them."""

import math
import time
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from litestar import get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, QueryParameter

from collector.db.location import zone_of
from collector.history.query import Wanted, read_curves
from jph.client import setting
from jph.config.model import Sensor
from jph.gateway.accounts.roles import Role, needs
from jph.gateway.live.commands import FLAGS, Answer
from jph.gateway.live.gaps import keeps_history
from jph.gateway.live.setting import Taken, taken
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest
from jph.gateway.subjects.commands import command, command_all, whole
from jph.gateway.subjects.history import (
    DEFAULT_LENGTH_MS,
    LAST_MS,
    MOST_CODES,
    MOST_POINTS,
    asked,
)
from jph.gateway.subjects.sensors import known
from jph.wire.codec import EVERY_NODE, Flag, is_codifier

_COMMANDS: Final = [needs(Role.OPERATOR)]
_NUMBERED: Final = {Flag.SET: "set", Flag.STEP: "step"}
_LARGEST: Final = 1e15


class Info(msgspec.Struct, frozen=True):
    """What the configuration says of a codifier, but for its kind's own settings."""

    codifier: str = msgspec.field(name="Codifier")
    short_name: str = msgspec.field(name="ShortName")
    name: str = msgspec.field(name="Name")
    symbol: str = msgspec.field(name="Symbol")
    type: str = msgspec.field(name="Type")
    data_type: str = msgspec.field(name="DataType")
    control: str = msgspec.field(name="Control")
    active: bool = msgspec.field(name="Active")
    keep_alive_interval: float = msgspec.field(name="KeepAliveInterval")
    sensor_interval: float = msgspec.field(name="SensorInterval")
    timeout_warning: float = msgspec.field(name="TimeoutWarning")
    parent: str | None = msgspec.field(name="Parent")
    elements: list[str] = msgspec.field(name="Elements")


class Target(msgspec.Struct, frozen=True):
    """A time series as Grafana's simple JSON sources tell it: points are [value, ms since 1970]."""

    target: str
    datapoints: list[tuple[float | None, int]]


def handlers(services: Services) -> list[Any]:
    """Return the original's addresses that are not elsewhere."""
    return [*_readings(services), *_commands(services)]


def _readings(services: Services) -> list[Any]:
    @get("/sensorinfo/{codifier:str}", sync_to_thread=False, summary="A codifier's config entry")
    def info(codifier: FromPath[str]) -> Info:
        return _info(services, services.network().sensor(known(services, codifier)))

    @get("/sensorts/{wanted:str}", summary="Time series of codifiers")
    async def series(
        request: WebRequest,
        wanted: FromPath[str],
        start: Annotated[int | None, QueryParameter(name="from", ge=0, le=LAST_MS)] = None,
        end: Annotated[int | None, QueryParameter(name="to", ge=0, le=LAST_MS)] = None,
        points: Annotated[int, QueryParameter(ge=2, le=MOST_POINTS)] = 1000,
    ) -> list[Target]:
        """Tell codifiers, as I1 or I1,I2, after `from` up to `to` (ms since 1970; the last day)."""
        if not keeps_history(services.network()):
            raise HTTPException("this configuration has no history", status_code=404)
        codes = tuple(dict.fromkeys(wanted.split(",")))
        if len(codes) > MOST_CODES or not all(is_codifier(code) for code in codes):
            raise HTTPException(f"at most {MOST_CODES} codes, as I1,I2", status_code=400)
        end_ms = _now_ms() if end is None else end
        start_ms = max(0, end_ms - DEFAULT_LENGTH_MS) if start is None else start
        if start_ms >= end_ms:
            raise HTTPException("`from` must be before `to`", status_code=400)
        question = Wanted(codes, start_ms, end_ms, points)
        curves = await asked(
            services,
            request,
            partial(read_curves, wanted=question, zone=zone_of(services.network())),
        )
        return [_target(curve.codifier, curve.times, curve.values) for curve in curves]

    @get("/ntp", sync_to_thread=False, summary="The gateway's clock")
    def clock() -> int:
        """Tell the time in ms since 1970 UTC."""
        return _now_ms()

    return [info, series, clock]


def _commands(services: Services) -> list[Any]:
    @post(
        "/sensormsg/{codifier:str}/{flag:str}",
        status_code=200,
        guards=_COMMANDS,
        summary="Command a node",
    )
    async def message(
        request: WebRequest, codifier: FromPath[str], flag: FromPath[str]
    ) -> Answer | list[Answer]:
        """P ping, S start, H halt, C reload; @@ is every node."""
        await whole(request)
        if flag not in FLAGS:
            words = f"no such command: {flag}; known: {', '.join(FLAGS)}"
            if flag in _NUMBERED:
                words = f"{flag} needs a number"
            raise HTTPException(words, status_code=404)
        if codifier == EVERY_NODE:
            return await command_all(services, request, flag)
        return await command(services, request, codifier, flag)

    @post(
        "/sensormsg/{codifier:str}/{flag:str}/{number:str}",
        status_code=200,
        guards=_COMMANDS,
        summary="Set or step a codifier",
    )
    async def number(
        request: WebRequest, codifier: FromPath[str], flag: FromPath[str], number: FromPath[str]
    ) -> Taken:
        """A sets to a number, E steps by it."""
        await whole(request)
        if flag not in _NUMBERED:
            raise HTTPException("A sets to a number, E steps by one", status_code=404)
        sensor = services.network().sensor(known(services, codifier))
        if sensor.control != "enabled":
            raise HTTPException(f"{codifier} takes no numbers", status_code=409)
        value = _number(number)
        answer = taken(await setting.change(services.client, sensor, Flag(flag), value))
        services.audit(request, f"{_NUMBERED[Flag(flag)]} {codifier} {value:g}", answer.text)
        return answer

    return [message, number]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= _LARGEST:
        raise HTTPException("that is no number", status_code=400)
    return value


def _info(services: Services, sensor: Sensor) -> Info:
    return Info(
        sensor.codifier,
        sensor.short_name,
        sensor.name,
        sensor.symbol,
        sensor.type,
        str(sensor.data_type),
        str(sensor.control),
        sensor.active,
        sensor.keep_alive_interval,
        sensor.sensor_interval,
        sensor.timeout_warning,
        sensor.parent,
        [each.codifier for each in services.network().elements(sensor.codifier)],
    )


def _target(code: str, times: str, values: str) -> Target:
    moments = msgspec.json.decode(times, type=list[int])
    numbers = msgspec.json.decode(values, type=list[float | None])
    return Target(code, list(zip(numbers, moments, strict=True)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
