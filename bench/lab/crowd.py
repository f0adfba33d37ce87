"""Nodes that send, in one process, told what to do.

Each line of its input is who sends, how many readings a second, and for how many seconds: `all` has
every codifier send so many, one of each at a time; `run` has the first one send alone. Each line of
its output is how many readings were sent since its start, in all.

    python -m bench.lab.crowd CONFIG
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Final

from jph.config import model as config
from jph.config.fetch import fetch
from jph.config.model import Network
from jph.node.node import Node

if TYPE_CHECKING:
    import subprocess

_CALLS_A_SECOND: Final = 500
_FEWEST: Final = 64


class Sender(Node, type="Setpoint"):  # a kind that every program knows
    """Sends when it is told to."""


class Crowd:
    """The nodes of `network` that are senders."""

    def __init__(self, network: Network) -> None:
        sensors = [sensor for sensor in network.sensors if sensor.type in Sender.types]
        self.nodes = [Sender(sensor.codifier, network) for sensor in sensors]
        self.sent = 0

    async def run(self) -> None:
        """Send as the lines of the input say; end with it."""
        lives = [asyncio.create_task(node.run()) for node in self.nodes]
        while not all(node.bus.data.is_open for node in self.nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            who, rate, seconds = line.split()
            await self._send(who == "run", float(rate), float(seconds))
            print(self.sent, flush=True)
        for node in self.nodes:
            node.stop()
        await asyncio.gather(*lives)

    async def _send(self, run: bool, rate: float, seconds: float) -> None:
        """Send at moments spread evenly."""
        codes = [[node.codifier, *node.elements] for node in self.nodes]
        moments = _moments(len(self.nodes), rate, seconds)
        if run:
            together = max(_FEWEST, round(rate / _CALLS_A_SECOND))
            codes = [[codes[0][0]] * together]
            moments = _moments(1, rate / together, seconds)
        begin_s = time.monotonic()
        for due_s, which, number in moments:
            if (wait_s := begin_s + due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            elif not number % 8:
                await asyncio.sleep(0)  # behind: the nodes have to live all the same
            value = number * 0.25
            self.nodes[which].send_many([(code, value) for code in codes[which]])
            self.sent += len(codes[which])


def _moments(nodes: int, rate: float, seconds: float) -> Iterator[tuple[float, int, int]]:
    """Yield when which node sends for the how manieth time."""
    for number in range(round(rate * seconds)):
        for which in range(nodes):
            yield (number + which / nodes) / rate, which, number


class Orders:
    """How a program tells such a process what to do."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._in: IO[str] = child.stdin
        self._out: IO[str] = child.stdout
        if self._out.readline() != "ready\n":
            raise SystemExit("the senders do not start; their words are above")

    def send(self, who: str, rate: float, seconds: float) -> int:
        """Have it send, and wait for the end; return how many were sent since the start."""
        print(who, rate, seconds, file=self._in, flush=True)
        return int(self._out.readline())


async def _main(arguments: Sequence[str]) -> None:
    (url,) = arguments
    await Crowd(config.parse(fetch(url), url)).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(_main(sys.argv[1:]))
