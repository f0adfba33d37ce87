"""Duration of an overload: from a meter frame to the outputs of a pilot card.

Three programs, each a process of its own: the meter node reads a pty, the shedding node receives
its currents on the data bus, the pilot-card node receives the mask on the same bus and writes the
latches of an MCP23017 that this program serves on a Unix socket. The clock starts before a whole
frame is written to the pty and stops when the latch write has been read from the socket.

Beside it, in the same run: the round trip of a UDP datagram on the loopback interface between this
process and another Python process that only sends it back.

Both are measured back to back, and with a rest before each: a processor that sleeps needs time to
wake up, and a frame wakes four programs one after the other.

    python -m bench.reaction [--trials 300] [--json FILE]
"""

import argparse
import contextlib
import os
import pty
import random
import select
import socket
import subprocess
import tempfile
import time
import tty
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.harness import network, report
from bench.harness.processes import program
from bench.harness.timing import median, percentile
from jph.sim.chips.i2cbus import HEADER_SIZE, I2cBus, request_size
from jph.sim.meter.frames import ETX, STX, group, with_parity

NODES: Final = ("TI", "SH", "P1")
OVERLOAD_A: Final = 33
CALM_A: Final = 10
WARM_UP: Final = 20
TRIALS: Final = 300
BARE: Final = "bare UDP round trip"
SHED: Final = "overload frame to latch write"
RESTORE: Final = "calm frame to latch write"
ANSWER_LIMIT_S: Final = 60.0
START_LIMIT_S: Final = 120.0
SETTLE_S: Final = 1.0
MEDIAN_AIM: Final = 50
P99_AIM: Final = 300
CHIP: Final = 32

_ECHO: Final = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1], flush=True)
    while True:
        data, sender = s.recvfrom(2048)
        s.sendto(data, sender)
"""
TABLE: Final = (
    ("median_us", "median µs", "11.0f"),
    ("p99_us", "p99 µs", "9.0f"),
    ("median_ratio", "median ×", "10.1f"),
    ("p99_ratio", "p99 ×", "8.1f"),
)

Times = list[float]
Rest = tuple[float, float]

REGIMES: Final[dict[str, Rest]] = {"back to back": (0.0, 0.0), "rested": (0.005, 0.020)}
"""Name, and shortest and longest rest before each trial, s."""


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Measure both regimes; print medians, 99th percentiles and ratios."""
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="jph-reaction-"))
        line = stack.enter_context(echo())
        house = stack.enter_context(ReactionHouse(Path(directory)))
        found = {name: regime(house, line, rest, options.trials) for name, rest in REGIMES.items()}
    unit = median(found["back to back"][BARE])
    rows: list[report.Row] = [
        {
            "name": f"{name}: {kind}",
            "median_us": 1e6 * median(each),
            "p99_us": 1e6 * percentile(each, 99),
            "median_ratio": median(each) / unit,
            "p99_ratio": percentile(each, 99) / unit,
        }
        for name, times in found.items()
        for kind, each in times.items()
    ]
    report.table(rows, TABLE, 48)
    print("× is the ratio to the bare median back to back")
    for row in rows:
        if row["name"].endswith(SHED):
            reached = row["median_ratio"] <= MEDIAN_AIM and row["p99_ratio"] <= P99_AIM
            print(f"{row['name']} (aim {MEDIAN_AIM} × and {P99_AIM} ×): {report.met(reached)}")
    return rows


def regime(
    house: "ReactionHouse", line: socket.socket, rest: Rest, trials: int
) -> dict[str, Times]:
    """Return the seconds of each trial by its kind; bare trips before and after the others."""
    bare = [round_trip(line, rest) for _ in range(trials)]
    sheds: Times = []
    restores: Times = []
    for _ in range(WARM_UP):
        house.react(OVERLOAD_A, rest)
        house.react(CALM_A, rest)
    for _ in range(trials):
        sheds.append(house.react(OVERLOAD_A, rest))
        restores.append(house.react(CALM_A, rest))
    house.settle()
    bare += [round_trip(line, rest) for _ in range(trials)]
    return {BARE: bare, SHED: sheds, RESTORE: restores}


class ReactionHouse:
    """A meter on a pty, the three nodes, and the chip that the card drives; a context manager."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "ReactionHouse":
        with contextlib.ExitStack() as stack:
            self._meter, slave = pty.openpty()
            stack.callback(os.close, self._meter)
            stack.callback(os.close, slave)
            tty.setraw(slave)
            self._chip = stack.enter_context(contextlib.closing(Chip(self._directory / "i2c.sock")))
            document = configuration(self._directory, os.ttyname(slave))
            config = network.write(document, self._directory)
            for code in NODES:
                stack.enter_context(program(["control.py", "run", code], config))
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def react(self, current_a: int, rest: Rest) -> float:
        """Return the seconds from a frame with this current to the latch write."""
        if pause_s := random.uniform(*rest):
            self._chip.serve(pause_s)
        sent = frame(current_a)
        started_s = time.perf_counter()
        os.write(self._meter, sent)
        written_s = self._chip.serve(ANSWER_LIMIT_S, want=True)
        if not written_s:
            raise SystemExit(f"no latch write {ANSWER_LIMIT_S:g} s after a frame of {current_a} A")
        return written_s - started_s

    def settle(self) -> None:
        """Serve while the card reads its chip back, a moment after the last write."""
        self._chip.serve(SETTLE_S)

    def _start(self) -> None:
        """Send frames until the nodes react."""
        end_s = time.perf_counter() + START_LIMIT_S
        while time.perf_counter() < end_s:
            os.write(self._meter, frame(OVERLOAD_A))
            if self._chip.serve(0.5, want=True):
                os.write(self._meter, frame(CALM_A))
                self.settle()
                return
        raise SystemExit("the nodes did not react to an overload; see their messages above")


def frame(current_a: int) -> bytes:
    """Return a three-phase short frame with this current on phase 1."""
    groups = [group("ADCO", "031234567890"), group("IINST1", f"{current_a:03}")]
    groups += [group("IINST2", "003"), group("IINST3", "004")]
    return with_parity(STX + b"".join(groups) + ETX)


class Chip:
    """One MCP23017 on a Unix socket, served in this thread and only during `serve`."""

    def __init__(self, path: Path) -> None:
        self._bus = I2cBus((CHIP,), self._changed)
        self._written_s = 0.0
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._client: socket.socket | None = None

    def close(self) -> None:
        """Close the sockets."""
        self._listener.close()
        if self._client is not None:
            self._client.close()

    def serve(self, limit_s: float, want: bool = False) -> float:
        """Serve for a time, with `want` only until an output changes.

        Return the `time.perf_counter` of the last change, 0 if there was none.
        """
        self._written_s = 0.0
        end_s = time.perf_counter() + limit_s
        while (left_s := end_s - time.perf_counter()) > 0:
            waiting = self._listener if self._client is None else self._client
            if not select.select([waiting], [], [], left_s)[0]:
                break
            if self._client is None:
                self._client, _ = self._listener.accept()
                continue
            self._answer(self._client)
            if self._written_s and want:
                break
        return self._written_s

    def _answer(self, client: socket.socket) -> None:
        request = client.recv(64)
        if not request:
            raise SystemExit("the pilot card closed its connection")
        self._at_s = time.perf_counter()
        while len(request) >= HEADER_SIZE:
            size = request_size(request[:HEADER_SIZE])
            client.sendall(self._bus.transfer(request[:size]))
            request = request[size:]

    def _changed(self, _address: int, _outputs: tuple[int, int]) -> None:
        self._written_s = self._at_s


def configuration(directory: Path, device: str) -> network.Json:
    """Return a house of one phase that sheds and restores without waiting."""
    wires = [{"Codifier": f"1{n}", "Wire": n, "Phase": 1, "Watts": 1150} for n in range(1, 9)]
    meter = {
        "Device": device,
        "Mode": "historique",
        "Proxy": [{"Codifier": "I1", "Field": "IINST1"}],
    }
    shedding = {
        "Phases": [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30}],
        **dict.fromkeys(("Settle", "MinimumOff", "MinimumOn"), 0),
    }
    bus = f"unix:{directory}/i2c.sock"
    card = {"Bus": bus, "Address": CHIP, "Wires": wires, "Shed": {"1": "S1"}}
    parents = {"I1": "TI", "S1": "SH", **{f"1{n}": "P1" for n in range(1, 9)}}
    nodes = [
        quiet_node("TI", "Teleinfo", meter),
        quiet_node("SH", "Shedding", shedding),
        quiet_node("P1", "PilotCard", card),
    ]
    return network.config([*nodes, *network.proxies(parents)])


def quiet_node(codifier: str, kind: str, settings: dict[str, Any]) -> network.Json:
    """Return the entry of a node whose timer does not fire during the measurement."""
    return {"Codifier": codifier, "Type": kind, "SensorInterval": 600, "Sensor": settings}


@contextlib.contextmanager
def echo() -> Iterator[socket.socket]:
    """Run a process that sends every datagram back; yield a socket connected to it."""
    with (
        program(["-c", _ECHO], stdout=subprocess.PIPE) as child,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line,
    ):
        assert child.stdout is not None
        line.settimeout(ANSWER_LIMIT_S)
        line.connect(("127.0.0.1", int(child.stdout.readline())))
        yield line


def round_trip(line: socket.socket, rest: Rest) -> float:
    """Return the seconds that a datagram takes there and back."""
    if pause_s := random.uniform(*rest):
        time.sleep(pause_s)
    started_s = time.perf_counter()
    line.send(bytes(32))
    line.recv(2048)
    return time.perf_counter() - started_s


if __name__ == "__main__":
    report.run("reaction", __doc__, measure, {"trials": (TRIALS, "of each kind")})
