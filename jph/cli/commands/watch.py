"""`watch`: prints the messages of both buses as they arrive."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from jph.cli.terminal.context import App, codifier_or_all, json_option, run_async
from jph.cli.terminal.output import echo_json, show_clock, show_day, show_quality, show_value
from jph.cli.terminal.zone import local_zone
from jph.config.model import Network
from jph.node.outbox import now_ms
from jph.wire.codec import Control, Reading


@dataclass(frozen=True)
class Filter:
    """Selects the messages to show; an empty set accepts all."""

    source: frozenset[str] = frozenset()
    to: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()

    def passes(self, message: Control | Reading) -> bool:
        """Return whether `message` passes the filter."""
        return (
            (not self.source or message.source in self.source)
            and (not self.to or message.to in self.to)
            and (not self.either or not self.either.isdisjoint((message.source, message.to)))
            and (not self.flags or message.flag in self.flags)
        )


_FILTER_OPTIONS: Final = (
    click.option(
        "--from",
        "source",
        type=codifier_or_all,
        metavar="CODE",
        multiple=True,
        help="Sent by this codifier.",
    ),
    click.option(
        "--to",
        type=codifier_or_all,
        metavar="CODE",
        multiple=True,
        help="Sent to this codifier, or to all: @@.",
    ),
    click.option(
        "--either",
        type=codifier_or_all,
        metavar="CODE",
        multiple=True,
        help="Sent by or to this codifier.",
    ),
    click.option("--flag", multiple=True, metavar="LETTER", help="With this flag, as P or d."),
)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a Filter: --from, --to, --either, --flag."""
    for option in reversed(_FILTER_OPTIONS):
        command = option(command)
    return command


@click.command()
@filter_options
@click.option("--bus", type=click.Choice(["control", "data"]), help="Of this bus only.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages.")
@json_option
@click.pass_obj
def watch(
    app: App,
    source: tuple[str, ...],
    to: tuple[str, ...],
    either: tuple[str, ...],
    bus: str | None,
    flag: tuple[str, ...],
    count: int | None,
    as_json: bool,
) -> None:
    r"""Show the messages of both buses as they arrive, until Ctrl-C or --count.

    \b
      control.py watch --either TI
      control.py watch --bus control --flag P --flag T
      control.py watch --from I1 --count 10 --json

    An option given twice accepts both; different options must all match.
    """
    for code in (*source, *to, *either):
        if code != "@@":
            app.network.sensor(code)
    wanted = Filter(frozenset(source), frozenset(to), frozenset(either), frozenset(flag))
    show = show_json if as_json else Printer(app.network).show
    run_async(_watch(app, wanted, bus, count, show))


async def _watch(
    app: App,
    wanted: Filter,
    bus: str | None,
    count: int | None,
    show: Callable[[Control | Reading, int], None],
) -> None:
    end = asyncio.get_running_loop().create_future()
    shown = 0

    def take(message: Control | Reading) -> None:
        nonlocal shown
        if end.done() or not wanted.passes(message):
            return
        try:
            show(message, now_ms())
        except Exception as error:  # a hook of a node must not raise
            end.set_exception(error)
            return
        shown += 1
        if shown == count:
            end.set_result(None)

    def take_all(readings: Sequence[Reading]) -> None:
        for reading in readings if bus != "control" else ():
            take(reading)

    async with app.session(data=True) as session, session.client.replies.listening(take_all):
        if bus != "data":
            session.client.listeners.append(take)
        try:
            await end
        except asyncio.CancelledError:  # Ctrl-C is the normal end
            return


def show_json(message: Control | Reading, _arrival_ms: int) -> None:
    """Print `message` as one JSON object."""
    fields = message._asdict()
    echo_json({"bus": "control" if isinstance(message, Control) else "data", **fields})


class Printer:
    """Prints a message on one line, and the day before the first message of a day."""

    def __init__(self, network: Network) -> None:
        self._symbols = {sensor.codifier: sensor.symbol for sensor in network.sensors}
        self._names = {s.codifier: s.short_name or s.name for s in network.sensors}
        self._day = ""
        self.zone = local_zone(network)

    def show_day_once(self, now_ms: int) -> None:
        """Print the day and the name of its local time, if it differs from the last one printed."""
        if (day := show_day(now_ms, self.zone)) != self._day:
            self._day = day
            click.echo(day)

    def show(self, message: Control | Reading, arrival_ms: int) -> None:
        """Print `message`: its sender's time as local time, bus, flag, from, to, sequence, content.

        The day precedes it if it differs from that of `arrival_ms`.
        """
        self.show_day_once(arrival_ms)
        day = show_day(message.timestamp_ms, self.zone)
        clock = show_clock(message.timestamp_ms, self.zone)
        if isinstance(message, Control):
            content = f"{message.number:.10g}{'' if message.active else '  (halted)'}"
        else:
            content = show_value(message.value, self._symbols.get(message.source, ""))
            content += f"  ({show_quality(message.quality)})" if message.quality else ""
        bus = "C" if isinstance(message, Control) else "D"
        words = (
            f"{clock if day == self._day else f'{day[:10]} {clock}'} {bus} {message.flag}",
            f"{message.source}→{message.to} {message.sequence:>10} ",
            f"{content:<24}",
            self._names.get(message.source, ""),
        )
        click.echo(" ".join(words).rstrip())
