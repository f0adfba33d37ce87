"""`play`: sends a recording on the buses of a network again."""

import asyncio
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import click
import msgspec

from jph.cli.commands.record import find_recording, read_recording
from jph.cli.terminal.context import App, codifier, run_async
from jph.config.model import Endpoint, Network
from jph.errors import JphError
from jph.net.bus import Bus
from jph.node.outbox import now_ms
from jph.recorder.frames import unpack
from jph.recorder.replay import Due, Playback
from jph.wire.codec import Flag

HARMLESS: Final = frozenset(
    ("jphRedis", "jphPostgreSQL", "postgresCalcHandler", "Recorder", "Gateway", "ControlProgram")
)
"""Kinds that keep or show what they hear and switch nothing."""
_MOST_AT_ONCE: Final = 64


class GroupParam(click.ParamType[Endpoint]):
    """A group as `239.192.0.9:4009`, or `[ff15::9]:4009`."""

    name = "group"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Endpoint:
        """Return the address and port."""
        address, _, port = value.rpartition(":")
        if not address or not port.isdecimal() or not 0 < int(port) < 65_536:
            self.fail(f"expected ADDRESS:PORT as 239.192.0.9:4009, found {value!r}", param, ctx)
        return Endpoint(address.strip("[]"), int(port))


@click.command()
@click.argument("file", required=False, metavar="[FILE]")
@click.option("--speed", type=click.FloatRange(0.01, 10_000), default=1.0, help="Times as fast.")
@click.option("--loop", is_flag=True, help="Begin again at the end, until Ctrl-C.")
@click.option("--skip", "skip_s", type=click.FloatRange(0), default=0.0, help="Leave out seconds.")
@click.option("--only", type=codifier, multiple=True, metavar="CODE", help="This codifier only.")
@click.option("--keep-times", is_flag=True, help="Send the times as they were, not as of now.")
@click.option("--control", type=GroupParam(), help="Control group to play into: ADDRESS:PORT.")
@click.option("--data", type=GroupParam(), help="Data group to play into: ADDRESS:PORT.")
@click.option("--really", is_flag=True, help="Commands too, and beside nodes that switch loads.")
@click.pass_obj
def play(
    app: App,
    file: str | None,
    speed: float,
    loop: bool,
    skip_s: float,
    only: tuple[str, ...],
    keep_times: bool,
    control: Endpoint | None,
    data: Endpoint | None,
    really: bool,
) -> None:
    r"""Play a recording into a network: readings and keep-alives, in their order and intervals.

    \b
      control.py play 17 --control 239.192.0.9:4009 --data 239.192.0.10:4010
      control.py --config test.json play house.rec --speed 100 --only TI --loop

    FILE is a path, a name or a number of `record list`, by default the newest recording. Times
    become those of now: the last message has the time of the end. With --keep-times a store that
    has the readings drops them. It plays into the groups of the config, or into --control and
    --data. Where a node runs there that switches loads, or one that this does not know, it refuses
    without --really.
    """
    network = app.network = _target(app.network, control, data)
    if network.seal is not None:
        raise JphError("the network is sealed: its nodes take no recording; play into another one")
    path = find_recording(file)
    entries = list(unpack(read_recording(path)))
    playback = Playback(speed, skip_s, frozenset(only) or None, commands=really)
    if not (chosen := playback.chosen(entries)):
        raise JphError(f"{path.name} has no message to play")

    def passes() -> Iterator[Iterator[Due]]:
        while True:
            end_ms = None if keep_times else now_ms() + round(1000 * playback.length_s(chosen))
            salt = 0 if keep_times else random.randrange(1, 2**32)
            yield replace(playback, end_ms=end_ms, salt=salt).due(chosen)
            if not loop:
                return

    run_async(_play(app, passes(), really))


def _target(network: Network, control: Endpoint | None, data: Endpoint | None) -> Network:
    if (control is None) != (data is None):
        raise click.UsageError("--control and --data: name both groups or none")
    if control is None or data is None:
        return network
    multicast = msgspec.structs.replace(network.multicast, control=control, data=data, log=None)
    return msgspec.structs.replace(network, multicast=multicast)


async def _play(app: App, passes: Iterator[Iterator[Due]], really: bool) -> None:
    if not really and (live := await _live(app)):
        raise JphError(
            f"{' '.join(live)} would take the recording for the house: play into other groups "
            "(--control, --data), or with --really"
        )
    bus = Bus(app.network.multicast)
    bus.open()
    try:
        sent = 0
        for each in passes:
            sent += await _send(bus, each)
        click.echo(f"played: {sent} messages", err=True)
    except asyncio.CancelledError:  # Ctrl-C is the normal end of a loop
        return
    finally:
        await bus.close()


async def _live(app: App) -> list[str]:
    """Return the nodes on the groups that switch loads or that the config does not know."""
    types = {sensor.codifier: sensor.type for sensor in app.network.sensors}
    async with app.session() as session:
        answers = await session.client.commands.ask_all(
            Flag.PING, sorted(app.expected_nodes), strangers=True
        )
    alive = [answer.node for answer in answers if answer.answered]
    return [code for code in alive if types.get(code) not in HARMLESS]


async def _send(bus: Bus, dues: Iterator[Due]) -> int:
    """Send each datagram at its time; return how many left."""
    start_s, sent, at_once = time.monotonic(), 0, 0
    for due in dues:
        wait_s = start_s + due.after_s - time.monotonic()
        at_once = at_once + 1 if wait_s <= 0 else 0
        if wait_s > 0 or at_once >= _MOST_AT_ONCE:
            at_once = 0
            await asyncio.sleep(max(0.0, wait_s))
        channel = bus.control if due.bus == "control" else bus.data
        sent += channel.send(due.datagram)
    return sent
