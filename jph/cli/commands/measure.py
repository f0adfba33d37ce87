"""`measure`: round trips, answers and losses of this house, beside those of the last time."""

import asyncio
import sys
import time
from typing import Final

import click
import msgspec

from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json, show_duration, table
from jph.client.measurement import Measurement, NodeFigures, compared, figures
from jph.config.model import state_dir
from jph.errors import StoreError
from jph.node.outbox import now_ms
from jph.util import durable
from jph.wire.codec import Flag
from jph.wire.sequence import SequenceTable

_HEAD: Final = ("node", "answers", "median", "p95", "longest", "received", "lost", "")
_RIGHT: Final = "answers median p95 longest received lost"


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="How long."
)
@json_option
@click.pass_obj
def measure(app: App, seconds: float, as_json: bool) -> None:
    r"""Measure the network of the house: ping every node once a second, count what is lost.

    \b
      control.py measure
      control.py measure --seconds 10 --json

    Each node's figures are compared with those of the last time, which are kept in measure.json
    of the state directory (`JPH_STATE`). Exit status 1 if a node never answers.
    """
    now = run_async(_measure(app, seconds))
    before = _last()
    changes = compared(now, before) if before is not None else {}
    if as_json:
        echo_json({**msgspec.to_builtins(now), "changes": changes})
    else:
        cells = [_cells(each, changes.get(each.node, "")) for each in now.nodes]
        click.echo("\n".join(table(_HEAD, cells, right=_RIGHT)))
        if before is not None:
            ago = show_duration(max(0, now.at_ms - before.at_ms) / 1000)
            click.echo(f"last time: {ago} ago")
    _keep(now)
    raise SystemExit(0 if all(each.answered for each in now.nodes) else 1)


async def _measure(app: App, seconds: float) -> Measurement:
    nodes = sorted(app.expected_nodes)
    trips: dict[str, list[float]] = {node: [] for node in nodes}
    asked = 0
    async with app.session(data=True) as session:
        end_s = time.monotonic() + seconds
        tables = session.console.data_sequences, session.console.control_sequences
        while time.monotonic() < end_s:
            began_s = time.monotonic()
            asked += 1
            for answer in await session.client.commands.ask_all(Flag.PING, nodes):
                if answer.round_trip_ms is not None:
                    trips[answer.node].append(answer.round_trip_ms)
            _progress(f"{max(0.0, end_s - time.monotonic()):.0f} s left")
            await asyncio.sleep(max(0.0, min(began_s + 1, end_s) - time.monotonic()))
        _progress("")
        counts = {node: _counts(app, node, *tables) for node in nodes}
    found = [figures(node, asked, trips[node], *counts[node]) for node in nodes]
    return Measurement(now_ms(), seconds, found)


def _counts(app: App, node: str, *tables: SequenceTable) -> tuple[int, int]:
    """Return how many messages of a node and its elements arrived, and how many were lost."""
    codes = [node, *(element.codifier for element in app.network.elements(node))]
    seen = [table.sources[code] for table in tables for code in codes if code in table.sources]
    return sum(each.received for each in seen), sum(each.lost for each in seen)


def _cells(each: NodeFigures, change: str) -> tuple[str, ...]:
    times = (each.median_ms, each.p95_ms, each.longest_ms)
    return (
        each.node,
        f"{each.answered}/{each.asked}",
        *("–" if ms is None else f"{ms:.1f} ms" for ms in times),
        str(each.received),
        str(each.lost),
        change,
    )


def _last() -> Measurement | None:
    """Return the last measurement; None if there is none that can be read."""
    try:
        content = durable.load(state_dir() / "measure.json")
        return msgspec.convert(content, Measurement) if content else None
    except (StoreError, msgspec.ValidationError):
        return None


def _keep(now: Measurement) -> None:
    path = state_dir() / "measure.json"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        durable.save(path, msgspec.to_builtins(now))
    except (OSError, StoreError) as error:
        click.echo(f"not kept for the next time: {error}", err=True)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{text}", err=True, nl=False)
