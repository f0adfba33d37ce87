"""Nodes as a program: several in one process, ended cleanly by a signal."""

import asyncio
import logging
import os
import signal
from collections.abc import Iterable, Sequence

from jph.config import model as config
from jph.errors import ConfigError, JphError
from jph.net.log_channel import send_log
from jph.node import kinds
from jph.node.node import Node
from jph.util import logs

DEFAULT_CONFIG = "static/config.json"


def default_url() -> str:
    """Return the config's URL from `JPH_CONFIG`, or the usual file."""
    return os.environ.get("JPH_CONFIG") or DEFAULT_CONFIG


def run(
    codifiers: str | Sequence[str], url: str | None = None, own: Iterable[type[Node]] = ()
) -> None:
    """Run these nodes (one codifier, or several) in this process until SIGTERM or SIGINT.

    `url` is the path or URL of the config; by default `JPH_CONFIG`, else `static/config.json`.
    `own` are kinds that the calling program defines itself.

    Raises:
        ConfigError: the config is wrong for them.
        JphError: a node could not go on.
    """
    codifiers = [codifiers] if isinstance(codifiers, str) else codifiers
    url = url or default_url()
    if not codifiers:
        raise ConfigError("which node? name its codifier, or set JPH_SENSOR")
    for kind in own:
        kinds.add(kind)
    network = kinds.load(url, codifiers)
    refused = logs.configure(network.logging)
    if os.environ.get("JPH_SILENT") != "1":
        send_log(network.multicast, network.logging)
    nodes = [kinds.make(codifier, network, url) for codifier in codifiers]
    for reason in refused:
        nodes[0].log.warning("%s", reason)
    state = config.state_dir()
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JphError(f"the state directory {state} cannot be used: {error}") from error
    asyncio.run(run_nodes(nodes))


async def run_nodes(nodes: Sequence[Node]) -> None:
    """Run nodes until a signal ends them; one that fails leaves the others running.

    Raises:
        JphError: the first failure, once all have ended.
    """
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, _stop_all, nodes)
    try:
        results = await asyncio.gather(*map(_run_one, nodes))
    finally:
        for ending in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(ending)
    failures = [error for error in results if error is not None]
    if failures:
        raise failures[0]


async def _run_one(node: Node) -> JphError | None:
    try:
        await node.run()
    except JphError as error:
        node.log.critical("%s", error)
        return error
    return None


def _stop_all(nodes: Sequence[Node]) -> None:
    logging.getLogger("jph").debug("ending")
    for node in nodes:
        node.stop()
