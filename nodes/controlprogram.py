"""A console on the bus: it answers pings and sends messages, but never announces itself.

Many terminals share one codifier, so a console sends neither `N` nor `I` and obeys no `H`. The
commands of control.py send and receive through it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import msgspec

from jph.config.model import Network, Sensor
from jph.errors import BusError
from jph.node.node import Node
from jph.wire.codec import Control, Reading

ConsoleT = TypeVar("ConsoleT", bound="ControlProgram")
JOIN_LIMIT_S: Final = 2.0
_LOOK_S: Final = 0.01


class ControlProgram(Node, type="ControlProgram"):
    """A console that hears the control bus, without its own messages.

    Attributes:
        heard: called with each control message that another program sent.
    """

    halts = False
    hears_itself = True
    announces = False
    heard: Callable[[Control], None] | None = None

    def on_control(self, message: Control) -> None:
        """Pass on messages of other programs."""
        if self.heard is not None and message.epoch != self._outbox.epoch:
            self.heard(message)


class ListeningProgram(ControlProgram):
    """A console that hears the data bus too.

    Attributes:
        read: called with each batch of readings.
    """

    read: Callable[[list[Reading]], None] | None = None

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Pass readings on."""
        if self.read is not None:
            self.read(list(readings))


def with_console(network: Network, console: Sensor) -> Network:
    """Return `network` with `console` as the entry of its codifier."""
    others = [s for s in network.sensors if s.codifier != console.codifier]
    entry = msgspec.structs.replace(console, type="ControlProgram", sensor={}, active=True)
    return msgspec.structs.replace(network, sensors=[*others, entry])


@asynccontextmanager
async def on_bus(console: ConsoleT) -> AsyncIterator[ConsoleT]:
    """Keep `console` on the bus for a while.

    Raises:
        BusError: the network is not there within 2 s.
    """
    life = asyncio.create_task(console.run(), name=f"{console.codifier} console")
    try:
        await _joined(console, life)
        yield console
    finally:
        console.stop()
        await life


async def _joined(console: ControlProgram, life: asyncio.Task[None]) -> None:
    looks = round(JOIN_LIMIT_S / _LOOK_S)  # counted: a machine that stood still has not looked
    while not console.bus.control.is_open:
        if not looks:
            raise BusError("the network is not there; is the interface up?")
        looks -= 1
        await asyncio.wait([life], timeout=_LOOK_S)
        if life.done():
            life.result()
