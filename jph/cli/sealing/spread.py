"""Lets running nodes read a newly signed config."""

import asyncio
from collections.abc import Callable
from typing import Final

from jph.cli.terminal.context import App, run_async
from jph.config.last_good import fetch_or_copy
from jph.config.model import Network, parse
from jph.errors import JphError
from jph.wire.codec import EVERY_NODE, Flag

_HEARD_S: Final = 1.5
"""Time for nodes to ask this console, which just started, for its proof, and to reload."""


def reload_all(app: App) -> Callable[[], list[str]]:
    """Return a function that lets every node read its config; it returns those that did.

    Call this before the config changes: the nodes that run still have the keys of the old one.
    """
    try:
        signed = fetch_or_copy(app.url).signed
        old: Network | None = parse(signed.document, app.url)
    except JphError:
        old = None

    def reload() -> list[str]:
        if old is None:
            return []
        return run_async(_reload(App(app.url, app.code, app.patience), old))

    return reload


async def _reload(app: App, network: Network) -> list[str]:
    """Send the command under the old config, then look which nodes answer under the new one."""
    app.network = network
    fresh = App(app.url, app.code, app.patience)
    try:
        async with app.session() as session:
            session.client.send(Flag.RELOAD, EVERY_NODE, 0.0)
            await asyncio.sleep(_HEARD_S * app.patience)
        async with fresh.session() as session:
            answers = await session.client.commands.ask_all(
                Flag.PING, sorted(fresh.expected_nodes), strangers=True
            )
    except JphError:
        return []
    return sorted(each.node for each in answers if each.answered)
