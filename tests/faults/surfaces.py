"""The five surfaces of a house that report its state: House, /healthz, /metrics, status, why.

Each reading of a surface is a list of lines: JSON is flattened to `path = value`, a page is reduced
to its text. `Watcher` reads all five in turns and keeps every reading with its time.
"""

import contextlib
import html
import json
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support import REPOSITORY

SURFACES = ("House", "/healthz", "/metrics", "status", "why")
HTTP_LIMIT_S = 20.0
COMMAND_LIMIT_S = 60.0
POLL_S = 0.5


class SurfaceReading(NamedTuple):
    """The lines of one surface, and the monotonic time at which it was asked."""

    surface: str
    asked_s: float
    lines: tuple[str, ...]


class HouseAddress(NamedTuple):
    """The way to a running house: port of its page, config and environment of commands."""

    port: int
    config: str
    environment: dict[str, str]

    def lines(self, surface: str) -> list[str]:
        """Ask a surface once; a surface that does not answer has one line that says so."""
        try:
            match surface:
                case "House":
                    return [*self._get("/api/house"), *self._get("/")]
                case "/healthz" | "/metrics":
                    return self._get(surface)
                case _:
                    return self._command(surface)
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            return [f"no answer: {error}"]

    def _get(self, path: str) -> list[str]:
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=HTTP_LIMIT_S) as answer:
                status, body = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read().decode()
        lines = [] if status == 200 else [f"status {status}"]
        if path == "/metrics":
            return lines + [line for line in body.splitlines() if not line.startswith("#")]
        if body.lstrip().startswith(("{", "[")):
            return lines + list(flat(json.loads(body)))
        return lines + visible_text(body)

    def _command(self, word: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "control.py", "--config", self.config, word],
            cwd=REPOSITORY,
            env={**self.environment, "COLUMNS": "200", "JPH_PATIENCE": "1"},
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
        return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def flat(value: Any, path: str = "") -> Iterator[str]:
    """Yield `path = value` for each leaf of a JSON document."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from flat(item, f"{path}.{number}")
    else:
        yield f"{path} = {value}"


def visible_text(page: str) -> list[str]:
    """Return the text of a page, one line for each block."""
    body = re.sub(r"(?s)<(script|style|template)\b.*?</\1>", " ", page)
    body = re.sub(
        r"</?(div|p|li|tr|section|article|h\d|header|footer|dd|dt|button)\b[^>]*>", "\n", body
    )
    text = html.unescape(re.sub(r"<[^>]*>", " ", body))
    return [line for line in (" ".join(part.split()) for part in text.splitlines()) if line]


class Watcher:
    """Asks every surface again and again, from threads of its own, until it is closed."""

    def __init__(self, house: HouseAddress, surfaces: tuple[str, ...] = SURFACES) -> None:
        self._house = house
        self._lock = threading.Lock()
        self._readings: list[SurfaceReading] = []
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._poll, args=(surface,), daemon=True)
            for surface in surfaces
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop asking."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def since(self, surface: str, after_s: float) -> list[SurfaceReading]:
        """Return the readings of a surface that was asked after a time."""
        with self._lock:
            return [r for r in self._readings if r.surface == surface and r.asked_s >= after_s]

    def _poll(self, surface: str) -> None:
        while not self._ended.wait(POLL_S):
            asked_s = time.monotonic()
            lines = tuple(self._house.lines(surface))
            with self._lock:
                self._readings.append(SurfaceReading(surface, asked_s, lines))


@contextlib.contextmanager
def watching(house: HouseAddress) -> Iterator[Watcher]:
    """Watch a house for the length of a block."""
    watcher = Watcher(house)
    try:
        yield watcher
    finally:
        watcher.close()


def without_digits(line: str) -> str:
    """Return a line for comparison: ages and values differ all the time."""
    return re.sub(r"\d+([.,]\d+)?", "#", line)


def first_match(
    readings: list[SurfaceReading], test: Callable[[SurfaceReading], str | None]
) -> tuple[float, str] | None:
    """Return the time and the line of the first reading with a match."""
    for reading in readings:
        if (line := test(reading)) is not None:
            return reading.asked_s, line
    return None


def config_text(path: Path) -> dict[str, Any]:
    """Return a config file as a document."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
