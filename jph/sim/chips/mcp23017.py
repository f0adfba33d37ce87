"""The registers of an MCP23017, sixteen pins in two ports.

Source: Microchip DS20001952C, tables 3-1 and 3-5.  Registers are kept by (name, port); their
address depends on IOCON.BANK:

    BANK = 0   name × 2 + port      0x00 … 0x15
    BANK = 1   name + port × 0x10   0x00 … 0x0A and 0x10 … 0x1A

Interrupts are not modelled: their registers only hold what is written.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

PORT_A: Final = 0
PORT_B: Final = 1

BANK: Final = 0x80
SEQOP: Final = 0x20


class Register(IntEnum):
    """Registers in the chip's order."""

    IODIR = 0
    IPOL = 1
    GPINTEN = 2
    DEFVAL = 3
    INTCON = 4
    IOCON = 5
    GPPU = 6
    INTF = 7
    INTCAP = 8
    GPIO = 9
    OLAT = 10


_READ_ONLY: Final = frozenset((Register.INTF, Register.INTCAP))
_UNUSED_IOCON_BIT: Final = 0x01


class Mcp23017:
    """One chip, as it is after power-on: all pins inputs, all latches zero."""

    def __init__(self) -> None:
        self._values = {(register, port): 0 for register in Register for port in (PORT_A, PORT_B)}
        self._values[Register.IODIR, PORT_A] = self._values[Register.IODIR, PORT_B] = 0xFF

    @property
    def outputs(self) -> tuple[int, int]:
        """Pins that the chip drives high on ports A and B; an input pin drives nothing."""
        return self._driven(PORT_A), self._driven(PORT_B)

    def snapshot(self) -> list[int]:
        """Return all registers, in the order of the chip."""
        return list(self._values.values())

    def resume(self, values: Sequence[int]) -> None:
        """Restore all registers.

        Raises:
            ValueError: there are too few or too many.
        """
        restored = zip(self._values, [int(value) & 0xFF for value in values], strict=True)
        self._values = dict(restored)

    def read(self, address: int, count: int = 1) -> bytes:
        """Return `count` bytes from a register address on."""
        values = bytearray()
        for _ in range(count):
            values.append(self._read(address))
            address = self._following(address)
        return bytes(values)

    def write(self, address: int, values: bytes) -> None:
        """Write bytes from a register address on; an address without a register ignores them."""
        for value in values:
            self._write(address, value)
            address = self._following(address)

    def _place(self, address: int) -> tuple[Register, int] | None:
        if self._control & BANK:
            port, number = divmod(address, 0x10)
        else:
            number, port = divmod(address, 2)
        return (Register(number), port) if number in _NUMBERS and port in (0, 1) else None

    def _following(self, address: int) -> int:
        """Return the address after this one; byte mode stays, or toggles between the ports."""
        banked = bool(self._control & BANK)
        if self._control & SEQOP:
            return address if banked else address ^ 1
        last = 0x1A if banked else 0x15
        if banked and address == 0x0A:
            return 0x10
        return 0 if address == last else address + 1

    def _read(self, address: int) -> int:
        place = self._place(address)
        if place is None:
            return 0
        register, port = place
        return self._levels(port) if register is Register.GPIO else self._values[place]

    def _write(self, address: int, value: int) -> None:
        place = self._place(address)
        if place is None or place[0] in _READ_ONLY:
            return
        register, port = place
        if register is Register.IOCON:
            for both in (PORT_A, PORT_B):
                self._values[register, both] = value & ~_UNUSED_IOCON_BIT
        elif register is Register.GPIO:
            self._values[Register.OLAT, port] = value
        else:
            self._values[place] = value

    @property
    def _control(self) -> int:
        return self._values[Register.IOCON, PORT_A]

    def _driven(self, port: int) -> int:
        return self._values[Register.OLAT, port] & ~self._values[Register.IODIR, port] & 0xFF

    def _levels(self, port: int) -> int:
        """Return GPIO; an open input is high only with its pull-up, IPOL inverts it."""
        inputs = self._values[Register.IODIR, port]
        pulled = self._values[Register.GPPU, port] ^ self._values[Register.IPOL, port]
        return self._driven(port) | (inputs & pulled)


_NUMBERS: Final = frozenset(int(register) for register in Register)
