"""`top`: who talks on the buses, how much, and how regularly."""

import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Final

import click

from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.meterscreen import CLEAR, HOME, REST_OF_LINE, REST_OF_SCREEN
from jph.cli.terminal.output import echo_json, paint, table
from jph.client.meter import Meter, Talker
from jph.wire.codec import Control, Reading

_HEAD: Final = ("code", "name", "bus", "msg/s", "B/s", "jitter", "lost", "again")
_RIGHT: Final = "msg/s B/s jitter lost again"
_SORT: Final = {
    "rate": lambda talker: -talker.rate,
    "bytes": lambda talker: -talker.bytes_s,
    "jitter": lambda talker: -talker.jitter_ms,
    "lost": lambda talker: -talker.lost,
}


@click.command()
@click.option("--once", is_flag=True, help="One table, then end.")
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True, help="Window."
)
@click.option("--sort", type=click.Choice(list(_SORT)), default="rate", show_default=True)
@click.option("-n", "--most", type=click.IntRange(1), help="So many rows.  [default: what fits]")
@json_option
@click.pass_obj
def top(app: App, once: bool, seconds: float, sort: str, most: int | None, as_json: bool) -> None:
    r"""Show the sources on both buses: messages and bytes a second, jitter, losses, until Ctrl-C.

    \b
      control.py top
      control.py top --once --json --seconds 10
      control.py watch --from TI            the messages of one of them

    Jitter is how much the interval of arrival differs from that of sending. Lost are messages that
    have not arrived since the start; again are those that arrived twice. Exit status 1 if --once
    hears nothing.
    """
    run_async(_top(app, once, seconds, sort, most, as_json))


async def _top(
    app: App, once: bool, seconds: float, sort: str, most: int | None, as_json: bool
) -> None:
    names = {sensor.codifier: sensor.short_name or sensor.name for sensor in app.network.sensors}
    screen = _Screen(names, most, as_json, once)
    meter = Meter(time.monotonic())
    async with app.session(data=True) as session:
        console, client = session

        def take(readings: Sequence[Reading]) -> None:
            meter.hear_data(readings, time.time() * 1000)

        def hear(message: Control) -> None:
            meter.hear_control(message, time.time() * 1000)

        client.listeners.append(hear)
        lost = {"control": console.control_sequences.lost, "data": console.data_sequences.lost}
        async with client.replies.listening(take):
            try:
                while True:
                    await asyncio.sleep(seconds)
                    found = sorted(meter.end(time.monotonic(), lost), key=_SORT[sort])
                    screen.show(found, seconds)
                    if once:
                        raise SystemExit(0 if found else 1)
            except asyncio.CancelledError:  # Ctrl-C is the normal end
                return


class _Screen:
    """Shows each window: in place on a terminal, else one after the other."""

    def __init__(self, names: dict[str, str], most: int | None, as_json: bool, once: bool) -> None:
        self._names, self._most, self._as_json = names, most, as_json
        self._in_place = sys.stdout.isatty() and not as_json and not once
        self._drawn = False

    def show(self, talkers: Sequence[Talker], seconds: float) -> None:
        """Show the talkers of a window."""
        if self._as_json:
            shown = talkers[: self._most]
            echo_json([{**t._asdict(), "name": self._names.get(t.source)} for t in shown])
            return
        size = shutil.get_terminal_size()
        most = self._most or (max(1, size.lines - 3) if self._in_place else len(talkers))
        rate, bytes_s = sum(t.rate for t in talkers), sum(t.bytes_s for t in talkers)
        title = f"{len(talkers)} sources, {rate:.1f} messages/s, {bytes_s / 1000:.1f} kB/s"
        cells = [self._cells(talker) for talker in talkers[:most]]
        width = size.columns if self._in_place else None
        head, *lines = table(_HEAD, cells, right=_RIGHT, width=width)
        states = ["stale" if t.lost else "" for t in talkers]
        rows = [paint(line, state) for line, state in zip(lines, states, strict=False)]
        if self._in_place:
            first = HOME if self._drawn else CLEAR + HOME
            self._drawn = True
            body = "\n".join(f"{line}{REST_OF_LINE}" for line in (title, head, *rows))
            click.echo(f"{first}{body}{REST_OF_SCREEN}", nl=False)
        else:
            click.echo("\n".join((f"{title} in {seconds:g} s", head, *rows)))

    def _cells(self, talker: Talker) -> tuple[str, ...]:
        return (
            talker.source,
            self._names.get(talker.source, "not in the config"),
            talker.bus,
            f"{talker.rate:.2f}",
            f"{talker.bytes_s:.0f}",
            f"{talker.jitter_ms:.1f} ms",
            str(talker.lost or ""),
            str(talker.repeated or ""),
        )
