"""One whole demonstration house, started as a user would, for all tests of this folder."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support import LIMIT_S, REPOSITORY, children, tcp_port, udp_port


class House(NamedTuple):
    """A running house: where it is and how to speak to it."""

    process: subprocess.Popen[str]
    config: Path
    environment: dict[str, str]
    port: int
    output: list[str]

    def control(self, *words: str, patience: float = 10) -> subprocess.CompletedProcess[str]:
        """Run `control.py` as a person in another terminal would."""
        return subprocess.run(
            [sys.executable, "control.py", "--config", str(self.config), *words],
            cwd=REPOSITORY,
            env={**self.environment, "JPH_PATIENCE": str(patience)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )

    def get(self, path: str) -> Any:
        """Return the JSON behind a path of the page."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
            return json.load(answer)

    def hash(self, codifier: str) -> dict[str, Any]:
        """Return what the page knows of a codifier."""
        (entry,) = self.get(f"/sensor/{codifier}")
        return dict(entry)

    def pid(self, part: str) -> int:
        """Return the process of a node (its codifier) or store (its program's name)."""
        for pid in descendants(self.process.pid):
            words = [""]
            with contextlib.suppress(OSError):  # it has ended
                words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
            if part == words[-1] or words[0].partition(" ")[0].endswith(part):
                return pid
        raise LookupError(f"{part} does not run")


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one, nearest first."""
    below = children(pid)
    yield from below
    for child in below:
        yield from descendants(child)


def eventually(condition: Callable[..., object], limit_s: float = LIMIT_S) -> None:
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
        "JPH_PATIENCE": "8",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "control.py", "--config", str(config), "up", "--follow-parent"],
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


def without_past(document: dict[str, Any]) -> None:
    """Leave the sixty days of history out, which take half a minute of a processor, and the plan.

    Without a plan every room wishes comfort, whatever the hour of the test.
    """
    for sensor in document["Sensors"]:
        if sensor["Type"] == "HouseSimulator":
            sensor["Sensor"].pop("Past", None)
        if sensor["Type"] == "Schedule":
            sensor["Sensor"].pop("First", None)


@contextlib.contextmanager
def demonstration(directory: Path, without: str = "") -> Iterator[tuple[Path, int]]:
    """Write the demonstration's config with ports of its own; yield its path, and a page's port.

    A node of the type `without` and its elements are left out.
    """
    document = json.loads((REPOSITORY / "static" / "config.json").read_text(encoding="utf-8"))
    elsewhere = {"Codifier": "N1", "Name": "A program of another kind", "Type": "ControlProgram"}
    document["Sensors"].append(elsewhere)
    without_past(document)
    out = {s["Codifier"] for s in document["Sensors"] if s["Type"] == without}
    document["Sensors"] = [
        sensor
        for sensor in document["Sensors"]
        if not out & {sensor["Codifier"], sensor.get("Sensor", {}).get("Codifier")}
    ]
    path = directory / "config.json"
    with contextlib.ExitStack() as held:
        for channel in ("Control-Channel", "Data-Channel", "Log-Channel"):
            document["Multicast"][channel]["Port"] = held.enter_context(udp_port())
        page = held.enter_context(tcp_port())
        path.write_text(json.dumps(document), encoding="utf-8")
        yield path, page


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("house")
    with demonstration(directory) as (path, port):
        running = start(path, directory / "state", port)
        yield running
        running.process.send_signal(signal.SIGTERM)
        running.process.communicate(timeout=LIMIT_S)
