"""Gathers the facts of `doctor`: listens to the bus while it looks at machine and stores."""

import asyncio
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jph.cli.commands.config import missing_interfaces, oddities
from jph.cli.doctor import machine as kernel
from jph.cli.doctor.stores import redis_store, sql_store
from jph.cli.supervise import plan
from jph.cli.terminal.context import App
from jph.client.doctor.facts import Facts, NodeSeen, Store
from jph.client.doctor.witness import Voice, Witness
from jph.client.survey import CONSOLE_TYPE, CodifierState, Survey
from jph.config.fetch import is_remote
from jph.config.model import Sensor
from jph.errors import BusError, ConfigError
from jph.net.batches import is_on_link
from jph.node import kinds
from jph.node.outbox import ping_number
from jph.util.freshness import State
from jph.wire.codec import EVERY_NODE, Control, Flag, Reading

LISTEN_S: Final = 3.0
_LOOK_S: Final = 0.1
_STORES_S: Final = 6.0


async def gather(app: App, listen_s: float = LISTEN_S) -> Facts:
    """Return all facts, within ten seconds.

    Raises:
        ConfigError: the config cannot be read or has mistakes.
    """
    network, dropped = app.network, kernel.dropped()
    stores = [
        asyncio.create_task(_within(asyncio.to_thread(ask, network)))
        for ask in (redis_store, sql_store)
    ]
    try:
        nodes, strangers, bus_error = *await _listen(app, listen_s), ""
    except BusError as error:
        nodes, strangers, bus_error = (), {}, str(error)
    parts = _parts_here(app)
    return Facts(
        network=network,
        machine=await asyncio.to_thread(kernel.machine, network, dropped),
        nodes=nodes,
        stores=tuple(store for store in await asyncio.gather(*stores) if store is not None),
        disks=tuple(kernel.disks(parts)),
        devices=tuple(kernel.devices(parts)),
        config_ms=_changed_ms(app.url),
        strangers=strangers,
        warnings=tuple(
            map(str, [*oddities(network), *missing_interfaces(network, socket.gethostname())])
        ),
        bus_error=bus_error,
    )


async def _within(asking: "asyncio.Future[Store | None] | object") -> Store | None:
    try:
        async with asyncio.timeout(_STORES_S):
            return await asking  # type: ignore[misc, no-any-return]
    except TimeoutError:
        return Store("a store", error=f"no answer within {_STORES_S:g} s")


async def _listen(app: App, listen_s: float) -> tuple[tuple[NodeSeen, ...], dict[str, str]]:
    """Ping every node twice and listen; return the nodes, and the strangers with their address."""
    started_s = time.monotonic()
    survey = Survey(app.network, app.console.codifier, started_s)
    witness = Witness()
    async with app.session(data=True) as session:
        console, client = session

        def hear(message: Control) -> None:
            survey.hear_control(message, time.monotonic())
            witness.hear(message, console.sender[0])

        def take(readings: Sequence[Reading]) -> None:
            survey.hear_data(readings, time.monotonic())

        def ping() -> None:
            number = ping_number()
            witness.pinged(number)
            survey.pinged(number, time.monotonic(), time.time() * 1000)
            client.send(Flag.PING, EVERY_NODE, number)

        client.listeners.append(hear)
        async with client.replies.listening(take):
            ping()
            await asyncio.sleep(listen_s / 2)
            ping()
            await asyncio.sleep(listen_s / 2)
        lost = {code: seen.lost for code, seen in console.control_sequences.sources.items()}
        rows = survey.rows(time.monotonic(), {}, lost)
    known = {sensor.codifier for sensor in app.network.sensors} | {app.console.codifier}
    strangers = {
        code: min(voice.addresses) for code, voice in witness.voices.items() if code not in known
    }
    return tuple(_nodes(rows, witness)), strangers


def _nodes(rows: Sequence[CodifierState], witness: Witness) -> list[NodeSeen]:
    late: dict[str, list[str]] = {}
    for row in rows:
        if row.late and row.sensor.active:
            late.setdefault(row.node, []).append(row.sensor.codifier)
    nodes = [row for row in rows if row.sensor.parent is None and row.sensor.active]
    return [
        _seen(row, witness.voices.get(row.node) or Voice(), late.get(row.node, ()))
        for row in nodes
        if row.sensor.type != CONSOLE_TYPE
    ]


def _seen(row: CodifierState, voice: Voice, late: Sequence[str]) -> NodeSeen:
    sensor = row.sensor
    return NodeSeen(
        codifier=sensor.codifier,
        name=sensor.name or sensor.short_name,
        type=sensor.type,
        state=row.state,
        answered=voice.answered,
        heard=row.state is not State.SILENT or bool(voice.addresses),
        active=row.active is not False,
        addresses=frozenset(voice.addresses),
        off_link=frozenset(a for a in voice.addresses if not is_on_link((a, 9))),
        epochs=voice.programs,
        clock_ms=row.clock_ms,
        config_ms=voice.config_ms,
        restart=row.notes.restart,
        shared=row.notes.shared,
        disk_full=row.disk_full,
        not_storing=row.not_storing,
        late=tuple(late),
        lost=row.control_lost,
    )


def _parts_here(app: App) -> list[Sensor]:
    types = frozenset(filter(kinds.is_known, {node.type for node in app.network.nodes()}))
    try:
        found = plan.parts_here(app.network, socket.gethostname(), types)
    except ConfigError:  # Hosts has nothing for this machine
        return []
    return [part for part in found if part.active]


def _changed_ms(url: str) -> int:
    """Return when the config was changed last; 0 if it comes from a server."""
    if is_remote(url):
        return 0
    try:
        return int(Path(url.removeprefix("file://").removeprefix("file:")).stat().st_mtime * 1000)
    except OSError:
        return 0
