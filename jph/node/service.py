"""Reports the nodes of a process to the service manager: ready, and alive while work is done."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Final

from jph.node.node import Node
from jph.util.notify import Notifier

_UNWATCHED_S: Final = 30.0
_PART: Final = 3
"""Messages in the time that the watchdog allows."""


async def report(nodes: Sequence[Node], notifier: Notifier) -> None:
    """Report the nodes until the task is cancelled.

    They are ready once each has opened and joins the bus, or waits for a network: a machine starts
    without one. The watchdog gets its message only while no work of a node is overdue: a loop that
    turns is not enough.
    """
    for node in nodes:
        await node.settled.wait()
    named = " ".join(node.codifier for node in nodes)
    notifier.send("READY=1", f"STATUS=runs {named}")
    interval_s = _UNWATCHED_S if notifier.watchdog_s is None else notifier.watchdog_s / _PART
    before: list[str] = []
    while True:
        late = overdue(nodes, time.monotonic())
        if not late:
            notifier.send("WATCHDOG=1", f"STATUS=runs {named}")
        elif late != before:
            text = f"stands still: {', '.join(late)}"
            logging.getLogger("jph").error("%s", text)
            notifier.send(f"STATUS={text}")
        before = late
        await asyncio.sleep(interval_s)


def overdue(nodes: Sequence[Node], now_s: float) -> list[str]:
    """Return the overdue work of all nodes, each as `codifier work`."""
    return [f"{node.codifier} {work}" for node in nodes for work in node.deadlines.overdue(now_s)]
