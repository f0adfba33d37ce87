"""`probe`: reads a device without sending; shows its answer, each value, each filter step."""

import asyncio
import contextlib
from typing import Any

import click

from jph.cli.terminal.context import App
from jph.errors import ConfigError
from jph.node import kinds
from jph.util.secrets import scrub
from jph.values.elements import Trace
from jph.values.filters import Sample
from jph.values.node import ValueNode
from jph.wire.codec import Quality


@click.command()
@click.argument("code", metavar="CODE")
@click.option(
    "--count", default=1, show_default=True, metavar="N", help="Read so many times; 0 is for ever."
)
@click.option(
    "--seconds",
    type=float,
    default=None,
    help="End after this time; for lines that come by themselves.",
)
@click.pass_obj
def probe(app: App, code: str, count: int, seconds: float | None) -> None:
    r"""Read the device of a node, or of one element, and show what becomes of its values.

    Nothing is sent. Stop the node first where a device serves one program only.

    \b
      control.py probe X1              one answer, all elements
      control.py probe X2 --count 0    one element, again and again
      control.py probe S1 --seconds 30 a serial line
    """
    network = kinds.load(app.url)
    entry = network.sensor(code)
    owner = entry.parent or code
    node_type = network.sensor(owner).type
    kind = kinds.find(node_type)
    if not issubclass(kind, ValueNode):
        raise ConfigError(f"{owner} ({node_type}) has no elements that can be probed")
    node = kind(owner, network)
    node.on_raw = lambda text: click.echo(scrub(f"answer: {text}"))
    node.on_trace = lambda trace: _show(trace, code if entry.parent else "", network)
    rounds = 0 if seconds is not None and count == 1 else count
    asyncio.run(_probe(node, rounds, seconds))


async def _probe(node: ValueNode, count: int, seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await node.probe(count)


def _show(trace: Trace, only: str, network: Any) -> None:  # noqa: ANN401
    if only and trace.codifier != only:
        return
    symbol = network.sensor(trace.codifier).symbol
    click.echo(scrub(f"{trace.codifier}: {_short(trace.raw)}"))
    for step in trace.steps:
        if step.name:
            what = "kept back" if step.sample is None else _short(step.sample.value)
            click.echo(f"    {step.name:<12} {step.reason or what}")
    last = trace.steps[-1].sample if trace.steps else None
    click.echo(f"    {_outcome(last, trace.reason)} {symbol if last else ''}".rstrip())


def _outcome(sample: Sample | None, reason: str) -> str:
    if sample is None:
        return f"not sent{': ' if reason else ''}{reason}"
    if sample.quality == Quality.GOOD:
        return f"sent         {_short(sample.value)}"
    return f"sent as {sample.quality.name.lower()}: {_short(sample.value)}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
