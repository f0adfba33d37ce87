"""Telling nodes what to do: start, halt, reload. Each looks whether it was done."""

import asyncio
import contextlib
from typing import Final

import click

from jph.cli.context import App, codifier_argument, json_option, run_async
from jph.cli.output import echo_json
from jph.cli.ping import Answer, Pinger
from jph.errors import JphError
from jph.wire.codec import EVERY_NODE, Control, Flag
from nodes.controlprogram import on_bus

RELOAD_LIMIT_S: Final = 3.0


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def start(app: App, code: str, as_json: bool) -> None:
    """Let CODE send and receive data again; @@ is everybody."""
    _switch(app, code, Flag.START, True, as_json)


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def halt(app: App, code: str, as_json: bool) -> None:
    """Let CODE send and receive no data, until `start`; @@ is everybody.

    Consoles, gateways, caches and collectors ignore it. Exit status 1 if CODE does.
    """
    _switch(app, code, Flag.HALT, False, as_json)


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def reload(app: App, code: str, as_json: bool) -> None:
    """Let CODE read its configuration again; @@ is everybody.

    A node refuses a broken configuration and goes on with the old one. Exit status 1 then.
    """
    nodes = set() if code == EVERY_NODE else {app.node_of(code).codifier}
    renewed = run_async(_reload(app, nodes))
    if as_json:
        echo_json({"reloaded": sorted(renewed)})
    elif renewed:
        click.echo(f"{' '.join(sorted(renewed))} read the configuration again")
    if not renewed or not nodes <= renewed:
        who = " ".join(sorted(nodes)) or "anybody"
        limit_s = RELOAD_LIMIT_S * app.patience
        raise JphError(
            f"no sign within {limit_s:g} s that {who} took the configuration: "
            "it is away, or has refused it (its log says why)"
        )


def _switch(app: App, code: str, flag: Flag, wanted: bool, as_json: bool) -> None:
    everybody = code == EVERY_NODE
    node = EVERY_NODE if everybody else app.node_of(code).codifier
    answers = run_async(_order_and_ask(app, node, flag))
    if as_json:
        echo_json([{"codifier": a.codifier, "active": a.active} for a in answers])
    else:
        for answer in answers:
            click.echo(f"{answer.codifier} {'sends data' if answer.active else 'is halted'}")
    if not answers:
        raise JphError("nobody answers" if everybody else f"{node} does not answer")
    if not everybody and answers[0].active is not wanted:
        raise JphError(f"{node} does not obey {'start' if wanted else 'halt'}")


async def _order_and_ask(app: App, node: str, flag: Flag) -> list[Answer]:
    """Send `flag`, then ask by ping what state that has led to (in order: one sender, one bus)."""
    async with on_bus(app.make_console()) as console:
        pinger = Pinger(console, app.patience)
        console.send_control(flag, node)
        if node != EVERY_NODE:
            answer = await pinger.ping(node)
            return [answer] if answer else []
        return await pinger.ping_all(app.expected_nodes)


async def _reload(app: App, nodes: set[str]) -> set[str]:
    """Send `C`; return who announced a new sequence afterwards, which is how a reload ends."""
    renewed: set[str] = set()
    done = asyncio.Event()

    def heard(message: Control) -> None:
        if message.flag == Flag.NEW:
            renewed.add(message.source)
            if (nodes or app.expected_nodes) <= renewed:
                done.set()

    async with on_bus(app.make_console()) as console:
        console.heard = heard
        console.send_control(Flag.RELOAD, nodes.copy().pop() if nodes else EVERY_NODE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELOAD_LIMIT_S * app.patience):
                await done.wait()
    return renewed
