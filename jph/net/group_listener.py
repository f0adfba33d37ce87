"""Listens to one multicast group until it is closed, through changes of network."""

import asyncio
import socket
from typing import Final

from jph.config.model import Endpoint, Multicast
from jph.errors import BusError
from jph.net.channel import Channel, Receive, interfaces_from_environment
from jph.util.backoff import Backoff

LOOK_EVERY_S: Final = 5.0
"""How often to look whether interfaces and addresses are still those that were joined on."""
_FIRST_DELAY_S: Final = 0.25
_LONGEST_DELAY_S: Final = 15.0


class GroupListener:
    """Hands what comes to a group to `receive`, while `run` runs.

    Attributes:
        joined: whether the group is being listened to.
        why: why it is not, if it is not.
    """

    def __init__(self, endpoint: Endpoint, multicast: Multicast, receive: Receive) -> None:
        interfaces = interfaces_from_environment() or multicast.interfaces_of(socket.gethostname())
        self.joined = False
        self.why = ""
        self._channel = Channel(endpoint, interfaces, multicast.ttl, multicast.mtu)
        self._receive = receive

    async def run(self) -> None:
        """Listen until cancelled."""
        backoff = Backoff(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        while True:
            signature = self._channel.signature()
            try:
                sockets = self._channel.open(listen=True)
            except BusError as error:
                self.why = str(error)
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            try:
                self._read(sockets)
                while self._channel.signature() == signature:  # noqa: ASYNC110 - the system's
                    await asyncio.sleep(LOOK_EVERY_S)
            finally:
                self._forget(sockets)

    def _read(self, sockets: list[socket.socket]) -> None:
        loop = asyncio.get_running_loop()
        for each in sockets:
            loop.add_reader(each, self._channel.read, each, self._receive)
        self.joined, self.why = True, ""

    def _forget(self, sockets: list[socket.socket]) -> None:
        self.joined = False
        for each in sockets:
            asyncio.get_running_loop().remove_reader(each)
        self._channel.close()
