"""`status`: state and last value of every codifier, from the messages on the bus."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click

from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import (
    echo_json,
    paint,
    show_duration,
    show_quality,
    show_value,
    table,
    terminal_width,
)
from jph.client.last_values import read_last_values
from jph.client.survey import CONSOLE_TYPE, MAX_CLOCK_MS, CodifierState, Survey
from jph.config.house.house import House
from jph.config.house.loads import mask_of
from jph.config.house.orders import Order
from jph.config.stores import redis_url
from jph.heating.explain.blindness import Blind
from jph.net import seals
from jph.node.outbox import ping_number
from jph.seal.words import CAUSES
from jph.util.freshness import State
from jph.wire.codec import EVERY_NODE, Flag, Quality, Reading
from jph.wire.sequence import SequenceTable

_HEAD: Final = ("code", "name", "state", "value", "quality", "age", "lost d/c", "ms")
_LOOK_S: Final = 0.1
_MARGIN_S: Final = 0.5
_LONGEST_WAIT_S: Final = 6.0
_WITH_CACHE_S: Final = 1.0


@click.command()
@click.option(
    "--wait",
    "wait_s",
    type=float,
    metavar="SECONDS",
    help="How long to listen at most; it ends earlier when all have sent something.  "
    "[default: the longest SensorInterval, at most 6 s; 1 s if the cache has the last values]",
)
@click.option("--all", "everything", is_flag=True, help="Show wires, pins and JSON states too.")
@json_option
@click.pass_obj
def status(app: App, wait_s: float | None, everything: bool, as_json: bool) -> None:
    """Show every codifier: alive, active, late, last value, losses.

    What is not known of the house comes first, as on its page. It needs the bus only; where Redis
    answers, last values are there at once. With --wait longer
    than an element's TimeoutWarning, an element without a reading is late. A node whose clock is
    off by more than 5 s is named. Exit status 1 if no node is there at all.
    """
    rows, unknowns = run_async(_survey(app, wait_s))
    if as_json:
        echo_json([_as_json(row) for row in rows])
    else:
        house = House(app.network)
        hidden = frozenset() if everything else _details(house)
        for unknown in unknowns:
            width = terminal_width()
            click.echo(click.wrap_text(unknown.words(), width) if width else unknown.words())
        _show([row for row in rows if row.sensor.codifier not in hidden], house)
    nodes = [row for row in rows if row.sensor.parent is None]
    raise SystemExit(1 if all(row.state is State.SILENT for row in nodes) else 0)


async def _survey(app: App, wait_s: float | None) -> tuple[list[CodifierState], tuple[Blind, ...]]:
    started_s = time.monotonic()
    survey = Survey(app.network, app.console.codifier, started_s)
    codes = [sensor.codifier for sensor in app.network.sensors]
    async with app.session(data=True) as session:
        console, client = session

        def take(readings: Sequence[Reading]) -> None:
            survey.hear_data(readings, time.monotonic())

        client.listeners.append(lambda message: survey.hear_control(message, time.monotonic()))
        async with client.replies.listening(take):
            number = ping_number()
            survey.pinged(number, time.monotonic(), time.time() * 1000)
            client.send(Flag.PING, EVERY_NODE, number)
            last = await asyncio.to_thread(read_last_values, redis_url(app.network), codes)
            survey.remember((last or {}).values(), time.monotonic(), time.time() * 1000)
            if wait_s is None:
                wait_s = _WITH_CACHE_S * app.patience if last else _longest_interval(app)
            while (listened_s := time.monotonic() - started_s) < wait_s and not survey.complete():
                _progress(f"listening {listened_s:.0f} of {wait_s:g} s")
                await asyncio.sleep(min(_LOOK_S, wait_s - listened_s))
        _progress("")
        _show_refusals()
        lost = _lost(console.data_sequences), _lost(console.control_sequences)
        now_s = time.monotonic()
        return survey.rows(now_s, *lost), survey.unknowns(now_s)


def _show_refusals() -> None:
    """Name what the seal refused while the command listened."""
    if (sealing := seals.current()) is not None:
        for cause, node, count in sealing.refusals():
            click.echo(f"refused {count} of {node}: {CAUSES[cause]}", err=True)


def _longest_interval(app: App) -> float:
    intervals = [s.sensor_interval for s in app.network.nodes() if s.type != CONSOLE_TYPE]
    return min(max(intervals, default=0.0) + _MARGIN_S, _LONGEST_WAIT_S)


def _details(house: House) -> frozenset[str]:
    """Return the elements that repeat a heater's order: wires, pins, states of cards."""
    wires = [load.actuator for load in house.wiring.heaters.values()]
    pins = {code for wire in wires for code in (wire.applied, wire.verified)}
    return frozenset(pins | house.states.keys())


def _lost(sequences: SequenceTable) -> dict[str, int]:
    return {source: known.lost for source, known in sequences.sources.items()}


def _progress(text: str) -> None:
    """Show progress, on a terminal only; an empty text clears the line."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def _as_json(row: CodifierState) -> dict[str, Any]:
    sensor, reading = row.sensor, row.reading
    return {
        "codifier": sensor.codifier,
        "name": sensor.name or sensor.short_name,
        "type": sensor.type,
        "node": row.node,
        "state": row.state,
        "active": row.active,
        "late": row.late,
        "value": reading.value if reading else None,
        "quality": show_quality(reading.quality) if reading else None,
        "symbol": sensor.symbol,
        "timestamp_ms": reading.timestamp_ms if reading else None,
        "age_s": row.age_s,
        "round_trip_ms": row.round_trip_ms,
        "clock_offset_ms": row.clock_ms,
        "cached": row.cached,
        "disk_full": row.disk_full,
        "not_storing": row.not_storing,
        "refused": row.refused,
        "data_lost": row.data_lost,
        "control_lost": row.control_lost,
        "shared": row.notes.shared,
        "restart": row.notes.restart,
    }


def _show(rows: list[CodifierState], house: House) -> None:
    cells = [_cells(row, house) for row in rows]
    head, *lines = table(_HEAD, cells, right="value age ms", width=terminal_width())
    click.echo(head)
    for row, line in zip(rows, lines, strict=True):
        click.echo(paint(line, "stale" if _quality(row) == "stale" else row.state))
    for text in _troubles(rows):
        click.echo(text)


def _troubles(rows: list[CodifierState]) -> Iterator[str]:
    """Yield a line for each thing that the table does not show: clocks, disks, currents."""
    if full := [row.sensor.codifier for row in rows if row.disk_full]:
        yield f"{' '.join(full)}: files cannot be written, the disk is full or read-only"
    for row in rows:
        named = f"{row.sensor.codifier} ({row.sensor.name or row.sensor.type})"
        if row.not_storing:
            yield f"{named}: its store refuses; nothing is stored now"
        if row.refused is not None:
            current = show_value(row.refused, row.sensor.symbol)
            yield f"{named}: {current} is implausible and not believed"
        if row.notes.shared:
            yield f"{named}: another program sends under its codifiers too (its log says which)"
        if row.notes.restart:
            yield f"{named}: needs a restart: {', '.join(row.notes.restart)}"
        if row.clock_ms is not None and abs(row.clock_ms) > MAX_CLOCK_MS:
            where = "ahead of" if row.clock_ms > 0 else "behind"
            length = show_duration(abs(row.clock_ms) / 1000)
            yield f"{named}: its clock is {length} {where} ours"


def _cells(row: CodifierState, house: House) -> tuple[str, ...]:
    sensor = row.sensor
    lost = row.data_lost or row.control_lost
    return (
        sensor.codifier if sensor.codifier == row.node else f"  {sensor.codifier}",
        sensor.name or sensor.short_name,
        row.state,
        _value(row, house),
        _quality(row),
        "" if row.age_s is None else show_duration(row.age_s),
        f"{row.data_lost}/{row.control_lost}" if lost else "",
        "" if row.round_trip_ms is None else f"{row.round_trip_ms:.1f}",
    )


def _value(row: CodifierState, house: House) -> str:
    """Return the value in words: an order, the heaters of a mask, or a number with its unit."""
    sensor, reading = row.sensor, row.reading
    if reading is None:
        return show_value(None)
    number = reading.number
    orders = {*house.wiring.heaters, *(_details(house) - house.states.keys())}
    if number is not None and sensor.codifier in orders:
        with contextlib.suppress(ValueError):
            return Order.of(number).word
    phase = next((p for p in house.phases if p.mask == sensor.codifier), None)
    mask = mask_of(number) if phase is not None else None
    if phase is not None and mask is not None:
        return " ".join(house.wiring.held(phase.number, mask)) or "none shed"
    return show_value(reading.value, sensor.symbol)


def _quality(row: CodifierState) -> str:
    """Return the word for the quality of a reading; nothing for a good one."""
    if row.reading is None or row.reading.quality == Quality.GOOD:
        return ""
    return show_quality(row.reading.quality)
