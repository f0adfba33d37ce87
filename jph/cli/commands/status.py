"""`status`: state and last value of every codifier, from the messages on the bus."""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import click

from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json, paint, show_quality, show_value, table
from jph.client.survey import CONSOLE_TYPE, CodifierState, Survey
from jph.node.outbox import ping_number
from jph.util.freshness import State
from jph.wire.codec import EVERY_NODE, Flag, Quality, Reading
from jph.wire.sequence import SequenceTable

_HEAD: Final = ("code", "name", "state", "value", "quality", "age", "lost d/c", "ms")
_LOOK_S: Final = 0.1
_MARGIN_S: Final = 0.5
_LONGEST_WAIT_S: Final = 6.0


@click.command()
@click.option(
    "--wait",
    "wait_s",
    type=float,
    metavar="SECONDS",
    help="How long to listen at most; it ends earlier when all have sent something.  "
    "[default: the longest SensorInterval, but at most 6 s]",
)
@json_option
@click.pass_obj
def status(app: App, wait_s: float | None, as_json: bool) -> None:
    """Show every codifier: alive, active, late, last value, losses. Needs the bus only.

    With --wait longer than an element's TimeoutWarning, an element without a reading is late.
    Exit status 1 if no node is there at all.
    """
    if wait_s is None:
        intervals = [s.sensor_interval for s in app.network.nodes() if s.type != CONSOLE_TYPE]
        wait_s = min(max(intervals, default=0.0) + _MARGIN_S, _LONGEST_WAIT_S)
    rows = run_async(_survey(app, wait_s))
    if as_json:
        echo_json([_as_json(row) for row in rows])
    else:
        _show(rows)
    raise SystemExit(1 if all(row.state is State.SILENT for row in rows) else 0)


async def _survey(app: App, wait_s: float) -> list[CodifierState]:
    started_s = time.monotonic()
    survey = Survey(app.network, app.console.codifier, started_s)

    def take(readings: Sequence[Reading]) -> None:
        survey.hear_data(readings, time.monotonic())

    async with app.session(data=True) as session, session.client.replies.listening(take):
        console, client = session
        client.listeners.append(lambda message: survey.hear_control(message, time.monotonic()))
        number = ping_number()
        survey.pinged(number, time.monotonic())
        client.send(Flag.PING, EVERY_NODE, number)
        while (listened_s := time.monotonic() - started_s) < wait_s and not survey.complete():
            _progress(f"listening {listened_s:.0f} of {wait_s:g} s")
            await asyncio.sleep(min(_LOOK_S, wait_s - listened_s))
        _progress("")
        lost = _lost(console.data_sequences), _lost(console.control_sequences)
        return survey.rows(time.monotonic(), *lost)


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
        "data_lost": row.data_lost,
        "control_lost": row.control_lost,
    }


def _show(rows: list[CodifierState]) -> None:
    head, *lines = table(_HEAD, [_cells(row) for row in rows], right="value age ms")
    click.echo(head)
    for row, line in zip(rows, lines, strict=True):
        click.echo(paint(line, "stale" if _quality(row) == "stale" else row.state))


def _cells(row: CodifierState) -> tuple[str, ...]:
    sensor, reading = row.sensor, row.reading
    lost = row.data_lost or row.control_lost
    return (
        sensor.codifier if sensor.codifier == row.node else f"  {sensor.codifier}",
        sensor.name or sensor.short_name,
        row.state,
        show_value(reading.value if reading else None, sensor.symbol),
        _quality(row),
        "" if row.age_s is None else f"{row.age_s:.1f} s",
        f"{row.data_lost}/{row.control_lost}" if lost else "",
        "" if row.round_trip_ms is None else f"{row.round_trip_ms:.1f}",
    )


def _quality(row: CodifierState) -> str:
    """Return the word for the quality of a reading; nothing for a good one."""
    if row.reading is None or row.reading.quality == Quality.GOOD:
        return ""
    return show_quality(row.reading.quality)
