"""The two buses of a network, and waiting for a network that is not there.

A bus is opened at once where it can be; where it cannot, and whenever an interface or an address
changes later, it is opened again by itself with growing delay. While it is away, what is sent is
counted as unsent and the sender's life goes on.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from jph.config.model import Multicast
from jph.errors import BusError
from jph.net.batches import RECEIVE_BUFFER
from jph.net.channel import Address, Channel, Receive, interfaces_from_environment
from jph.util.backoff import Backoff

__all__ = ["Address", "Bus", "Receive"]

ReceiveUnicast = Callable[[socket.socket, memoryview, int, Address], None]
"""Takes the socket that was written to, and what a Receive takes."""

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_FIRST_RETRY_S: Final = 0.25
_LAST_RETRY_S: Final = 15.0
_SETTLE_S: Final = 0.1
"""A cable pulled or plugged makes several notices: look once they are over."""
_POLL_S: Final = 5.0
"""How often to look where the system sends no notices."""
# linux/rtnetlink.h: notices about links, IPv4 addresses and routes, IPv6 addresses and routes
_RTMGRP: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400


class Bus:
    """Control and data channel of one network, as one host joins them."""

    def __init__(self, multicast: Multicast, host: str = "", log: Log | None = None) -> None:
        interfaces = interfaces_from_environment() or multicast.interfaces_of(
            host or socket.gethostname()
        )
        self.control = Channel(multicast.control, interfaces, multicast.ttl, multicast.mtu)
        self.data = Channel(multicast.data, interfaces, multicast.ttl, multicast.mtu)
        self._log: Log = log or logging.getLogger("jph")
        self._listeners: dict[Channel, Receive] = {}
        self._receive_unicast: ReceiveUnicast | None = None
        self._readers: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._looking = asyncio.Event()
        self._notices: socket.socket | None = None
        self._joined: tuple[object, ...] = ()
        self._away = self._told = False

    def listen(self, channel: Channel, receive: Receive) -> None:
        """Hand what comes on `channel` to `receive`; call before the bus is opened."""
        self._listeners[channel] = receive

    def ignore(self, epoch: int) -> None:
        """Do not hear what carries `epoch`, as far as the system can; call before it is opened."""
        self.control.own_epoch = self.data.own_epoch = epoch

    def listen_to_unicast(self, receive: ReceiveUnicast) -> None:
        """Hand what comes by unicast, to the sockets we send through, to `receive`."""
        self._receive_unicast = receive

    def open(self) -> None:
        """Open both channels for sending, and for receiving those that are listened to.

        Raises:
            BusError: the network is not there (yet), or refuses.
        """
        self._forget_readers()
        self._joined = self._signature()
        for channel in (self.control, self.data):
            self._read_from(channel, channel.open(listen=channel in self._listeners))

    async def start(self, joined: Callable[[], None]) -> None:
        """Open the bus as soon as there is a network, and keep it open until `close`.

        `joined` is called each time the channels are open, in the first place before this returns
        if the network is there already.
        """
        self._watch()
        if not self._try_open(joined):
            self._looking.set()
        self._tasks.append(asyncio.create_task(self._keep_open(joined), name="bus"))

    async def close(self) -> None:
        """Leave the groups and end the upkeep."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices)
            self._notices.close()
            self._notices = None
        self._forget_readers()
        self.close_now()

    def close_now(self) -> None:
        """Close the sockets of a bus that no loop reads."""
        self.control.close()
        self.data.close()

    def send_failed(self) -> None:
        """Have the network looked at: a datagram did not leave."""
        self._looking.set()

    async def _keep_open(self, joined: Callable[[], None]) -> None:
        """Open again whenever what the sockets depend on has changed."""
        while True:
            await self._looking.wait()
            await asyncio.sleep(_SETTLE_S)
            self._looking.clear()
            if self.control.is_open and self._signature() == self._joined:
                continue
            backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S)
            while not self._try_open(joined):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(backoff.next_s()):
                        await self._looking.wait()
                self._looking.clear()

    def _try_open(self, joined: Callable[[], None]) -> bool:
        try:
            self.open()
        except BusError as error:
            self._forget_readers()
            self.close_now()
            if not self._away:
                self._log.warning("%s; waiting for it", error)
            self._away = True
            return False
        if self._away:
            self._log.info("the network is back")
        self._away = False
        self._tell_buffers()
        joined()
        return True

    def _tell_buffers(self) -> None:
        """Say once when less may wait to be read than is good."""
        sizes = [each.receive_buffer for each in self._listeners]
        if not self._told and sizes and min(sizes) < RECEIVE_BUFFER:
            self._told = True
            self._log.info(
                "%d kB may wait to be read, %d would be better: net.core.rmem_max allows no more",
                min(sizes) // 1000,
                RECEIVE_BUFFER // 1000,
            )

    def _signature(self) -> tuple[object, ...]:
        return (self.control.signature(), self.data.signature())

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

    def _watch(self) -> None:
        """Have the kernel tell of changes to links, addresses and routes (rtnetlink(7))."""
        loop = asyncio.get_running_loop()
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                notices = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                notices.setblocking(False)
                notices.bind((0, _RTMGRP))
                loop.add_reader(notices, self._noticed, notices)
                self._notices = notices
                return
        self._tasks.append(asyncio.create_task(self._poll(), name="network"))

    def _noticed(self, notices: socket.socket) -> None:
        with contextlib.suppress(OSError):  # ENOBUFS too: some notices lost, look all the same
            while notices.recv(65_536):
                pass
        self._looking.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            self._looking.set()
