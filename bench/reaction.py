"""How long a house is overloaded: from a meter frame to the outputs of a pilot card.

Three programs, each a process of its own: the meter node reads a pty, the shedding node hears its
currents on the data bus, the pilot-card node hears the mask on the same bus and writes the latches
of an MCP23017 that this program serves on a Unix socket.  The clock starts before a whole frame is
written to the pty and stops when the latch write has been read from the socket.

Beside it, in the same run: the round trip of a UDP datagram on the loopback interface between this
process and another Python process that does nothing but send it back.

Both are measured back to back, and with a rest before each: a processor that has gone to sleep
takes its time to wake, and a frame wakes four programs one after the other.

    python -m bench.reaction [--trials 300] [--json FILE]
"""

import argparse
import contextlib
import json
import os
import pty
import random
import select
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tty
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from bench.footprint import free_port
from bench.report import Row, keep
from jph.sim.meter.frames import ETX, STX, group, with_parity

ROOT: Final = Path(__file__).resolve().parent.parent
NODES: Final = ("TI", "SH", "P1")
OVERLOAD_A: Final = 33
CALM_A: Final = 10
WARM_UP: Final = 20
TRIALS: Final = 300
BARE: Final = "bare UDP round trip"
SHED: Final = "overload frame to latch write"
ANSWER_LIMIT_S: Final = 60.0
START_LIMIT_S: Final = 120.0
SETTLE_S: Final = 1.0
MEDIAN_AIM: Final = 50
P99_AIM: Final = 300

OLATA: Final = 0x14
OLATB: Final = 0x15
_ECHO: Final = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1], flush=True)
    while True:
        data, sender = s.recvfrom(2048)
        s.sendto(data, sender)
"""


Times = list[float]
Rest = tuple[float, float]

REGIMES: Final[dict[str, Rest]] = {"back to back": (0.0, 0.0), "rested": (0.005, 0.020)}
"""Name, and shortest and longest rest before each trial, s."""


def main() -> None:
    """Measure, and print a table of medians, 99th percentiles and ratios."""
    parser = argparse.ArgumentParser(description="From a meter frame to a latch.")
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each kind")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="jph-reaction-"))
        echo = stack.enter_context(Echo())
        house = stack.enter_context(House(Path(directory)))
        rows = {name: measure(house, echo, rest, options.trials) for name, rest in REGIMES.items()}
    show(rows)
    keep(options.json, "reaction", figures(rows))


def figures(rows: dict[str, dict[str, Times]]) -> list[Row]:
    """Return the table for programs."""
    unit = statistics.median(rows["back to back"][BARE])
    return [
        {
            "name": f"{regime}: {name}",
            "median_us": 1e6 * statistics.median(each),
            "p99_us": 1e6 * percentile(each, 99),
            "median_ratio": statistics.median(each) / unit,
            "p99_ratio": percentile(each, 99) / unit,
        }
        for regime, times in rows.items()
        for name, each in times.items()
    ]


def measure(house: "House", echo: "Echo", rest: Rest, trials: int) -> dict[str, Times]:
    """Return the seconds of each trial, by what was tried; the bare trips before and after."""
    bare = [echo.round_trip(rest) for _ in range(trials)]
    sheds: Times = []
    restores: Times = []
    for _ in range(WARM_UP):
        house.react(OVERLOAD_A, rest)
        house.react(CALM_A, rest)
    for _ in range(trials):
        sheds.append(house.react(OVERLOAD_A, rest))
        restores.append(house.react(CALM_A, rest))
    house.settle()
    bare += [echo.round_trip(rest) for _ in range(trials)]
    return {BARE: bare, SHED: sheds, "calm frame to latch write": restores}


def show(rows: dict[str, dict[str, Times]]) -> None:
    """Print the table; all times are in seconds."""
    print(f"{'':48}{'n':>5}{'median µs':>11}{'p99 µs':>9}{'median ×':>10}{'p99 ×':>8}")
    for regime, times in rows.items():
        unit = statistics.median(times[BARE])
        for name, each in times.items():
            median, high = statistics.median(each), percentile(each, 99)
            print(
                f"{regime + ': ' + name:48}{len(each):5}{median * 1e6:11.0f}{high * 1e6:9.0f}"
                f"{median / unit:10.1f}{high / unit:8.1f}"
            )
    print("× is to the bare median of the same regime")
    unit = statistics.median(rows["back to back"][BARE])
    for regime, times in rows.items():
        median, high = statistics.median(times[SHED]) / unit, percentile(times[SHED], 99) / unit
        met = "met" if median <= MEDIAN_AIM and high <= P99_AIM else "missed"
        print(
            f"to the bare median back to back (aim {MEDIAN_AIM} × and {P99_AIM} ×), {regime}: "
            f"{median:.1f} × and {high:.1f} ×, {met}"
        )


def percentile(times: Sequence[float], percent: int) -> float:
    """Return the smallest of the times that at least `percent` of them do not exceed."""
    ordered = sorted(times)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class House:
    """A meter's pty, the three nodes, and the chip that they end at."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "House":
        with contextlib.ExitStack() as stack:
            self._meter, slave = pty.openpty()
            stack.callback(os.close, self._meter)
            stack.callback(os.close, slave)
            tty.setraw(slave)
            self._chip = stack.enter_context(Chip(self._directory / "i2c.sock"))
            stack.enter_context(running(self._directory, os.ttyname(slave)))
            self._start()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    def react(self, current_a: int, rest: Rest) -> float:
        """Return the seconds from a frame with this current to the latch write."""
        if pause_s := random.uniform(*rest):
            self._chip.serve(pause_s)
        sent = frame(current_a)
        begin = time.perf_counter()
        os.write(self._meter, sent)
        written = self._chip.serve(ANSWER_LIMIT_S, want=True)
        if not written:
            raise SystemExit(f"no latch write {ANSWER_LIMIT_S:g} s after a frame of {current_a} A")
        return written - begin

    def settle(self) -> None:
        """Let the card read its chip back, which it does a moment after the last write."""
        self._chip.serve(SETTLE_S)

    def _start(self) -> None:
        """Speak to the nodes until they react."""
        end = time.perf_counter() + START_LIMIT_S
        while time.perf_counter() < end:
            os.write(self._meter, frame(OVERLOAD_A))
            if self._chip.serve(0.5, want=True):
                os.write(self._meter, frame(CALM_A))
                self.settle()
                return
        raise SystemExit("the nodes did not react to an overload; their words are above")


def frame(current_a: int) -> bytes:
    """Return a three-phase short frame whose phase 1 carries this current."""
    groups = [group("ADCO", "031234567890"), group("IINST1", f"{current_a:03}")]
    groups += [group("IINST2", "003"), group("IINST3", "004")]
    return with_parity(STX + b"".join(groups) + ETX)


class Chip:
    """One MCP23017 on a Unix socket; serves only while it is asked to."""

    def __init__(self, path: Path) -> None:
        self._registers = bytearray(b"\xff\xff" + bytes(0x14))
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._client: socket.socket | None = None

    def __enter__(self) -> "Chip":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._listener.close()
        if self._client is not None:
            self._client.close()

    def serve(self, limit_s: float, want: bool = False) -> float:
        """Serve for a time, with `want` only until a latch is written; return when that was.

        The time is of `time.perf_counter`, 0 if no latch was written.
        """
        end = time.perf_counter() + limit_s
        while (left := end - time.perf_counter()) > 0:
            waiting = self._listener if self._client is None else self._client
            if not select.select([waiting], [], [], left)[0]:
                break
            if self._client is None:
                self._client, _ = self._listener.accept()
                continue
            written = self._answer(self._client)
            if written and want:
                return written
        return 0.0

    def _answer(self, client: socket.socket) -> float:
        request = client.recv(64)
        if not request:
            raise SystemExit("the pilot card hung up")
        at = time.perf_counter()
        operation, _, register, value = request[:4]
        if operation in (0, 2):
            count = value if operation == 2 else 1
            client.sendall(b"\0" + self._shown()[register : register + count])
            return 0.0
        block = request[4:] if operation == 3 else request[3:4]
        client.sendall(b"\0")
        self._registers[register : register + len(block)] = block
        driving = self._registers[:2] == b"\0\0"
        return at if driving and register in (OLATA, OLATB) else 0.0

    def _shown(self) -> bytes:
        latches = self._registers[OLATA:]
        return bytes(self._registers[:0x12]) + bytes(latches) + bytes(latches)


@contextlib.contextmanager
def running(directory: Path, device: str) -> Iterator[None]:
    """Run the three nodes, each in a process of its own, on a bus of their own."""
    path = directory / "config.json"
    path.write_text(json.dumps(configuration(directory, device)))
    environment = {**os.environ, "JPH_STATE": str(directory)}
    environment.pop("JPH_INTERFACE", None)
    command = [sys.executable, str(ROOT / "control.py"), "--config", str(path), "run"]
    nodes = [subprocess.Popen([*command, code], env=environment) for code in NODES]
    try:
        yield
    finally:
        for node in nodes:
            node.send_signal(signal.SIGTERM)
        for node in nodes:
            node.wait(START_LIMIT_S)


def configuration(directory: Path, device: str) -> dict[str, Any]:
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
    card = {"Bus": bus, "Address": 32, "Wires": wires, "Shed": {"1": "S1"}}
    sensors = [
        node("TI", "Teleinfo", meter),
        node("SH", "Shedding", shedding),
        node("P1", "PilotCard", card),
    ]
    parents = {"I1": "TI", "S1": "SH", **{f"1{n}": "P1" for n in range(1, 9)}}
    for codifier, parent in parents.items():
        sensors.append({"Codifier": codifier, "Type": "Proxy", "Sensor": {"Codifier": parent}})
    multicast = {
        "Control-Channel": {"Address": "239.255.77.1", "Port": free_port()},
        "Data-Channel": {"Address": "239.255.77.2", "Port": free_port()},
        "Interfaces": {"*": "lo"},
        "TTL": 0,
    }
    logging = {"version": 1, "root": {"level": "WARNING"}}
    return {"Multicast": multicast, "Logging": logging, "Sensors": sensors}


def node(codifier: str, kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a node's entry; it says nothing of its own accord meanwhile."""
    return {"Codifier": codifier, "Type": kind, "SensorInterval": 600, "Sensor": settings}


class Echo:
    """A second Python process that sends every datagram back."""

    def __enter__(self) -> "Echo":
        command = [sys.executable, "-c", _ECHO]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(ANSWER_LIMIT_S)
        self._socket.connect(("127.0.0.1", port))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def round_trip(self, rest: Rest) -> float:
        """Return the seconds that a datagram takes there and back."""
        if pause_s := random.uniform(*rest):
            time.sleep(pause_s)
        begin = time.perf_counter()
        self._socket.send(bytes(32))
        self._socket.recv(2048)
        return time.perf_counter() - begin


if __name__ == "__main__":
    main()
