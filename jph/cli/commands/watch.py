"""`watch`: prints the messages of both buses as they arrive."""

import asyncio
import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import click

from jph.cli.terminal.context import App, codifier_or_all, json_option, run_async
from jph.cli.terminal.output import echo_json, show_clock, show_day, show_quality, show_value
from jph.cli.terminal.zone import local_zone
from jph.client.survey import CONSOLE_TYPE
from jph.config.model import Network
from jph.node.outbox import now_ms
from jph.wire.codec import Control, Reading

_MARGIN_S: Final = 0.5
_LONGEST_S: Final = 10.0


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
@click.option("--once", is_flag=True, help="The first message of each codifier, then end.")
@click.option("--changes", is_flag=True, help="Values that differ from the last one only.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, with a heading.")
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
    once: bool,
    changes: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    r"""Show the messages of both buses as they arrive, until Ctrl-C or --count.

    \b
      control.py watch --either TI
      control.py watch --bus control --flag P --flag T
      control.py watch --from I1 --count 10 --json
      control.py watch --bus data --changes --csv

    An option given twice accepts both; different options must all match. --once ends when each
    codifier of --from has sent something; without --from, after the longest interval.
    """
    if as_csv and as_json:
        raise click.UsageError("--csv or --json, not both")
    for code in (*source, *to, *either):
        if code != "@@":
            app.network.sensor(code)
    wanted = Filter(frozenset(source), frozenset(to), frozenset(either), frozenset(flag))
    show = show_json if as_json else CsvPrinter().show if as_csv else Printer(app.network).show
    novelty = Novelty(frozenset(source) if once else None, once=once, changes=changes)
    limit_s = longest_interval(app.network) * app.patience if once else None
    run_async(_watch(app, wanted, bus, count, show, novelty, limit_s))


def longest_interval(network: Network) -> float:
    """Return the time in which every node sends something, at most 10 s."""
    intervals = [s.sensor_interval for s in network.nodes() if s.type != CONSOLE_TYPE]
    return min(max(intervals, default=0.0) + _MARGIN_S, _LONGEST_S)


class Novelty:
    """Selects what is new: the first message of each codifier, or values that differ.

    `expected` are the codifiers after which `complete` holds; empty or None is never.
    """

    def __init__(
        self, expected: frozenset[str] | None = None, *, once: bool = False, changes: bool = False
    ) -> None:
        self._expected, self._once, self._changes = expected, once, changes
        self._last: dict[tuple[type, str], object] = {}
        self._seen: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether every expected codifier was selected once."""
        return bool(self._expected) and self._seen >= (self._expected or set())

    def passes(self, message: Control | Reading) -> bool:
        """Return whether `message` is selected."""
        source = message.source
        if self._once and source in self._seen:
            return False
        if self._changes:
            key = (type(message), source)
            state = _state_of(message)
            if key in self._last and self._last[key] == state:
                return False
            self._last[key] = state
        self._seen.add(source)
        return True


def _state_of(message: Control | Reading) -> object:
    if isinstance(message, Reading):
        return message.value, message.quality
    return message.flag, message.to, message.number, message.active


async def _watch(
    app: App,
    wanted: Filter,
    bus: str | None,
    count: int | None,
    show: Callable[[Control | Reading, int], None],
    novelty: Novelty,
    limit_s: float | None,
) -> None:
    end = asyncio.get_running_loop().create_future()
    shown = 0

    def take(message: Control | Reading) -> None:
        nonlocal shown
        if end.done() or not wanted.passes(message) or not novelty.passes(message):
            return
        try:
            show(message, now_ms())
        except Exception as error:  # a hook of a node must not raise
            end.set_exception(error)
            return
        shown += 1
        if shown == count or novelty.complete:
            end.set_result(None)

    def take_all(readings: Sequence[Reading]) -> None:
        for reading in readings if bus != "control" else ():
            take(reading)

    async with app.session(data=True) as session, session.client.replies.listening(take_all):
        if bus != "data":
            session.client.listeners.append(take)
        try:
            async with asyncio.timeout(limit_s):
                await end
        except (TimeoutError, asyncio.CancelledError):  # Ctrl-C is the normal end
            return


def show_json(message: Control | Reading, _arrival_ms: int) -> None:
    """Print `message` as one JSON object."""
    fields = message._asdict()
    echo_json({"bus": "control" if isinstance(message, Control) else "data", **fields})


class CsvPrinter:
    """Prints messages as comma-separated lines, the heading first."""

    HEAD: ClassVar = ("timestamp_ms", "bus", "flag", "source", "to", "sequence", "quality", "value")

    def __init__(self) -> None:
        self._headed = False

    def show(self, message: Control | Reading, _arrival_ms: int) -> None:
        """Print `message`."""
        if not self._headed:
            self._headed = True
            click.echo(",".join(self.HEAD))
        bus = "control" if isinstance(message, Control) else "data"
        quality = "" if isinstance(message, Control) else show_quality(message.quality)
        value = message.number if isinstance(message, Control) else message.value
        cells = (message.timestamp_ms, bus, message.flag, message.source, message.to)
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow((*cells, message.sequence, quality, value))
        click.echo(line.getvalue())


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
