"""Membership: keeps channels joined to their groups through changes of the network.

The channels open at once if they can. If they cannot, and whenever an interface or an address
changes later, they open again with growing delay. On Linux the kernel notifies of changes; other
systems are looked at every few seconds.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Final

from jph.errors import BusError
from jph.net.channel import Channel
from jph.util.backoff import Backoff

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]

_FIRST_RETRY_S: Final = 0.25
_LAST_RETRY_S: Final = 15.0
_SETTLE_S: Final = 0.1
"""A cable that is pulled or plugged makes several notices: wait until they are over."""
_POLL_S: Final = 5.0
# linux/rtnetlink.h: notices about links, IPv4 addresses and routes, IPv6 addresses and routes
_RTMGRP: Final = 0x1 | 0x10 | 0x40 | 0x100 | 0x400


class Membership:
    """Keeps `channels` open: `join` opens them and reads from them, `leave` ends that.

    Attributes:
        joined: whether the channels are open.
        why: why they are not, if they are not.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        join: Callable[[], None],
        leave: Callable[[], None],
        log: Log | None = None,
    ) -> None:
        self.joined = False
        self.why = ""
        self._channels = tuple(channels)
        self._join, self._leave = join, leave
        self._log = log
        self._signature: tuple[object, ...] = ()
        self._changed = asyncio.Event()
        self._notices: socket.socket | None = None
        self._polling: asyncio.Task[None] | None = None
        self._places = ""
        self._alone = False

    def look(self) -> None:
        """Look soon whether the network has changed."""
        self._changed.set()

    def try_join(self) -> bool:
        """Join now; return whether it worked."""
        self._leave()
        self._signature = self._present()
        try:
            self._join()
        except BusError as error:
            self._leave()
            self._report_away(str(error))
            return False
        self._report_joined()
        return True

    async def run(self, joined: Callable[[], None] | None = None) -> None:
        """Keep the channels joined until cancelled; `joined` is called after each joining."""
        self._watch()
        try:
            if not self.joined:
                self._changed.set()
            while True:
                await self._changed.wait()
                await asyncio.sleep(_SETTLE_S if self.joined else 0)
                self._changed.clear()
                if self.joined and self._present() == self._signature:
                    continue
                await self._join_again()
                if joined is not None:
                    joined()
        finally:
            self._end_watch()

    async def _join_again(self) -> None:
        backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S)
        while not self.try_join():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_s()):
                    await self._changed.wait()
            self._changed.clear()

    def _present(self) -> tuple[object, ...]:
        return tuple(channel.signature() for channel in self._channels)

    def _report_away(self, why: str) -> None:
        if self._log is not None and (self.joined or not self.why):
            self._log.warning("%s; waiting for it", why)
        self.joined, self.why = False, why

    def _report_joined(self) -> None:
        """Name the interfaces and addresses, whenever they are not those of before."""
        if self.why and self._log is not None:
            self._log.info("the network is back")
        self.joined, self.why = True, ""
        places = self._channels[0].places
        if self._log is None or places == self._places:
            return
        moved, self._places = bool(self._places), places
        alone, self._alone = self._alone, self._channels[0].alone
        self._log.info("the network is on %s", places)
        if moved and self._channels[0].chosen_by_route and not (alone or self._alone):
            self._log.warning(
                "the default route moved the network to another interface: name the interface "
                "(Multicast.Interfaces or JPH_INTERFACE) if it has to stay on one"
            )
        for reason in self._channels[0].missing.values():
            goes_on = (
                "only nodes of this machine are heard" if self._alone else "going on without it"
            )
            self._log.warning("%s; %s", reason, goes_on)

    def _watch(self) -> None:
        """Let the kernel notify of changes to links, addresses and routes (rtnetlink(7))."""
        loop = asyncio.get_running_loop()
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                notices = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                notices.setblocking(False)
                notices.bind((0, _RTMGRP))
                loop.add_reader(notices, self._noticed, notices)
                self._notices = notices
                return
        self._polling = asyncio.create_task(self._poll(), name="network")

    def _end_watch(self) -> None:
        if self._notices is not None:
            asyncio.get_running_loop().remove_reader(self._notices)
            self._notices.close()
            self._notices = None
        if self._polling is not None:
            self._polling.cancel()

    def _noticed(self, notices: socket.socket) -> None:
        with contextlib.suppress(OSError):  # ENOBUFS too: look even if some notices are lost
            while notices.recv(65_536):
                pass
        self._changed.set()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            self._changed.set()
