"""Many codifiers that send: the nodes of a large network in one process, told what to do.

Each line of its input is how many readings a second each codifier is to send, and for how many
seconds; each line of its output is how many readings were sent since its start, in all.

    python -m bench.lab.crowd CONFIG
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator, Sequence

from jph import config
from jph.config import Network
from jph.node import Node


class Sender(Node, type="Setpoint"):  # a kind that every program knows
    """Sends when it is told to."""


class Crowd:
    """The nodes of `network` whose type is a sender's."""

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
            rate, seconds = map(float, line.split())
            await self._send(rate, seconds)
            print(self.sent, flush=True)
        for node in self.nodes:
            node.stop()
        await asyncio.gather(*lives)

    async def _send(self, rate: float, seconds: float) -> None:
        """Send from each codifier, node by node, at moments spread evenly."""
        codes = [[node.codifier, *node.elements] for node in self.nodes]
        begin_s = time.monotonic()
        for due_s, which, number in _moments(len(self.nodes), rate, seconds):
            if (wait_s := begin_s + due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            elif not number % 8:
                await asyncio.sleep(0)  # behind: the nodes have to live all the same
            self.nodes[which].send_many([(code, number * 0.25) for code in codes[which]])
            self.sent += len(codes[which])


def _moments(nodes: int, rate: float, seconds: float) -> Iterator[tuple[float, int, int]]:
    """Yield when which node sends for the how manieth time."""
    for number in range(round(rate * seconds)):
        for which in range(nodes):
            yield (number + which / nodes) / rate, which, number


async def _main(arguments: Sequence[str]) -> None:
    (url,) = arguments
    await Crowd(config.parse(config.fetch(url), url)).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(_main(sys.argv[1:]))
