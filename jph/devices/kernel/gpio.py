"""Lines of GPIO chips and channels of PWM chips, real ones or simulated ones.

A line is one of the kernel's character device, opened by python-periphery, or one that a program
serves on a Unix socket (`unix:PATH`). The client of the socket sends one JSON line
(`{"line": 17, "output": false}`) and then, for an output, one character for each level: `0` or
`1`. The server sends one character for each level of an input, the first one at once.
"""

import contextlib
import fcntl
import json
import socket
import struct
import time
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol

from jph.devices.kernel.sysfs import find_device
from jph.errors import DeviceError
from jph.extras import advice
from jph.util.unixpath import socket_path

Bias = Literal["", "up", "down", "off"]
_CHIP_INFO: Final = 0x8044B401
"""GPIO_GET_CHIPINFO_IOCTL: name, label (32 bytes each), number of lines."""
_MOST_EVENTS: Final = 1000
"""Events of one line that are read before other work gets its turn."""
_PWM_TRIES: Final = 20
_PWM_PAUSE_S: Final = 0.05
"""udev gives the files of a new channel their rights a moment after they appear."""


class Edge(NamedTuple):
    """A change of a level and its time; the clock is monotonic."""

    rising: bool
    at_ns: int


class Line(Protocol):
    """One line of a chip; `fd` is readable when an input has changed."""

    @property
    def fd(self) -> int:
        """File descriptor."""
        ...

    def read(self) -> bool | None:
        """Return the level; None if it is not known yet."""
        ...

    def write(self, level: bool) -> None:
        """Set the level of an output."""
        ...

    def edges(self) -> list[Edge]:
        """Return the changes since the last call."""
        ...

    def close(self) -> None:
        """Release the line."""
        ...


class Wanted(NamedTuple):
    """A line as a program wants it; `start` is the first level of an output, None for an input."""

    number: int
    start: bool | None = None
    bias: Bias = ""
    inverted: bool = False


def open_line(chip: str, wanted: Wanted) -> Line:
    """Open a line of a chip: a label, a path, `unix:PATH`, or empty for the Raspberry Pi's own.

    Raises:
        DeviceError: there is no such chip or line, or another program has it.
    """
    try:
        if chip.startswith("unix:"):
            return SocketLine(chip.removeprefix("unix:"), wanted)
        return KernelLine(find_chip(chip), wanted)
    except ImportError:
        raise DeviceError(advice("a line of a chip", ["periphery"])) from None
    except OSError as error:
        raise DeviceError(f"line {wanted.number} of {chip or 'the chip'}: {error}") from error


def find_chip(chip: str) -> str:
    """Return the path of the chip with a label; numbers of chips differ between machines.

    Raises:
        DeviceError: there is none.
    """
    if chip.startswith("/"):
        return chip
    labels = {}
    for path in sorted(Path("/dev").glob("gpiochip*")):
        with contextlib.suppress(OSError), path.open("rb") as file:
            info = fcntl.ioctl(file, _CHIP_INFO, bytes(68))
            labels[str(path)] = struct.unpack("32s32sI", info)[1].rstrip(b"\0").decode("latin-1")
    for path_text, label in labels.items():
        if label == chip or (not chip and label.startswith("pinctrl-")):
            return path_text
    found = ", ".join(labels.values()) or "none"
    raise DeviceError(f"no GPIO chip with the label {chip or 'pinctrl-…'}; there is {found}")


class KernelLine:
    """A line of the kernel's character device."""

    def __init__(self, path: str, wanted: Wanted) -> None:
        from periphery import GPIO

        bias = {"": "default", "up": "pull_up", "down": "pull_down", "off": "disable"}
        first = "in" if wanted.start is None else ("high" if wanted.start else "low")
        edge = "both" if wanted.start is None else "none"
        self._gpio: Any = GPIO(
            path,
            wanted.number,
            first,
            edge=edge,
            bias=bias[wanted.bias],
            inverted=wanted.inverted,
            label="jph",
        )

    @property
    def fd(self) -> int:
        """File descriptor."""
        return int(self._gpio.fd)

    def read(self) -> bool | None:
        """Return the level."""
        return bool(self._gpio.read())

    def write(self, level: bool) -> None:
        """Set the level."""
        self._gpio.write(level)

    def edges(self) -> list[Edge]:
        """Return the changes since the last call."""
        found: list[Edge] = []
        while len(found) < _MOST_EVENTS and self._gpio.poll(0):
            event = self._gpio.read_event()
            found.append(Edge(event.edge == "rising", event.timestamp))
        return found

    def close(self) -> None:
        """Release the line."""
        self._gpio.close()


class SocketLine:
    """A line that a program serves on a Unix socket."""

    def __init__(self, path: str, wanted: Wanted) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._level: bool | None = wanted.start
        self._flip = wanted.inverted
        try:
            with socket_path(path) as reachable:
                self._socket.connect(reachable)
            self._socket.setblocking(False)
            first = {"line": wanted.number, "output": wanted.start is not None}
            self._socket.sendall(json.dumps(first).encode() + b"\n")
            if wanted.start is not None:
                self.write(wanted.start)
        except OSError:
            self._socket.close()
            raise

    @property
    def fd(self) -> int:
        """File descriptor."""
        return self._socket.fileno()

    def read(self) -> bool | None:
        """Return the newest level."""
        return self._level

    def write(self, level: bool) -> None:
        """Set the level."""
        self._socket.sendall(b"1" if level != self._flip else b"0")
        self._level = level

    def edges(self) -> list[Edge]:
        """Return the changes since the last call; the first level is none."""
        try:
            chunk = self._socket.recv(_MOST_EVENTS)
        except BlockingIOError:
            return []
        if not chunk:
            raise OSError("the program that serves the chip has ended")
        found, now_ns = [], time.monotonic_ns()
        for each in chunk:
            level = (each == ord("1")) != self._flip
            if self._level is not None and level != self._level:
                found.append(Edge(level, now_ns))
            self._level = level
        return found

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class PwmChannel:
    """A channel of a PWM chip in sysfs. It stays on when the program ends."""

    def __init__(self, chips: str, channel: int, hertz: float) -> None:
        """Export the channel and set its frequency; the duty stays as it is.

        Raises:
            DeviceError: there is no such chip, or more than one.
            OSError: the kernel refuses.
        """
        chip = find_device(chips)
        self._folder = chip / f"pwm{channel}"
        if not self._folder.is_dir():
            (chip / "export").write_text(str(channel))
        self._period_ns = round(1e9 / hertz)
        for tries_left in reversed(range(_PWM_TRIES)):
            try:
                if int((self._folder / "period").read_text() or 0) != self._period_ns:
                    self._write("duty_cycle", 0)
                    self._write("period", self._period_ns)
                break
            except (PermissionError, FileNotFoundError):
                if not tries_left:
                    raise
                time.sleep(_PWM_PAUSE_S)

    def set_fraction(self, fraction: float) -> None:
        """Set how much of each period the output is high: 0 to 1."""
        self._write("duty_cycle", round(self._period_ns * fraction))
        self._write("enable", 1)

    def set_us(self, width_us: float) -> None:
        """Set how long the output is high in each period."""
        self.set_fraction(min(width_us * 1000 / self._period_ns, 1.0))

    def _write(self, name: str, value: int) -> None:
        (self._folder / name).write_text(str(value))
