"""Saturates a data bus and pings a node meanwhile: prints when it asked, by number (monotonic s).

python -m tests.jph.flood CONTROL_PORT DATA_PORT PINGS
"""

import json
import random
import sys
import time

from jph.config.model import Endpoint
from jph.errors import DecodeError
from jph.net.channel import Channel
from jph.node.outbox import Outbox
from jph.wire.codec import Dialect, Quality, decode_control


def main(control_port: int, data_port: int, pings: int) -> None:
    """Flood until all pings are answered."""
    control, data = (
        Channel(Endpoint(address=address, port=port), ["lo"], ttl=0)
        for address, port in (("239.255.91.1", control_port), ("239.255.91.2", data_port))
    )
    (heard,) = control.open(listen=True)
    data.open(listen=False)
    outbox = Outbox("FL", random.randrange(1, 2**32))
    batch = [("FL", float(number)) for number in range(1_000)]
    answers: set[float] = set()

    def hear(datagram: memoryview, size: int, _: tuple[str, int]) -> None:
        try:
            message = decode_control(datagram[:size])
        except DecodeError:
            return
        if message.flag == "T" and message.source == "EA":
            answers.add(message.number)

    asked: dict[float, float] = {}
    while len(answers) < pings:
        for block in range(20):
            data.send_blocks(outbox.blocks(batch, 5, Quality.GOOD, Dialect.JPH))
            control.read(heard, hear)
            if len(asked) == len(answers) < pings and block == 10:
                number = float(len(asked) + 1)
                asked[number] = time.monotonic()
                control.send(outbox.control("P", "EA", number, True))
    json.dump(asked, sys.stdout)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
