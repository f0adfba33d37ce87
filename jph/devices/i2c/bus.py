"""Open an I2C bus: the kernel's, or one that is served on a Unix socket.

Both have the methods of `smbus2.SMBus` named by `I2CBus`, and raise `OSError` when a chip does
not answer (`EREMOTEIO`, 121, is Linux's error for a missing acknowledge).

The socket carries one request and one answer at a time:

    request   op  address  register  length or value   then the block of a write
              u8  u8       u8        u8                op 0 read byte, 1 write byte,
                                                       2 read block, 3 write block,
                                                       4 write, 5 read without a register
    answer    status u8: 0, or an errno                then the bytes read (1, or length)
"""

import errno
import os
import socket
from collections.abc import Sequence
from typing import Final, Protocol

from jph.errors import DeviceError
from jph.util.unixpath import socket_path

READ_BYTE: Final = 0
WRITE_BYTE: Final = 1
READ_BLOCK: Final = 2
WRITE_BLOCK: Final = 3
WRITE_BYTES: Final = 4
READ_BYTES: Final = 5

ANSWER_LIMIT_S: Final = 1.0
"""The kernel's own I2C drivers give up after about a second; so does the socket."""


class I2CBus(Protocol):
    """The part of `smbus2.SMBus` that jph uses."""

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        """Return one register."""
        ...

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write one register."""
        ...

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        """Return consecutive registers."""
        ...

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None:
        """Write consecutive registers."""
        ...

    def close(self) -> None:
        """Close the bus."""
        ...


def open_bus(bus: int | str) -> I2CBus:
    """Open bus 1 (`/dev/i2c-1`), a device path or `unix:PATH`; `DeviceError` if it is not there."""
    try:
        if isinstance(bus, str) and bus.startswith("unix:"):
            return SocketBus(bus.removeprefix("unix:"))
        import smbus2

        opened: I2CBus = smbus2.SMBus(bus)
    except OSError as error:
        raise DeviceError(f"I2C bus {bus} cannot be opened: {error}") from error
    return opened


def write_bytes(bus: I2CBus, address: int, data: bytes) -> None:
    """Write to a chip without registers."""
    if isinstance(bus, SocketBus):
        bus.write_bytes(address, data)
        return
    import smbus2

    assert isinstance(bus, smbus2.SMBus)
    bus.i2c_rdwr(smbus2.i2c_msg.write(address, list(data)))


def read_bytes(bus: I2CBus, address: int, count: int) -> bytes:
    """Read from a chip without registers."""
    if isinstance(bus, SocketBus):
        return bus.read_bytes(address, count)
    import smbus2

    assert isinstance(bus, smbus2.SMBus)
    answer = smbus2.i2c_msg.read(address, count)
    bus.i2c_rdwr(answer)
    return bytes(answer.buf[index][0] for index in range(count))


class SocketBus:
    """An I2C bus behind a Unix socket; not for use by two threads at once."""

    def __init__(self, path: str, answer_limit_s: float = ANSWER_LIMIT_S) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_limit_s)
        try:
            with socket_path(path) as reachable:
                self._socket.connect(reachable)
        except OSError:
            self._socket.close()
            raise

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        """Return one register."""
        return self._ask(bytes((READ_BYTE, i2c_addr, register, 0)), 1)[0]

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        """Write one register."""
        self._ask(bytes((WRITE_BYTE, i2c_addr, register, value)), 0)

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        """Return consecutive registers."""
        return list(self._ask(bytes((READ_BLOCK, i2c_addr, register, length)), length))

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None:
        """Write consecutive registers."""
        self._ask(bytes((WRITE_BLOCK, i2c_addr, register, len(data), *data)), 0)

    def write_bytes(self, i2c_addr: int, data: bytes) -> None:
        """Write without a register."""
        self._ask(bytes((WRITE_BYTES, i2c_addr, 0, len(data), *data)), 0)

    def read_bytes(self, i2c_addr: int, length: int) -> bytes:
        """Read without a register."""
        return self._ask(bytes((READ_BYTES, i2c_addr, 0, length)), length)

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self._socket.close()

    def _ask(self, request: bytes, expected: int) -> bytes:
        try:
            self._socket.sendall(request)
            status = self._receive(1)[0]
            if not status:
                return self._receive(expected)
        except OSError:
            # An answer that comes late would be taken for the next one's.
            self._socket.close()
            raise
        raise OSError(status, os.strerror(status))

    def _receive(self, count: int) -> bytes:
        answer = b""
        while len(answer) < count:
            piece = self._socket.recv(count - len(answer))
            if not piece:
                raise OSError(errno.EPIPE, "the I2C server closed the connection")
            answer += piece
        return answer
