"""The thread in which the transfers of an I2C bus run: one that hangs stops no event loop."""

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from jph.errors import DeviceError
from jph.util.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")

TRANSFER_LIMIT_S: Final = 3.0
"""The kernel's I2C drivers give up after a second; some hang for longer."""


class BusThread(Worker):
    """Runs the transfers of one connection to a bus one after the other."""

    async def transfer(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transfer and return what it returns.

        Raises:
            DeviceError: it failed, or it takes too long; it may still end later.
        """
        try:
            async with asyncio.timeout(TRANSFER_LIMIT_S):
                return await self.run(function, *args, **kwargs)
        except TimeoutError as error:
            raise DeviceError(f"the I2C bus hangs: no answer for {TRANSFER_LIMIT_S:g} s") from error
