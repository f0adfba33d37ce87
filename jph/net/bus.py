"""The two buses of a network, as one host joins them.

While the network is away, what is sent counts as unsent and the sender goes on.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial

from jph.config.model import Multicast
from jph.net.batches import RECEIVE_BUFFER
from jph.net.channel import Address, Channel, Receive, interfaces_from_environment
from jph.net.membership import Log, Membership

__all__ = ["Address", "Bus", "Receive"]

ReceiveUnicast = Callable[[socket.socket, memoryview, int, Address], None]
"""Takes the socket that received, and what a Receive takes."""


class Bus:
    """Control and data channel of one network."""

    channel_type: type[Channel] = Channel

    def __init__(self, multicast: Multicast, host: str = "", log: Log | None = None) -> None:
        interfaces = interfaces_from_environment() or multicast.interfaces_of(
            host or socket.gethostname()
        )
        made = interfaces, multicast.ttl, multicast.mtu
        self.control = self.channel_type(multicast.control, *made)
        self.data = self.channel_type(multicast.data, *made)
        self._log: Log = log or logging.getLogger("jph")
        self._listeners: dict[Channel, Receive] = {}
        self._receive_unicast: ReceiveUnicast | None = None
        self._readers: list[socket.socket] = []
        self._task: asyncio.Task[None] | None = None
        self._membership: Membership | None = None
        self._small_buffer_logged = False

    def listen(self, channel: Channel, receive: Receive) -> None:
        """Pass what arrives on `channel` to `receive`; call before the bus is opened."""
        self._listeners[channel] = receive

    def ignore(self, epoch: int) -> None:
        """Filter out messages of `epoch`, if the system can; call before the bus is opened."""
        self.control.own_epoch = self.data.own_epoch = epoch

    def listen_to_unicast(self, receive: ReceiveUnicast) -> None:
        """Pass what arrives by unicast at our sending sockets to `receive`."""
        self._receive_unicast = receive

    def open(self) -> None:
        """Open both channels for sending, and for receiving those that are listened to.

        None of their sockets is open after an error.

        Raises:
            BusError: the network is not there (yet), or refuses.
        """
        self._forget_readers()
        try:
            for channel in (self.control, self.data):
                self._read_from(channel, channel.open(listen=channel in self._listeners))
        except BaseException:
            self._leave()
            raise

    async def start(self, joined: Callable[[], None]) -> None:
        """Open the bus as soon as there is a network, and keep it open until `close`.

        `joined` is called each time the channels are open; before this returns, if the network is
        there already.
        """
        channels = (self.control, self.data)
        self._membership = Membership(channels, self.open, self._leave, self._log)
        if self._membership.try_join():
            self._joined(joined)
        keep = self._membership.run(partial(self._joined, joined))
        self._task = asyncio.create_task(keep, name="bus")

    async def close(self) -> None:
        """Leave the groups, at once: a caller that is cancelled here leaves no socket open."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._leave()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    def close_now(self) -> None:
        """Close the sockets of a bus that no loop reads."""
        self.control.close()
        self.data.close()

    def send_failed(self) -> None:
        """Look at the network: a datagram did not leave."""
        if self._membership is not None:
            self._membership.look()

    def _joined(self, joined: Callable[[], None]) -> None:
        self._check_buffers()
        joined()

    def _leave(self) -> None:
        self._forget_readers()
        self.close_now()

    def _check_buffers(self) -> None:
        """Log once when less may wait to be read than is good."""
        sizes = [each.receive_buffer for each in self._listeners]
        if not self._small_buffer_logged and sizes and min(sizes) < RECEIVE_BUFFER:
            self._small_buffer_logged = True
            self._log.info(
                "%d kB may wait to be read, %d would be better: net.core.rmem_max allows no more",
                min(sizes) // 1000,
                RECEIVE_BUFFER // 1000,
            )

    def _read_from(self, channel: Channel, sockets: Sequence[socket.socket]) -> None:
        for each in sockets:
            self._add_reader(channel, each, self._listeners[channel])
        if self._receive_unicast is not None:
            for each in channel.senders:
                self._add_reader(channel, each, partial(self._receive_unicast, each))

    def _add_reader(self, channel: Channel, readable: socket.socket, receive: Receive) -> None:
        asyncio.get_running_loop().add_reader(readable, channel.read, readable, receive)
        self._readers.append(readable)

    def _forget_readers(self) -> None:
        if self._readers:
            loop = asyncio.get_running_loop()
            for each in self._readers:
                loop.remove_reader(each)
            self._readers.clear()
