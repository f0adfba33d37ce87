"""Runs nodes as a program: several in one process, ended cleanly by a signal."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterable, Sequence

from jph.config import last_good
from jph.config import model as config
from jph.config.sealed import fetch_signed
from jph.errors import ConfigError, JphError
from jph.net.log_channel import send_log
from jph.node import kinds
from jph.node.node import Node
from jph.util import logs
from jph.util.backoff import Backoff
from jph.util.notify import notifier
from jph.util.secrets import scrub
from jph.util.statedir import claim, private_files

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
    private_files()
    claim(config.state_dir())
    for kind in own:
        kinds.add(kind)
    fetched = last_good.fetch_at_start(url, _warn)
    network = kinds.parse(fetched.document, url, codifiers)
    if not fetched.copy_of:
        last_good.try_to_keep(url, fetched.signed, _warn)
    refused = logs.configure(network.logging)
    if os.environ.get("JPH_SILENT", "").upper() not in ("1", "TRUE"):
        send_log(network.multicast, network.logging)
    nodes = [kinds.make(codifier, network, url) for codifier in codifiers]
    for reason in refused:
        nodes[0].log.warning("%s", reason)
    if fetched.copy_of:
        nodes[0].log.warning("%s", fetched.copy_of)
    asyncio.run(run_nodes(nodes, url if fetched.copy_of else None, fetched.document))


def _warn(text: str) -> None:
    """Print a warning before logging is configured."""
    print(f"control.py: {scrub(text)}", file=sys.stderr, flush=True)  # noqa: T201


async def run_nodes(nodes: Sequence[Node], url: str | None = None, document: bytes = b"") -> None:
    """Run nodes until a signal ends them; one that fails leaves the others running.

    They run with a copy of `document` if `url` names its server: they reload once the server
    answers with another one.

    Raises:
        JphError: the first failure, once all have ended.
    """
    loop = asyncio.get_running_loop()
    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, _stop_all, nodes)
    beside = [asyncio.create_task(_reload_later(nodes, url, document))] if url else []
    if (manager := notifier()) is not None:
        # Imported here: most starts have no service manager.
        from jph.node.service import report

        beside.append(asyncio.create_task(report(nodes, manager)))
    try:
        results = await asyncio.gather(*map(_run_one, nodes))
    finally:
        for task in beside:
            task.cancel()
        if manager is not None:
            manager.send("STOPPING=1")
            manager.close()
        for ending in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(ending)
    failures = [error for error in results if error is not None]
    if failures:
        raise failures[0]


async def _reload_later(nodes: Sequence[Node], url: str, document: bytes) -> None:
    """Wait for the server of the config; let the nodes reload if its document has changed."""
    backoff = Backoff(last_good.FIRST_DELAY_S, last_good.LONGEST_DELAY_S)
    while True:
        await asyncio.sleep(backoff.next_s())
        try:
            changed = (await asyncio.to_thread(fetch_signed, url)).document != document
        except ConfigError:
            continue
        for node in nodes:
            node.log.info("the config can be read again")
            if changed:
                node.reload_config("its server")
        return


async def _run_one(node: Node) -> JphError | None:
    try:
        node.check_installed()
        await node.run()
    except JphError as error:
        node.log.critical("%s", error)
        return error
    return None


def _stop_all(nodes: Sequence[Node]) -> None:
    logging.getLogger("jph").debug("ending")
    for node in nodes:
        node.stop()
