"""The I2C bus on a Unix socket, served by a thread of its own.

A client blocks until it has its answer, as on a real bus, and may run in the event loop of the
simulator: a thread must answer.
"""

import selectors
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from jph.errors import DeviceError
from jph.sim.chips.i2cbus import HEADER_SIZE, I2cBus, request_size
from jph.util.unixpath import socket_path

CLIENTS_LIMIT: Final = 32


class I2cServer:
    """Serves a bus under `path` from `start` to `close`."""

    def __init__(self, path: Path, bus: I2cBus) -> None:
        self.path = path
        self._bus = bus
        self._selector = selectors.DefaultSelector()
        self._pending: dict[socket.socket, bytearray] = {}
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="i2c", daemon=True)

    def start(self) -> None:
        """Listen; the socket file of a killed simulator is removed."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.unlink(missing_ok=True)
            with socket_path(self.path) as reachable:
                self._listener.bind(reachable)
            self._listener.listen()
        except OSError as error:
            self._close_sockets()
            raise DeviceError(f"no I2C bus at {self.path}: {error}") from error
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()

    def close(self) -> None:
        """Stop serving, close the connections and remove the socket."""
        self._wake.send(b"\0")
        self._thread.join()
        self.path.unlink(missing_ok=True)
        self._close_sockets()

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._answer(key.fileobj)

    def _accept(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            if len(self._pending) >= CLIENTS_LIMIT:
                client.close()
                return
            client.setblocking(False)
            self._pending[client] = bytearray()
            self._selector.register(client, selectors.EVENT_READ)

    def _answer(self, client: socket.socket) -> None:
        try:
            received = client.recv(4096)
            if received:
                answers = self._transfers(self._pending[client], received)
                # A client has one request under way: its answer always fits the socket's buffer.
                if client.send(answers) == len(answers):
                    return
        except OSError:
            pass
        self._selector.unregister(client)
        del self._pending[client]
        client.close()

    def _transfers(self, pending: bytearray, received: bytes) -> bytes:
        pending += received
        answers = b""
        while len(pending) >= HEADER_SIZE:
            size = request_size(bytes(pending[:HEADER_SIZE]))
            if len(pending) < size:
                break
            answers += self._bus.transfer(bytes(pending[:size]))
            del pending[:size]
        return answers

    def _close_sockets(self) -> None:
        self._selector.close()
        for each in (*self._pending, self._listener, self._wake, self._woken):
            each.close()
