"""Publishes a number or a word from a file that another program writes: sysfs, /proc, a FIFO.

`TempLinux` is the same with the kernel's millidegrees (Documentation/driver-api/thermal) made
degrees.
"""

import os
import re
import stat
import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from jph.config.model import expand
from jph.config.settings import described
from jph.node.node import Node, Settings
from jph.util.logs import Throttle
from jph.wire.codec import Quality, Value

MAX_BYTES: Final = 65_536
"""What is read at most at once: the capacity of a pipe, and far more than any value needs."""
_MILLI: Final = 0.001
PLAUSIBLE: Final = 1e15
"""Largest magnitude of a number; beyond it a double does not hold each thousandth."""
_DIGITS: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_TEXT_TYPES: Final = frozenset({"string", "text"})


class PipeSettings(Settings, frozen=True):
    """`Pipe` is the path; `Field` the column among blanks, from 0; `Factor` scales what is read.

    `Factor` is 0.001 for the type TempLinux and 1 for Pipe where it is not given.
    """

    pipe: Annotated[str, described("Path of the file or FIFO")]
    field: Annotated[int, described("Column of the value, from 0")] = 0
    factor: Annotated[
        float | None, described("Factor of the value; without it 1, for TempLinux 0.001")
    ] = None

    def __post_init__(self) -> None:
        if self.field < 0:
            raise ValueError(f"Field: expected 0 or above, found {self.field}")


def parse(text: str, field: int, factor: float, data_type: str) -> Value:
    """Return the value in column `field` of `text`, times `factor`.

    Decimal arithmetic: 48312 × 0.001 is 48.312, not 48.312000000000005.

    Raises:
        ValueError: there is no such column, or no plausible number in it.
    """
    words = text.split()
    if field >= len(words):
        raise ValueError(f"no column {field} in {text[:60]!r}")
    if data_type in _TEXT_TYPES:
        return words[field]
    word = words[field]
    if not _DIGITS.fullmatch(word):
        raise ValueError(f"expected a number such as -3.25, found {word[:60]!r}")
    number = Decimal(word) * Decimal(repr(factor))
    if abs(number) > PLAUSIBLE:
        raise ValueError(f"expected a number up to {PLAUSIBLE:g}, found {word[:60]!r}")
    return round(number) if data_type == "integer" else float(number)


class LastLine:
    """The last complete line of a stream that arrives in pieces; bounded."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> str | None:
        """Return the last line completed by `chunk` that is not blank, or None."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[-MAX_BYTES:]
        whole = [line for line in lines if line.strip()]
        return whole[-1].decode(errors="replace") if whole else None


class Pipe(Node, type=("Pipe", "TempLinux"), settings=PipeSettings):
    """Read a value each `SensorInterval` and publish it.

    When the file is missing or holds no value, the last value is published once more as stale,
    with its own time. The log names the reason once a minute; the node tries again each time.
    """

    is_device = True
    settings: PipeSettings
    _fifo: int | None = None
    _last: tuple[Value, int] | None = None

    async def open(self) -> None:
        """Begin without opening the file: it may appear later."""
        self._throttle = Throttle()
        self._lines = LastLine()

    async def close(self) -> None:
        """Close the FIFO, if it is one."""
        self._close_fifo()

    async def on_timer(self, now_ms: int) -> None:
        """Publish the file's value, or the last complete line of a FIFO since the last time."""
        path = expand(self.settings.pipe)
        try:
            text = self._read(path)
            if text is not None:
                value = parse(text, self.settings.field, self._factor, self.entry.data_type)
                self.send(value, timestamp_ms=now_ms)
                self._last = value, now_ms
        except (OSError, ValueError) as error:
            if self._last is not None:
                (value, at_ms), self._last = self._last, None
                self.send(value, timestamp_ms=at_ms, quality=Quality.STALE)
            if self._throttle.allow((type(error), path), time.monotonic()):
                self.log.warning("no value from %s: %s; trying again", path, error)

    def on_reload(self) -> None:
        """The path may be another one now."""
        self._close_fifo()

    @property
    def _factor(self) -> float:
        if self.settings.factor is not None:
            return self.settings.factor
        return _MILLI if self.entry.type == "TempLinux" else 1.0

    def _read(self, path: str) -> str | None:
        """Return the text to read a value in, or None if a FIFO has nothing new."""
        if self._fifo is None and not stat.S_ISFIFO(Path(path).stat().st_mode):
            with Path(path).open("rb") as file:
                return file.read(MAX_BYTES).decode(errors="replace")
        if self._fifo is None:
            # Open for writing too: it never ends when the last writer leaves, and never blocks.
            self._fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return self._lines.feed(os.read(self._fifo, MAX_BYTES))
        except BlockingIOError:
            return None

    def _close_fifo(self) -> None:
        if self._fifo is not None:
            os.close(self._fifo)
            self._fifo = None
        self._lines = LastLine()
