"""A serial port that is kept open: it is opened again when it is lost or silent."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from jph.devices.tic.link import SerialLink
from jph.errors import DeviceError
from jph.util.backoff import Backoff

_FIRST_RETRY_S: Final = 0.2
_LAST_RETRY_S: Final = 5.0
_LOOK_S: Final = 0.5


class PortKeeper:
    """Calls `take` with the bytes of a port, and `explain` with each reason to open it again.

    `begin` is called after each opening, before the first byte.
    """

    def __init__(
        self,
        take: Callable[[bytes], None],
        explain: Callable[[str], None],
        begin: Callable[[], None],
        talk: Callable[[SerialLink], Awaitable[None]] | None = None,
    ) -> None:
        self._hand_on = take
        self._explain = explain
        self._begin = begin
        self._talk = talk
        self._heard_s = 0.0

    async def serve(self, device: str, baud_rate: int, silence_s: float) -> None:
        """Keep the port open until the task is cancelled."""
        backoff = Backoff(_FIRST_RETRY_S, _LAST_RETRY_S)
        while True:
            self._heard_s = begin_s = time.monotonic()
            link = SerialLink(port_url(device), self._take)
            try:
                self._begin()
                await link.open(baud_rate)
                if self._talk is not None:
                    await self._talk(link)
                self._explain(f"opening it again: {await self._lost(link, silence_s)}")
                if self._heard_s > begin_s:
                    backoff.reset()
            except DeviceError as error:
                self._explain(str(error).replace("the meter's port", "the port"))
            finally:
                await link.close()
            await asyncio.sleep(backoff.next_s())

    def _take(self, chunk: bytes) -> None:
        self._heard_s = time.monotonic()
        self._hand_on(chunk)

    async def _lost(self, link: SerialLink, silence_s: float) -> str:
        while (reason := await link.lost(_LOOK_S)) is None:
            if time.monotonic() - self._heard_s > silence_s:
                return f"silent for {silence_s:g} s"
        return reason


def port_url(device: str) -> str:
    """Return a port as pyserial names it: `tcp://` is its `socket://`."""
    return f"socket://{device[6:]}" if device.startswith("tcp://") else device
