"""An I2C bus with one MCP23017 on a Unix socket, whose every write is kept."""

import contextlib
import errno
import socket
import threading
from pathlib import Path

from tests.support import LIMIT_S

NO_SUCH_CHIP = errno.EREMOTEIO


class I2CServer:
    """Serve a chip at `address`; `registers` and `absent` may be changed while it serves.

    `writes` are (register, bytes) as they came; `wrote` is called after each, in the server's
    own thread. The chip's pins follow its latches where the direction is output.
    """

    def __init__(self, path: Path, address: int = 0x20) -> None:
        self.path = path
        self.address = address
        self.absent = False
        self.stuck_low = 0
        self.answers = threading.Event()  # cleared: the bus hangs
        self.answers.set()
        self.registers = bytearray(0x16)
        self.power_on()
        self.writes: list[tuple[int, bytes]] = []
        self.changed = threading.Condition()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._clients: list[socket.socket] = []
        threads = [threading.Thread(target=self._accept)]
        self._threads = threads
        threads[0].start()

    @property
    def bus(self) -> str:
        return f"unix:{self.path}"

    @property
    def latches(self) -> tuple[int, int]:
        return self.registers[0x14], self.registers[0x15]

    @property
    def drives(self) -> bool:
        return self.registers[:2] == b"\0\0"

    def power_on(self) -> None:
        self.registers[:] = b"\xff\xff" + bytes(0x14)

    def close(self) -> None:
        self.answers.set()
        for each in (self._listener, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(LIMIT_S)
        assert not any(thread.is_alive() for thread in self._threads)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        try:
            while request := client.recv(4, socket.MSG_WAITALL):
                self.answers.wait()
                operation, address, register, value = request
                block = (
                    client.recv(value, socket.MSG_WAITALL) if operation == 3 else bytes((value,))
                )
                if self.absent or address != self.address:
                    client.sendall(bytes((NO_SUCH_CHIP,)))
                elif operation in (0, 2):
                    client.sendall(b"\0" + self._read(register, value if operation == 2 else 1))
                else:
                    self._write(register, block)
                    client.sendall(b"\0")
        except OSError:
            pass

    def _read(self, register: int, count: int) -> bytes:
        pins = bytes(
            latch & ~direction & 0xFF
            for latch, direction in zip(self.registers[0x14:0x16], self.registers[:2], strict=True)
        )
        pins = bytes((pins[0] & ~self.stuck_low, pins[1]))
        shown = bytes(self.registers[:0x12]) + pins + bytes(self.registers[0x14:])
        return shown[register : register + count]

    def _write(self, register: int, block: bytes) -> None:
        with self.changed:
            self.registers[register : register + len(block)] = block
            self.writes.append((register, block))
            self.changed.notify_all()
