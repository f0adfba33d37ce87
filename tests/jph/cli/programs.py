"""control.py as a real program: run to its end, or listened to for the length of a block."""

import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.support import LIMIT_S, REPOSITORY, children

Document = dict[str, Any]


def setpoint(code: str, name: str = "", **entry: Any) -> Document:
    """Return the entry of a Setpoint that speaks ten times a second."""
    return {
        "Codifier": code,
        "Name": name or f"Setpoint {code}",
        "Type": "Setpoint",
        "Symbol": "°C",
        "Control": "enabled",
        "KeepAliveInterval": 0.5,
        "SensorInterval": 0.1,
        "TimeoutWarning": 2,
        "Sensor": {"Default": 20, "Min": 5, "Max": 30},
        **entry,
    }


def element(code: str, parent: str, **entry: Any) -> Document:
    """Return the entry of an element."""
    return {
        "Codifier": code,
        "Name": f"Element {code}",
        "Type": "Proxy",
        "Sensor": {"Codifier": parent},
        **entry,
    }


CONSOLE: Document = {"Codifier": "CC", "Type": "ControlProgram", "Name": "Console"}


def command(config: Path, *words: str) -> list[str]:
    return [sys.executable, str(REPOSITORY / "control.py"), "--config", str(config), *words]


def control(
    config: Path, *words: str, patience: float = 10, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; with less `patience` where no answer is expected."""
    return subprocess.run(
        command(config, *words),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "JPH_PATIENCE": str(patience), **environment},
    )


class Program:
    """A program that runs for the length of a block; what it writes is kept in `lines`."""

    def __init__(self, *words: str, **environment: str) -> None:
        self.lines: list[str] = []
        self._new: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def expect(self, text: str, limit_s: float = LIMIT_S) -> str:
        """Wait for the next line with `text` in it and return it."""
        until_s = time.monotonic() + limit_s
        while True:
            try:
                line = self._new.get(timeout=max(0.0, until_s - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                raise AssertionError(f"no line with {text!r} within {limit_s} s: {self.lines}")
            if text in line:
                return line

    def children(self) -> dict[str, int]:
        """Return the process ids of the parts it has started, by codifier."""
        found = {}
        for child in children(self.process.pid):
            words = Path(f"/proc/{child}/cmdline").read_text().split("\0")
            if "run" in words:
                found[words[-2]] = child
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._new.put(line.rstrip())
        self._new.put(None)


def gone(pids: list[int]) -> bool:
    """Wait until none of `pids` runs; tell whether that came about in time."""
    until_s = time.monotonic() + LIMIT_S
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > until_s:
            return False
        threading.Event().wait(0.01)  # processes that are not our children: polling is the only way
    return True


def _runs(pid: int) -> bool:
    """Whether `pid` is a process that has not ended; one that its parent did not collect has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
