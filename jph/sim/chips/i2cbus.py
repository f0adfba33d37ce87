"""The chips of one I2C bus, and the protocol that carries its transfers over a socket.

One request, one answer, in bytes:

    request   op  address  register  length or value   then the block of a write
    answer    status: 0, or an errno                   then the bytes read

    op  0 read a byte, 1 write a byte, 2 read a block, 3 write a block,
        4 write, 5 read without a register (no chip here has that)
"""

import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from jph.sim.chips.mcp23017 import Mcp23017

READ_BYTE: Final = 0
WRITE_BYTE: Final = 1
READ_BLOCK: Final = 2
WRITE_BLOCK: Final = 3
WRITE_BYTES: Final = 4

HEADER_SIZE: Final = 4
BLOCK_LIMIT: Final = 32
"""The longest block of SMBus."""

Outputs = tuple[int, int]


def request_size(header: bytes) -> int:
    """Return the length of the request that begins with these four bytes."""
    op, _, _, length = header
    return HEADER_SIZE + (length if op in (WRITE_BLOCK, WRITE_BYTES) else 0)


class I2cBus:
    """Chips by address; `changed` is called with address and outputs when a write changes them."""

    def __init__(
        self, addresses: Iterable[int], changed: Callable[[int, Outputs], None] | None = None
    ) -> None:
        self.chips = {address: Mcp23017() for address in addresses}
        self.silent: frozenset[int] = frozenset()
        """Addresses of chips that do not answer."""
        self._changed = changed

    def snapshot(self) -> dict[str, list[int]]:
        """Return the registers of all chips for JSON."""
        return {str(address): chip.snapshot() for address, chip in self.chips.items()}

    def resume(self, snapshot: Mapping[str, Sequence[int]]) -> None:
        """Restore the registers of the chips that a snapshot holds."""
        for address, values in snapshot.items():
            if (chip := self.chips.get(int(address))) is not None:
                chip.resume(values)

    def transfer(self, request: bytes) -> bytes:
        """Return the answer to a whole request."""
        op, address, register, number = request[:HEADER_SIZE]
        if op > WRITE_BLOCK or (op in (READ_BLOCK, WRITE_BLOCK) and not 0 < number <= BLOCK_LIMIT):
            return bytes((errno.EINVAL,))
        chip = self.chips.get(address)
        if chip is None or address in self.silent:
            return bytes((errno.EREMOTEIO,))
        if op in (READ_BYTE, READ_BLOCK):
            return b"\0" + chip.read(register, number if op == READ_BLOCK else 1)
        before = chip.outputs
        chip.write(register, request[HEADER_SIZE:] if op == WRITE_BLOCK else bytes((number,)))
        if self._changed is not None and chip.outputs != before:
            self._changed(address, chip.outputs)
        return b"\0"
