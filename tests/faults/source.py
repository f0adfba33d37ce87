"""Sources of readings for the fault tests: they log every reading that they send.

    python -m tests.faults.source --config FILE --log FILE --for SECONDS CODE…

Each CODE sends `--rate` readings a second, whole numbers that are never used twice. When the time
is over they stay, to be asked again, and the file LOG.done appears.
"""

import argparse
import asyncio
import itertools
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from jph.config.model import Network
from jph.node import kinds, program
from jph.node.node import Node
from jph.util import logs
from jph.wire.codec import decode_data
from jph.wire.columns import Block

RECORD: Final = struct.Struct("<2sIIq")
"""Codifier, epoch, sequence, value."""
_TICK_S: Final = 0.05


class Source(Node):
    """Sends a running number, so many a second."""

    def __init__(self, codifier: str, network: Network, rate: float, log: BinaryIO) -> None:
        super().__init__(codifier, network)
        self._rate = rate
        self._file = log
        self._numbers = itertools.count(time.time_ns())
        self.joined = asyncio.Event()

    async def open(self) -> None:
        send = self.bus.data.send_blocks

        def logged(blocks: Sequence[Block]) -> bool:
            datagrams = (datagram for block in blocks for datagram in block.datagrams())
            self._file.write(b"".join(map(self._record, datagrams)))
            return send(blocks)

        self.bus.data.send_blocks = logged  # type: ignore[method-assign]

    def _joined(self) -> None:
        super()._joined()
        self.joined.set()

    def _record(self, datagram: bytes) -> bytes:
        reading = decode_data(datagram)
        value = -1 if reading.flag == "n" else int(reading.value)
        return RECORD.pack(reading.source.encode(), reading.epoch, reading.sequence, value)

    async def send_for(self, seconds: float) -> None:
        began_s, sent = time.monotonic(), 0
        while (passed_s := time.monotonic() - began_s) < seconds:
            due = int(passed_s * self._rate)
            if due > sent:
                numbers = itertools.islice(self._numbers, due - sent)
                self.send_many((self.codifier, number) for number in numbers)
                sent = due
            await asyncio.sleep(_TICK_S)
        rest = itertools.islice(self._numbers, int(seconds * self._rate) - sent)
        self.send_many((self.codifier, number) for number in rest)


async def main(codes: list[str], url: str, log: Path, seconds: float, rate: float) -> None:
    network = kinds.load(url, [])
    logs.configure(network.logging)
    with log.open("ab", buffering=0) as file:
        sources = [Source(code, network, rate, file) for code in codes]

        async def send() -> None:
            for source in sources:
                await source.joined.wait()
            await asyncio.gather(*(source.send_for(seconds) for source in sources))
            log.with_suffix(".done").touch()

        sending = asyncio.create_task(send())
        try:
            await program.run_nodes(sources)
        finally:
            sending.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--for", dest="seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("codes", nargs="+")
    given = parser.parse_args()
    asyncio.run(main(given.codes, given.config, given.log, given.seconds, given.rate))
