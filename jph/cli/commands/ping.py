"""`ping`: round trip, clock offset and loss of a node."""

import asyncio
import itertools
import time
from statistics import fmean

import click

from jph.cli.terminal.context import App, codifier_argument, json_option, run_async
from jph.cli.terminal.output import echo_json, table
from jph.client.commands import NodeAnswer
from jph.config.model import Sensor
from jph.wire.codec import EVERY_NODE, Flag


@click.command()
@codifier_argument
@click.option("-c", "--count", default=1, show_default=True, help="How many pings; 0 is no limit.")
@click.option(
    *("-i", "--interval"),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time from one ping to the next.",
)
@json_option
@click.pass_obj
def ping(app: App, code: str, count: int, interval: float, as_json: bool) -> None:
    r"""Ping CODE: round trip in ms, clock offset, loss. @@ pings every node.

    \b
      control.py ping TI
      control.py ping I1          an element: its node is pinged
      control.py ping -c 10 -i 0.1 P1
      control.py ping @@

    Exit status 1 if no node answers, 2 if CODE is not in the config.
    """
    if code == EVERY_NODE:
        answers = run_async(_ping_all(app))
        _show_all(app, answers, as_json)
        raise SystemExit(0 if answers else 1)
    node = app.node_of(code)
    if node.codifier != code and not as_json:
        click.echo(f"{code} is an element of {node.codifier}: pinging {node.codifier}")
    raise SystemExit(run_async(_ping_one(app, node, count, interval, as_json)))


async def _ping_all(app: App) -> list[NodeAnswer]:
    nodes = sorted(app.expected_nodes)
    async with app.session() as session:
        answers = await session.client.commands.ask_all(Flag.PING, nodes, strangers=True)
    return sorted((each for each in answers if each.answered), key=lambda each: each.node)


def _show_all(app: App, answers: list[NodeAnswer], as_json: bool) -> None:
    known = {s.codifier: s for s in app.network.nodes()}
    if as_json:
        echo_json(
            [
                {
                    "codifier": a.node,
                    "round_trip_ms": a.round_trip_ms,
                    "offset_ms": a.offset_ms,
                    "active": a.active,
                }
                for a in answers
            ]
        )
        return
    rows = [
        [
            a.node,
            known[a.node].name if a.node in known else "(not in the config)",
            f"{a.round_trip_ms:.2f}",
            f"{a.offset_ms:+.1f}",
            "" if a.active else "halted",
        ]
        for a in answers
    ]
    if rows:
        click.echo("\n".join(table(["code", "name", "ms", "clock ms", ""], rows, "ms clock")))
    answered = {answer.node for answer in answers}
    absent = sorted(app.expected_nodes - answered)
    if absent:
        click.echo(f"no answer from {' '.join(absent)}", err=True)


async def _ping_one(app: App, node: Sensor, count: int, interval: float, as_json: bool) -> int:
    """Ping until `count` is reached or Ctrl-C, then print a summary; return the exit status."""
    answers: list[NodeAnswer] = []
    sent = 0
    try:
        async with app.session() as session:
            for turn in itertools.count(1):
                began_s = time.monotonic()
                answer = await session.client.commands.ping(node.codifier)
                sent += 1
                answers += [answer] if answer.answered else []
                if not as_json:
                    _show_one(node, answer, app.limits.answer_s)
                if turn == count:
                    break
                await asyncio.sleep(max(0.0, began_s + interval - time.monotonic()))
    except asyncio.CancelledError:  # Ctrl-C: the measured values are still shown
        pass
    _show_summary(node, sent, answers, as_json)
    return 0 if answers else 1


def _show_one(node: Sensor, answer: NodeAnswer, limit_s: float) -> None:
    name = f"{node.codifier} ({node.name or node.type})"
    if not answer.answered:
        click.echo(f"{name} does not answer within {limit_s:g} s", err=True)
        return
    halted = "" if answer.active else "  (halted)"
    click.echo(f"{name}: {answer.round_trip_ms:.2f} ms, clock {answer.offset_ms:+.1f} ms{halted}")


def _show_summary(node: Sensor, sent: int, answers: list[NodeAnswer], as_json: bool) -> None:
    times = [a.round_trip_ms for a in answers if a.round_trip_ms is not None]
    offsets = [a.offset_ms for a in answers if a.offset_ms is not None]
    lost = (1 - len(times) / sent) * 100 if sent else 0.0
    if as_json:
        echo_json(
            {
                "codifier": node.codifier,
                "sent": sent,
                "answered": len(times),
                "lost_percent": round(lost, 1),
                "round_trip_ms": [round(ms, 3) for ms in times],
                "offset_ms": round(fmean(offsets), 3) if offsets else None,
            }
        )
    elif sent > 1:
        spread = f", {min(times):.2f}/{fmean(times):.2f}/{max(times):.2f} ms" if times else ""
        click.echo(
            f"{node.codifier}: {sent} sent, {len(times)} answered, {lost:.0f} % lost"
            f"{spread}{' (min/mean/max)' if times else ''}"
        )
