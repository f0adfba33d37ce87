"""`teleinfo`: shows the groups of a meter live, and explains captures; needs no bus."""

import asyncio
import logging
import time
from typing import Any, BinaryIO, Final

import click

from jph.cli.terminal.context import json_option, run_async
from jph.cli.terminal.meterscreen import MeterScreen
from jph.cli.terminal.output import echo_json, table
from jph.config.model import expand
from jph.devices.tic.capture import Capture
from jph.devices.tic.explain import describe, show_line, why
from jph.devices.tic.labels import Mode
from jph.devices.tic.line import Cause, causes
from jph.devices.tic.link import MeterLine

PIECE: Final = 4096
SHOWN_REFUSED: Final = 40
SILENCE_S: Final = 10.0


@click.command()
@click.option(
    "--device", metavar="PATH|URL", help="Read this port: /dev/serial/by-id/…, socket://host:port."
)
@click.option("--file", "capture", type=click.File("rb"), metavar="PATH|-", help="Explain this.")
@click.option(
    "--mode",
    type=click.Choice(["auto", "historique", "standard"]),
    default="auto",
    help="Keep to one mode and its speed.  [default: found by itself]",
)
@click.option("--raw", is_flag=True, help="With --device: each line as it comes, good or bad.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="With --device: end after so long.")
@json_option
def teleinfo(
    device: str | None,
    capture: BinaryIO | None,
    mode: str,
    raw: bool,
    seconds: float | None,
    as_json: bool,
) -> None:
    r"""Show an electricity meter in the terminal, or explain a capture.

    \b
      control.py teleinfo --device /dev/ttyUSB0
      control.py teleinfo --device socket://bridge:2000 --raw
      control.py teleinfo --file capture.raw --json

    A port is read until Ctrl-C. A running Teleinfo node keeps its port to itself.
    """
    if (device is None) is (capture is None):
        raise click.UsageError("give one of --device and --file")
    wanted = None if mode == "auto" else Mode(mode)
    if device is not None:
        run_async(_live(device, wanted, raw, seconds, as_json))
    elif capture is not None:
        judged = Capture(wanted)
        while piece := capture.read(PIECE):
            judged.feed(piece)
        judged.end()
        if as_json:
            echo_json(_as_json(judged))
        else:
            _print(judged)


async def _live(
    device: str, mode: Mode | None, raw: bool, seconds: float | None, as_json: bool
) -> None:
    screen = MeterScreen(raw=raw, as_json=as_json)
    line = MeterLine(
        device if "://" in device else expand(device),
        mode,
        SILENCE_S,
        lambda events: screen.take(events, time.monotonic()),
        lambda silent: screen.draw(line, silent, time.monotonic()),
        logging.getLogger(__name__),
        screen.show_line if raw else None,
    )
    try:
        async with asyncio.timeout(seconds):
            await line.serve(give_up=True)
    except (TimeoutError, asyncio.CancelledError):  # Ctrl-C is the normal end
        screen.finish(line, time.monotonic())


# A capture


def _as_json(capture: Capture) -> dict[str, Any]:
    reader = capture.reader
    return {
        "mode": capture.mode.value if capture.mode else None,
        "phases": capture.phases,
        "parity": reader.parity,
        "frames": reader.frames,
        "cut": capture.cut,
        "groups": reader.groups + reader.bad,
        "bad": reader.bad,
        "errors": {cause.value: count for cause, count in reader.errors.items() if count},
        "last": {label: last.group.text for label, last in capture.last.items()},
        "meaning": {label: describe(last.group) for label, last in capture.last.items()},
        "facts": capture.facts,
        "implausible": [{"field": fact.field, "value": fact.value} for fact in capture.implausible],
        "refused": [
            {"offset": one.offset, "line": show_line(one.raw), "cause": one.outcome.value}
            | {"why": why(one.raw, one.outcome)}
            for one in capture.refused
            if isinstance(one.outcome, Cause)
        ],
    }


def _print(capture: Capture) -> None:
    reader = capture.reader
    words = [
        f"{capture.mode.value} mode" if capture.mode else "no mode: not one group understood",
        {None: "", 1: "one phase", 3: "three phases"}[capture.phases],
        "even parity" if reader.parity else "bit 7 stripped" if reader.groups else "",
    ]
    click.echo(", ".join(word for word in words if word))
    click.echo(f"{reader.frames} whole frames, {capture.cut} cut")
    total = reader.groups + reader.bad
    click.echo(f"{total} groups, {reader.bad} bad" + _by_cause(reader.errors))
    if capture.last:
        click.echo("\nlast values")
        rows = [
            (label, last.group.text, describe(last.group), str(last.times))
            for label, last in capture.last.items()
        ]
        _echo(table(("label", "value", "meaning", "times"), rows, "times"))
    if capture.implausible:
        click.echo("\nimplausible: an index fell, or rose faster than the contract allows")
        for fact in capture.implausible[:SHOWN_REFUSED]:
            click.echo(f"{fact.field} {fact.value}")
        _more(len(capture.implausible))
    if capture.refused:
        click.echo("\nbad groups")
        rows = [
            (str(one.offset), show_line(one.raw), one.outcome.value, why(one.raw, one.outcome))
            for one in capture.refused[:SHOWN_REFUSED]
            if isinstance(one.outcome, Cause)
        ]
        _echo(table(("byte", "line", "cause", "why"), rows, "byte"))
        _more(reader.bad)


def _by_cause(errors: dict[Cause, int]) -> str:
    return f" ({causes(errors)})" if any(errors.values()) else ""


def _more(total: int) -> None:
    if total > SHOWN_REFUSED:
        click.echo(f"… and {total - SHOWN_REFUSED} more: --json has them")


def _echo(lines: list[str]) -> None:
    for line in lines:
        click.echo(line)
