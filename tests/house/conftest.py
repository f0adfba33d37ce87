"""One whole demonstration house, started as a user would, for all tests of this folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support import REPOSITORY

START_LIMIT_S = 60.0
LIMIT_S = 20.0


class House(NamedTuple):
    """A running house: where it is and how to speak to it."""

    process: subprocess.Popen[str]
    config: Path
    environment: dict[str, str]
    port: int
    output: list[str]

    def control(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `control.py` as a person in another terminal would."""
        return subprocess.run(
            [sys.executable, "control.py", "--config", str(self.config), *words],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    def get(self, path: str) -> Any:
        """Return the JSON behind a path of the page."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return json.load(answer)

    def hash(self, codifier: str) -> dict[str, Any]:
        """Return what the page knows of a codifier."""
        (entry,) = self.get(f"/sensor/{codifier}")
        return dict(entry)

    def pid(self, part: str) -> int:
        """Return the process of a node (its codifier) or store (its program's name)."""
        for pid in descendants(self.process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
            if part == words[-1] or words[0].partition(" ")[0].endswith(part):
                return pid
        raise LookupError(f"{part} does not run")


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one, nearest first."""
    children = [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    yield from children
    for child in children:
        yield from descendants(child)


def eventually(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Ask again until `condition` holds; an error counts as no."""
    end = time.monotonic() + limit_s
    while True:
        try:
            held = condition()
        except (OSError, LookupError, ValueError):
            held = False
        if held:
            return
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def start(config: Path, state: Path, port: int) -> House:
    """Start a house and wait until it says that it is ready."""
    environment = {
        **os.environ,
        "JPH_STATE": str(state),
        "JPH_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "control.py", "--config", str(config), "up"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        output.append(line.rstrip())
        if line.startswith("ready: "):
            return House(process, config, environment, port, output)
    process.communicate()
    raise AssertionError("the house never got ready:\n" + "\n".join(output))


def free_port(kind: socket.SocketKind) -> int:
    """Return a port nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def demonstration(directory: Path) -> Path:
    """Write the demonstration's config with ports of its own; return its path."""
    document = json.loads((REPOSITORY / "static" / "config.json").read_text(encoding="utf-8"))
    for channel in ("Control-Channel", "Data-Channel"):
        document["Multicast"][channel]["Port"] = free_port(socket.SOCK_DGRAM)
    elsewhere = {"Codifier": "N1", "Name": "A program of another kind", "Type": "NestReader"}
    document["Sensors"].append(elsewhere)
    path = directory / "config.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    port = free_port(socket.SOCK_STREAM)
    running = start(demonstration(directory), directory / "state", port)
    yield running
    running.process.send_signal(signal.SIGTERM)
    running.process.communicate(timeout=LIMIT_S)
