"""`start`, `halt` and `reload`: each checks the state that the nodes report afterwards."""

import click

from jph.cli.terminal.context import App, codifier_argument, json_option, run_async
from jph.cli.terminal.output import echo_json
from jph.client.commands import NodeAnswer
from jph.errors import JphError
from jph.wire.codec import EVERY_NODE, Flag


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def start(app: App, code: str, as_json: bool) -> None:
    """Let CODE send and receive data again; @@ is every node."""
    _switch(app, code, Flag.START, True, as_json)


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def halt(app: App, code: str, as_json: bool) -> None:
    """Let CODE send and receive no data, until `start`; @@ is every node.

    Consoles, gateways, caches and collectors ignore it. Exit status 1 if CODE does.
    """
    _switch(app, code, Flag.HALT, False, as_json)


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def reload(app: App, code: str, as_json: bool) -> None:
    """Let CODE read its configuration again; @@ is every node.

    A node refuses a broken configuration and keeps the old one. Exit status 1 then. Keys that only
    a restart applies are named.
    """
    node = None if code == EVERY_NODE else app.node_of(code).codifier
    answers = run_async(_ask(app, node, Flag.RELOAD))
    renewed = sorted(answer.node for answer in answers)
    restart = {each.node: each.restart for each in answers if each.restart}
    if as_json:
        echo_json({"reloaded": renewed, "restart": restart})
    elif renewed:
        click.echo(f"{' '.join(renewed)} read the configuration again")
        for code, keys in restart.items():
            click.echo(f"{code} needs a restart: {', '.join(keys)}")
    if not renewed:
        limit_s = app.limits.reload_s
        raise JphError(
            f"no sign within {limit_s:g} s that {node or 'any node'} took the configuration: "
            "it is away, or has refused it (its log says why)"
        )


def _switch(app: App, code: str, flag: Flag, wanted: bool, as_json: bool) -> None:
    node = None if code == EVERY_NODE else app.node_of(code).codifier
    answers = run_async(_ask(app, node, flag))
    if as_json:
        echo_json([{"codifier": a.node, "active": a.active} for a in answers])
    else:
        for answer in answers:
            click.echo(f"{answer.node} {'sends data' if answer.active else 'is halted'}")
    if not answers:
        raise JphError("no node answers" if node is None else f"{node} does not answer")
    if node is not None and answers[0].active is not wanted:
        raise JphError(f"{node} does not obey {'start' if wanted else 'halt'}")


async def _ask(app: App, node: str | None, flag: Flag) -> list[NodeAnswer]:
    """Send `flag` to a node, or to every node; return the answers."""
    async with app.session() as session:
        commands = session.client.commands
        if node is not None:
            answers = [await commands.ask(node, flag, node)]
        else:
            answers = await commands.ask_all(flag, sorted(app.expected_nodes), strangers=True)
    return sorted((each for each in answers if each.answered), key=lambda each: each.node)
