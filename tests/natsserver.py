"""A real NATS server with JetStream on loopback."""

import contextlib
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import LIMIT_S


class NatsServer:
    """A server with its store in a folder; it may be killed and started again."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"nats://127.0.0.1:{port}"
        self._folder, self._port = folder, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, streams: bool = True) -> None:
        """Start, and wait until it listens; without `streams` it keeps nothing."""
        program = shutil.which("nats-server", path=str(Path(sys.executable).parent))
        program = program or shutil.which("nats-server")
        if program is None:
            pytest.skip("nats-server is not installed")
        options: tuple[str, ...] = ("-a", "127.0.0.1", "-p", str(self._port))
        if streams:
            options = (*options, "-js", "-sd", str(self._folder))
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([program, *options], stdout=log, stderr=log)
        for _ in range(round(LIMIT_S / 0.05)):
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self._port), 0.05) as connection,
            ):
                if connection.recv(4) == b"INFO":
                    return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                break
        raise AssertionError("nats-server did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(LIMIT_S)
            self._process = None
