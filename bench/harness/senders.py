"""Nodes that send readings, in one process; standard input says how fast.

An input line is a mode, a rate and a number of seconds. Mode `all`: every node sends one reading of
each of its codifiers at that rate. Mode `run`: the first node sends its first codifier alone. The
output line is the number of readings sent since the start.

    python -m bench.harness.senders CONFIG
"""

import asyncio
import logging
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from jph.config import model as config
from jph.config.fetch import fetch
from jph.config.model import Network
from jph.node.node import Node

if TYPE_CHECKING:
    import subprocess

_CALLS_A_SECOND: Final = 500
_FEWEST_A_CALL: Final = 64


class Sender(Node, type="Setpoint"):  # every program knows this kind
    """Sends on command."""


class Senders:
    """The sending nodes of a network."""

    def __init__(self, network: Network) -> None:
        sensors = [sensor for sensor in network.sensors if sensor.type in Sender.types]
        self.nodes = [Sender(sensor.codifier, network) for sensor in sensors]
        self.sent = 0

    async def run(self) -> None:
        """Send as the input lines say, until the input ends."""
        tasks = [asyncio.create_task(node.run()) for node in self.nodes]
        while not all(node.bus.data.is_open for node in self.nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            mode, rate, seconds = line.split()
            await self._send(mode == "run", float(rate), float(seconds))
            print(self.sent, flush=True)
        for node in self.nodes:
            node.stop()
        await asyncio.gather(*tasks)

    async def _send(self, run: bool, rate: float, seconds: float) -> None:
        """Send at evenly spread moments."""
        codes = [[node.codifier, *node.elements] for node in self.nodes]
        moments = _moments(len(self.nodes), rate, seconds)
        if run:
            together = max(_FEWEST_A_CALL, round(rate / _CALLS_A_SECOND))
            codes = [[codes[0][0]] * together]
            moments = _moments(1, rate / together, seconds)
        started_s = time.monotonic()
        for due_s, which, number in moments:
            if (wait_s := started_s + due_s - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            elif not number % 8:
                await asyncio.sleep(0)  # late, but the nodes need the loop too
            value = number * 0.25
            self.nodes[which].send_many([(code, value) for code in codes[which]])
            self.sent += len(codes[which])


def _moments(nodes: int, rate: float, seconds: float) -> Iterator[tuple[float, int, int]]:
    """Yield second, node and count of every call."""
    for number in range(round(rate * seconds)):
        for which in range(nodes):
            yield (number + which / nodes) / rate, which, number


class SendCommands:
    """The other end of the input and output of such a process."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._in, self._out = child.stdin, child.stdout
        if self._out.readline() != "ready\n":
            raise SystemExit("the senders do not start; see their messages above")

    def send(self, mode: str, rate: float, seconds: float) -> int:
        """Have readings sent, wait for the end, and return the number sent since the start."""
        print(mode, rate, seconds, file=self._in, flush=True)
        return int(self._out.readline())


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(Senders(config.parse(fetch(sys.argv[1]), sys.argv[1])).run())
