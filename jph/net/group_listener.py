"""A listener to one multicast group, through changes of the network."""

import asyncio
import socket
from collections.abc import Callable

from jph.config.model import Endpoint, Multicast
from jph.net import seals
from jph.net.channel import Channel, Receive, interfaces_from_environment
from jph.net.membership import Membership


class GroupListener:
    """Passes what arrives at a group to `receive`, while `run` runs.

    Attributes:
        joined: whether the group is joined.
        why: why it is not, if it is not.
    """

    def __init__(self, endpoint: Endpoint, multicast: Multicast, receive: Receive) -> None:
        interfaces = interfaces_from_environment() or multicast.interfaces_of(socket.gethostname())
        sides = (multicast.control, "control"), (multicast.data, "data"), (multicast.log, "log")
        self._side = next((side for group, side in sides if group == endpoint), "data")
        self._end: Callable[[], None] | None = None
        self._channel = Channel(endpoint, interfaces, multicast.ttl, multicast.mtu)
        self._receive = receive
        self._sockets: list[socket.socket] = []
        self._membership = Membership([self._channel], self._join, self._leave)

    @property
    def joined(self) -> bool:
        """Whether the group is joined."""
        return self._membership.joined and bool(self._sockets)

    @property
    def why(self) -> str:
        """Why the group is not joined, if it is not."""
        return self._membership.why

    async def run(self) -> None:
        """Listen until cancelled."""
        try:
            self._membership.try_join()
            await self._membership.run()
        finally:
            self._leave()

    def _join(self) -> None:
        receive = self._receive
        if (seal := seals.current()) is not None:
            receive, self._end = seal.listening(self._side, receive)
            if self._side != "log":
                self._channel.endpoint = seal.group(self._side)
        loop = asyncio.get_running_loop()
        self._sockets = self._channel.open(listen=True)
        for each in self._sockets:
            loop.add_reader(each, self._channel.read, each, receive)

    def _leave(self) -> None:
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)
        self._sockets = []
        if self._end is not None:
            self._end()
            self._end = None
        self._channel.close()
