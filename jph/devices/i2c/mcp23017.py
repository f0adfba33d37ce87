"""Drives an MCP23017: sixteen outputs on I2C, in two ports of eight.

Registers as in Microchip DS20001952C, table 3-5, with IOCON.BANK = 0: the two ports' registers
lie side by side and a block write of two bytes reaches both in one transaction.
"""

import errno
import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from jph.devices.i2c.bus import I2CBus
from jph.errors import DeviceError

IODIRA: Final = 0x00
IPOLA: Final = 0x02
IOCON: Final = 0x0A
GPIOA: Final = 0x12
OLATA: Final = 0x14
OLATB: Final = 0x15

IOCON_OF_BANK_1: Final = 0x05
"""Where IOCON lies if BANK = 1; with BANK = 0 it is GPINTENB, whose rest value is 0 as well."""

Ports = tuple[int, int]
T = TypeVar("T")

ATTEMPTS: Final = 3
RETRIES_WITHIN_S: Final = 0.05
"""A disturbed transfer is repeated at once, but no longer than this after its first attempt."""
_TRANSIENT: Final = frozenset(
    {errno.EREMOTEIO, errno.EIO, errno.ENXIO, errno.EAGAIN, errno.EBUSY, errno.EPROTO}
)
"""Errors of I2C drivers that a disturbance on the bus causes: no acknowledgement, a lost bus."""


class ReadBack(NamedTuple):
    """The state of a chip, each as (port A, port B); `pins` are the levels at its legs."""

    directions: Ports
    latches: Ports
    pins: Ports

    @property
    def drives(self) -> bool:
        """Whether all sixteen pins are outputs; after power-on none is."""
        return self.directions == (0, 0)


class Mcp23017:
    """One chip whose pins are all outputs. Every method raises `DeviceError`, naming the chip.

    `inverted` are the pins, as (port A, port B), whose board pulls at 0: their latches and levels
    are inverted here and nowhere else.
    """

    def __init__(
        self, bus: I2CBus, address: int, bus_name: int | str, inverted: Ports = (0, 0)
    ) -> None:
        self._bus = bus
        self._inverted = inverted
        self._address = address
        self._name = f"MCP23017 at 0x{address:02x} of I2C bus {bus_name}"
        self.latches: Ports | None = None
        """The latches of the last successful write; None: not known."""

    def initialise(self, latches: Ports) -> None:
        """Make all pins outputs that carry `latches` from the first moment.

        The latches go first: a chip fresh from power-on has inputs and zero latches, and pins
        turned to outputs before would show an order that was never given. A disturbed chip may
        have BANK = 1, so that comes first.
        """
        self.latches = None
        try:
            self._write_byte(IOCON_OF_BANK_1, 0)
            self._write_byte(IOCON, 0)
            self._write_pair(OLATA, self._levels(latches))
            self._write_pair(IPOLA, (0, 0))
            self._write_pair(IODIRA, (0, 0))
        except OSError as error:
            raise self._failure("does not take its set-up", error) from error
        self.latches = latches

    def write(self, latches: Ports) -> bool:
        """Write the latches of the ports that change, in one transaction; return if any did."""
        old = self.latches
        if latches == old:
            return False
        self.latches = None
        levels = self._levels(latches)
        try:
            if old is not None and old[1] == latches[1]:
                self._write_byte(OLATA, levels[0])
            elif old is not None and old[0] == latches[0]:
                self._write_byte(OLATB, levels[1])
            else:
                self._write_pair(OLATA, levels)
        except OSError as error:
            raise self._failure("does not take its latches", error) from error
        self.latches = latches
        return True

    def read_back(self) -> ReadBack:
        """Return directions, latches and pins as the chip has them now."""
        try:
            directions = self._pair(IODIRA)
            latches, pins = self._pair(OLATA), self._pair(GPIOA)
            return ReadBack(directions, self._levels(latches), self._levels(pins))
        except OSError as error:
            raise self._failure("does not answer", error) from error

    def close(self) -> None:
        """Close the bus; the chip goes on carrying its latches."""
        self._bus.close()

    def _levels(self, ports: Ports) -> Ports:
        """Invert the pins that pull at 0; the inverse is the same."""
        return ports[0] ^ self._inverted[0], ports[1] ^ self._inverted[1]

    def _pair(self, register: int) -> Ports:
        first, second = _repeated(lambda: self._bus.read_i2c_block_data(self._address, register, 2))
        return first, second

    def _write_byte(self, register: int, value: int) -> None:
        _repeated(lambda: self._bus.write_byte_data(self._address, register, value))

    def _write_pair(self, register: int, values: Ports) -> None:
        _repeated(lambda: self._bus.write_i2c_block_data(self._address, register, values))

    def _failure(self, what: str, error: OSError) -> DeviceError:
        return DeviceError(f"{self._name} {what}: {error}")


def _repeated(transfer: Callable[[], T]) -> T:
    """Return what a transfer returns; repeat one that a disturbance of the bus has ended.

    Each transfer writes or reads registers by their numbers, so a repetition does no harm.
    """
    began_s = time.monotonic()
    for _ in range(ATTEMPTS - 1):
        try:
            return transfer()
        except OSError as error:
            if error.errno not in _TRANSIENT or time.monotonic() - began_s > RETRIES_WITHIN_S:
                raise
    return transfer()
