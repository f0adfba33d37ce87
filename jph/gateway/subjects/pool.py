"""Pools: water, hours, pump."""

import json
import time
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get

from collector.energy.money import local_days
from jph.config.model import Network, Sensor
from jph.errors import ConfigError
from jph.gateway.live.board import Board
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view.figures import encodable

KIND: Final = "Pool"
_MODES: Final = {"off", "on", "auto"}
_MOST_RUNS: Final = 100


class Run(msgspec.Struct, frozen=True):
    """The pump ran, or is to run, between two moments, ms since 1970."""

    start: int
    end: int


class Pool(msgspec.Struct, frozen=True):
    """A pool: °C, hours, the day's runs and what is ahead; null is not known.

    `switch` is the codifier that takes 0 (off), 1 (on), 2 (auto), "" if it has none. `why` is
    what the planned hours follow from: temperature, winter, hot, frost or unknown. `day` is today,
    ms since 1970.
    """

    code: str
    name: str
    state: str
    age: float | None
    switch: str
    mode: str
    running: bool | None
    temperature: float | None
    warmest: float | None
    planned: float | None
    done: float | None
    why: str
    runs: list[Run]
    ahead: Run | None
    day: Run


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the address of pools."""

    @get("/api/pool", sync_to_thread=False)
    def pool() -> list[Pool]:
        """Return the pools as they are now."""
        board = services.hub.board
        board.settle(time.monotonic())
        return [pool_of(board, sensor) for sensor in pools_of(board.network)]

    return [pool]


def pools_of(network: Network) -> list[Sensor]:
    """Return the pools of a configuration."""
    return [sensor for sensor in network.sensors if sensor.type == KIND]


def pool_of(board: Board, sensor: Sensor) -> Pool:
    """Return what a pool's node says, as far as it can be believed."""
    said = _said(board, str(sensor.sensor.get("State", "")))
    row = board.row(sensor.codifier)
    switch = str(sensor.sensor.get("Mode", ""))
    if switch not in board or board.network.sensor(switch).control != "enabled":
        switch = ""
    mode = said.get("mode")
    return Pool(
        code=sensor.codifier,
        name=sensor.name,
        state=str(row.state),
        age=row.age,
        switch=switch,
        mode=mode if isinstance(mode, str) and mode in _MODES else "",
        running=None if row.number is None else bool(row.number),
        temperature=_number(said.get("temperature")),
        warmest=_number(said.get("warmest")),
        planned=_number(said.get("planned")),
        done=_number(said.get("done")),
        why=encodable(str(said.get("why", ""))),
        runs=_runs(said.get("runs")),
        ahead=next(iter(_runs([said.get("ahead")])), None),
        day=_today(board.network, sensor),
    )


def _said(board: Board, code: str) -> dict[str, Any]:
    """Return the JSON object that an element carries, {} if it has none."""
    if code not in board:
        return {}
    try:
        said = json.loads(str(board.record(code).get("Value", "")))
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        return None
    return float(value)


def _runs(listed: object) -> list[Run]:
    """Return what can be believed of a list of [start, end]."""
    found = []
    for each in listed[:_MOST_RUNS] if isinstance(listed, list) else ():
        if isinstance(each, list) and len(each) == 2 and all(type(n) is int for n in each):
            start, end = each
            if 0 <= start <= end < 2**53:
                found.append(Run(start, end))
    return found


def _today(network: Network, sensor: Sensor) -> Run:
    try:
        zone = ZoneInfo(str(sensor.sensor["TimeZone"]))
    except (KeyError, ValueError, OSError):
        zone = _zone(network)
    now = datetime.now(zone)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (start.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=zone)
    return Run(round(start.timestamp() * 1000), round(end.timestamp() * 1000))


def _zone(network: Network) -> ZoneInfo:
    try:
        zone = local_days(network).zone
    except ConfigError:
        zone = ZoneInfo("Europe/Paris")
    assert isinstance(zone, ZoneInfo)
    return zone


def _shown(network: Network) -> bool:
    return bool(pools_of(network))


LINKS: Final = [Link("/pool", "Pool", 90, shown=_shown)]


def _page(services: Services) -> list[Any]:
    """Return the page; what it shows comes by `/api/pool`."""

    @get("/pool", include_in_schema=False, sync_to_thread=False)
    def pool(request: WebRequest) -> Response[str]:
        pools = [(s.codifier, s.name or s.codifier) for s in pools_of(services.network())]
        return services.shell.page(request, "pool.html", pools=pools)

    return [pool]
