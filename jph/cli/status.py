"""`status`: every codifier as the bus tells it."""

import asyncio
import sys
import time
from typing import Final

import click

from jph.cli.context import CONSOLE_TYPE, App, json_option, run_async
from jph.cli.output import echo_json, paint, show_value, table
from jph.cli.survey import SILENT, Row, Survey
from jph.node.outbox import ping_number
from jph.wire.codec import EVERY_NODE, Control, Flag
from jph.wire.sequence import SequenceTable
from nodes.controlprogram import on_bus

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
    help="How long to listen at most; it ends earlier when all have spoken.  "
    "[default: the longest SensorInterval, but at most 6 s]",
)
@json_option
@click.pass_obj
def status(app: App, wait_s: float | None, as_json: bool) -> None:
    """Show every codifier: alive, active, late, last value, losses. Needs the bus only.

    With --wait longer than an element's TimeoutWarning, one that says nothing is late. Exit
    status 1 if nobody is there at all.
    """
    if wait_s is None:
        intervals = [s.sensor_interval for s in app.network.nodes() if s.type != CONSOLE_TYPE]
        wait_s = min(max(intervals, default=0.0) + _MARGIN_S, _LONGEST_WAIT_S)
    rows = run_async(_survey(app, wait_s))
    if as_json:
        echo_json([row._asdict() for row in rows])
    else:
        _show(rows)
    raise SystemExit(1 if all(row.state == SILENT for row in rows) else 0)


async def _survey(app: App, wait_s: float) -> list[Row]:
    started_s = time.monotonic()
    survey = Survey(app.network, app.console.codifier, started_s)

    def heard(message: Control) -> None:
        survey.hear_control(message, time.monotonic())

    async with on_bus(app.make_listener()) as console:
        console.heard = heard
        console.read = lambda readings: survey.hear_data(readings, time.monotonic())
        number = ping_number()
        survey.pinged(number, time.monotonic())
        console.send_control(Flag.PING, EVERY_NODE, number)
        while (listened_s := time.monotonic() - started_s) < wait_s and not survey.complete():
            _progress(f"listening {listened_s:.0f} of {wait_s:g} s")
            await asyncio.sleep(min(_LOOK_S, wait_s - listened_s))
        _progress("")
        lost = _lost(console.data_sequences), _lost(console.control_sequences)
        return survey.rows(time.monotonic(), *lost)


def _lost(sequences: SequenceTable) -> dict[str, int]:
    return {source: known.lost for source, known in sequences.sources.items()}


def _progress(text: str) -> None:
    """Show what takes its time, on a terminal only; an empty text wipes it away."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)


def _show(rows: list[Row]) -> None:
    cells = [
        (
            row.codifier if row.codifier == row.node else f"  {row.codifier}",
            row.name,
            row.state,
            show_value(row.value, row.symbol),
            row.quality if row.quality not in (None, "good") else "",
            "" if row.age_s is None else f"{row.age_s:.1f} s",
            f"{row.data_lost}/{row.control_lost}" if row.data_lost or row.control_lost else "",
            "" if row.round_trip_ms is None else f"{row.round_trip_ms:.1f}",
        )
        for row in rows
    ]
    head, *lines = table(_HEAD, cells, right="value age ms")
    click.echo(head)
    for row, line in zip(rows, lines, strict=True):
        click.echo(paint(line, "stale" if row.quality == "stale" else row.state))
