"""A node's own messages do not wake it; they wake all others, and drops are still counted."""

import asyncio
import socket
import sys

import pytest

from jph.config.model import Endpoint
from jph.net.channel import Channel
from tests.support import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
OWN, OTHERS = 0x01020384, 77


def _datagram(epoch: int) -> bytes:
    return bytes(4) + epoch.to_bytes(4, "little") + bytes(28)


def _channels(ports: tuple[int, int]) -> tuple[Channel, Channel]:
    """Return one that does not hear itself, and one that hears all."""
    endpoint = Endpoint(address="239.255.91.5", port=ports[0])
    deaf, other = Channel(endpoint, ["lo"], ttl=0), Channel(endpoint, ["lo"], ttl=0)
    deaf.own_epoch = OWN
    return deaf, other


async def test_own_datagrams_are_not_heard_and_no_drops(ports: tuple[int, int]) -> None:
    deaf, other = _channels(ports)
    heard: dict[Channel, list[bytes]] = {deaf: [], other: []}
    loop = asyncio.get_running_loop()

    def listen(channel: Channel) -> None:
        (receiver,) = channel.open(listen=True)

        def take(batch: memoryview, size: int, _: object) -> None:
            heard[channel] += [bytes(batch[at : at + size]) for at in range(0, len(batch), size)]

        loop.add_reader(receiver, channel.read, receiver, take)
        readers.append(receiver)

    readers: list[socket.socket] = []
    try:
        listen(deaf)
        listen(other)
        for _ in range(5):
            deaf.send_many([_datagram(OWN)] * 100)
            deaf.send(_datagram(OWN))
        short, foreign = b"too short", _datagram(OTHERS)
        for datagram in (short, foreign):
            other.send(datagram)
        await until(lambda: len(heard[deaf]) >= 2 and len(heard[other]) >= 507)
        assert heard[deaf] == [short, foreign]
        assert heard[other].count(_datagram(OWN)) == 505
        assert deaf.overflowed == 0
    finally:
        for receiver in readers:
            loop.remove_reader(receiver)
        deaf.close()
        other.close()


async def test_what_did_not_fit_is_still_told(ports: tuple[int, int]) -> None:
    deaf, other = _channels(ports)
    try:
        (receiver,) = deaf.open(listen=True)
        receiver.setsockopt(1, 8, 4096)  # SOL_SOCKET, SO_RCVBUF
        other.open(listen=False)
        counts = [0]

        def take(batch: memoryview, size: int, _: object) -> None:
            counts[0] += len(batch) // size

        for _ in range(200):
            deaf.send(_datagram(OWN))
            other.send(_datagram(OTHERS))
        deaf.read(receiver, take)
        other.send(_datagram(OTHERS))  # tells of the drops before it
        deaf.read(receiver, take)
        assert counts[0] + deaf.overflowed == 201
    finally:
        deaf.close()
        other.close()
