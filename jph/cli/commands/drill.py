"""`drill`: injects faults into the reception of readings, to see that no reading is lost."""

import asyncio
import random
import re
import socket
import time
from typing import Final, NamedTuple

import click

from jph.cli.terminal.context import App, run_async
from jph.client.commands import Address
from jph.errors import DecodeError
from jph.net.fault_injection import LONGEST_S
from jph.node.outbox import now_ms
from jph.retransmit.messages import Envelope, Faults, decode_unicast, encode_unicast
from jph.wire.codec import EVERY_NODE, Flag

_TRY_S: Final = 0.3
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


class Target(NamedTuple):
    """Address and epoch of a node."""

    address: Address
    epoch: int


class Share(click.ParamType[float]):
    """A share of all datagrams, `10%` or `0.1`, as a fraction."""

    name = "share"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the fraction."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"expected 0% to 100%, found {value!r}", param, ctx)
        return share


class Duration(click.ParamType[float]):
    """A time: `20ms`, `60s`, `5min`, `1h`, or seconds; as seconds."""

    name = "time"

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        match = re.fullmatch(r"([\d.]+)\s*(ms|s|m|min|h)?", str(value).strip())
        try:
            if match is None:
                raise ValueError
            return float(match[1]) * _UNITS[match[2] or "s"]
        except ValueError:
            self.fail(f"expected a time such as 20ms, 60s or 5min, found {value!r}", param, ctx)


@click.command()
@click.option("--loss", type=Share(), default="0%", help="Datagrams that never arrive.")
@click.option("--duplicate", type=Share(), default="0%", help="Datagrams that arrive twice.")
@click.option("--reorder", type=Share(), default="0%", help="Datagrams that others overtake.")
@click.option("--delay", type=Duration(), default="0ms", help="Delay of every datagram.")
@click.option("--for", "seconds", type=Duration(), default="60s", help="How long. At most 1h.")
@click.option("--node", "nodes", multiple=True, metavar="CODE", help="Only this one; repeatable.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="The same seed, the same drill.")
@click.pass_obj
def drill(
    app: App,
    loss: float,
    duplicate: float,
    reorder: float,
    delay: float,
    seconds: float,
    nodes: tuple[str, ...],
    seed: int | None,
) -> None:
    r"""Let nodes lose, duplicate, reorder and delay the readings that they receive, for a time.

    \b
      control.py drill --loss 10% --for 60s
      control.py drill --loss 30% --duplicate 1% --reorder 1% --delay 20ms --node Q1

    A node that repairs losses (the collector) loses its requests to resend and their answers too,
    and should still have every reading. Only the data bus is affected. The drill ends by itself.

    Exit status 1 if no node accepts it, 2 if a CODE is not in the config.
    """
    if not 0 < seconds <= LONGEST_S:
        raise click.BadParameter(f"expected up to {LONGEST_S:g} s", param_hint="--for")
    wanted = {app.node_of(code.upper()).codifier for code in nodes}
    if not app.network.drill:
        raise click.ClickException('fault injection is off: set "Drill": true in the config')
    envelope = Envelope(
        *(random.getrandbits(32), now_ms(), app.console.codifier, EVERY_NODE),
        request_id=random.getrandbits(32),
    )
    order = Faults(
        envelope=envelope,
        wanted_epoch=0,
        seconds=seconds,
        loss=loss,
        duplicate=duplicate,
        reorder=reorder,
        delay_s=delay,
        seed=random.getrandbits(32) if seed is None else seed,
    )
    raise SystemExit(run_async(_drill(app, order, wanted)))


async def _drill(app: App, order: Faults, wanted: set[str]) -> int:
    limit_s = app.limits.answer_s
    found = await _find(app, wanted)
    with socket.socket(_family(found), socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        heard = await _order(out, order, found, limit_s)
    drilled = sorted(code for code, hears in heard.items() if hears)
    if drilled:
        click.echo(f"{' '.join(drilled)}: for {order.seconds:g} s, seed {order.seed}")
    deaf = sorted(wanted & {code for code, hears in heard.items() if not hears})
    if deaf:
        click.echo(f"{' '.join(deaf)} receives no readings", err=True)
    silent = sorted((wanted or set(found)) - heard.keys())
    if silent:
        click.echo(f"no answer from {' '.join(silent)}", err=True)
    if not heard and not silent:
        click.echo("no node answers: is none running?", err=True)
    elif not drilled and not wanted and not silent:
        click.echo("no node that answers receives readings", err=True)
    return 0 if drilled else 1


async def _find(app: App, wanted: set[str]) -> dict[str, Target]:
    """Ping every node; return where each answer came from, of `wanted` alone if it names any."""
    nodes = sorted(wanted or app.expected_nodes)
    async with app.session() as session:
        answers = await session.client.commands.ask_all(Flag.PING, nodes, strangers=not wanted)
    return {
        each.node: Target(each.address, each.epoch or 0)
        for each in answers
        if each.address is not None
    }


async def _order(
    out: socket.socket, order: Faults, found: dict[str, Target], limit_s: float
) -> dict[str, bool]:
    """Send the order to each node until it answers; return whether each receives readings."""
    heard: dict[str, bool] = {}
    wanted = order.envelope.request_id
    loop = asyncio.get_running_loop()
    end_s = time.monotonic() + limit_s
    while (left := found.keys() - heard.keys()) and time.monotonic() < end_s:
        for code in left:
            address, epoch = found[code]
            envelope = order.envelope._replace(to=code)
            mine = order._replace(envelope=envelope, wanted_epoch=epoch)
            await loop.sock_sendto(out, encode_unicast(mine), address)
        try:
            async with asyncio.timeout(_TRY_S):
                while found.keys() - heard.keys():
                    answer = decode_unicast(await loop.sock_recv(out, 2048))
                    if isinstance(answer, Faults) and answer.envelope.request_id == wanted:
                        heard[answer.envelope.source] = answer.hears
        except (TimeoutError, DecodeError):
            continue
    return heard


def _family(found: dict[str, Target]) -> socket.AddressFamily:
    ipv6 = any(":" in target.address[0] for target in found.values())
    return socket.AF_INET6 if ipv6 else socket.AF_INET
