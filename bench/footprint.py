"""What a node costs when nothing happens: start, memory, processor, wake-ups.

Every program is the one that runs in a house, `control.py run CODE…`, on buses of its own on the
loopback interface, with simulated chips and a simulated meter that sends a frame each 2 s: at the
pace of 1,200 baud, which wakes the node for each of the 17 groups, or where so named at once.

    python -m bench.footprint [--seconds 20] [--json FILE]

- start: from `exec` to the first message on the control bus, ms; beside it the same for a Python
  program that imports asyncio and sends one datagram.
- private: memory that no other process shares (smaps: Private_Clean + Private_Dirty), MB, measured
  while another Python runs, as in any house; Pss: with its share of what is shared.
- idle: processor seconds an hour, and how often a second it is woken.
"""

import argparse
import contextlib
import json
import os
import pty
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench import report
from jph.errors import DecodeError
from jph.sim.chips.i2cbus import I2cBus
from jph.sim.chips.server import I2cServer
from jph.sim.meter.frames import ETX, LONG_FRAME, STX, group, with_parity
from jph.sim.meter.register import Register
from jph.wire.codec import decode_control

ROOT: Final = Path(__file__).resolve().parent.parent
DEMO: Final = ROOT / "static" / "config.json"
GROUP: Final = "239.255.77.1"
STARTS: Final = 5
SECONDS: Final = 20.0
START_LIMIT_S: Final = 120.0
FRAME_EVERY_S: Final = 2.0
CHARACTER_S: Final = 10 / 1200
_TICKS_PER_S: Final = 1e9
_HELD: Final[list[socket.socket]] = []

KINDS: Final = ("TI", "P1", "SH", "SP", "C1", "FR", "R1", "Q1", "Q2", "CF")
TOGETHER: Final = (("TI", "SH", "P1", "P2"), ("TI", "SH", "P1", "P2", "P3", "SP", "FR"))
MANY: Final = 16
"""Nodes of the largest process: the last of `TOGETHER`, and setpoints."""

BARE: Final = """
import asyncio, socket, sys
async def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"first", ("127.0.0.1", int(sys.argv[1])))
    await asyncio.sleep(60)
asyncio.run(main())
"""


class Memory(NamedTuple):
    """Of one process, MB."""

    resident: float
    proportional: float
    private: float


class Idle(NamedTuple):
    """CPU seconds an hour, wake-ups a second."""

    cpu_s_an_hour: float
    wakeups_a_second: float


class Row(NamedTuple):
    """One program; times in ms, memory in MB."""

    name: str
    nodes: int
    start_ms: float
    memory: Memory
    idle: Idle


def main() -> None:
    """Measure, print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description="What a node costs when nothing happens.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of idling, each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="jph-footprint-") as directory,
        house(Path(directory)) as (config, meter),
    ):
        bare = statistics.median(start_bare() for _ in range(STARTS))
        meter.paced = False
        rows = [measure(("TI",), config, options.seconds, " (a frame at once)")]
        meter.paced = True
        rows += [measure((code,), config, options.seconds) for code in KINDS]
        rows += [measure(codes, config, options.seconds) for codes in (*TOGETHER, many())]
    show(rows, bare)
    report.keep(options.json, "footprint", figures(rows, bare))


def many() -> tuple[str, ...]:
    """Return the codifiers of the largest process."""
    most = TOGETHER[-1]
    return (*most, *(f"Z{n}" for n in range(MANY - len(most))))


def show(rows: Sequence[Row], bare_ms: float) -> None:
    """Print the table."""
    heads = ("start ms", "private MB", "Pss", "RSS", "CPU s/h", "wakes/s")
    print(
        " " * 34
        + "".join(
            f"{head:>{width}}" for head, width in zip(heads, (9, 12, 7, 7, 9, 9), strict=True)
        )
    )
    for row in rows:
        name = row.name if len(row.name) < 32 else f"{row.nodes} nodes in one process"
        m, idle = row.memory, row.idle
        print(
            f"{name:34}{row.start_ms:9.0f}{m.private:12.1f}{m.proportional:7.1f}{m.resident:7.1f}"
            f"{idle.cpu_s_an_hour:9.1f}{idle.wakeups_a_second:9.1f}"
        )
    print(f"{'python with asyncio alone':34}{bare_ms:9.0f}")
    first, last = rows[1], rows[-1]
    each = (last.memory.private - first.memory.private) / (last.nodes - first.nodes)
    print(f"each further node in a process: {each:.2f} MB private")


def figures(rows: Sequence[Row], bare_ms: float) -> list[report.Row]:
    """Return the table for programs."""
    nodes: list[report.Row] = [
        {
            "name": row.name,
            "nodes": row.nodes,
            "start_ms": row.start_ms,
            **{f"{key}_mb": value for key, value in row.memory._asdict().items()},
            **row.idle._asdict(),
        }
        for row in rows
    ]
    return [*nodes, {"name": "python with asyncio alone", "start_ms": bare_ms}]


def measure(codes: Sequence[str], config: Path, seconds: float, note: str = "") -> Row:
    """Start a program a few times, and watch the last one idle."""
    starts = []
    for turn in range(STARTS):
        with program(codes, config) as (_, start_ms):
            if turn:  # the first compiles what was never run
                starts.append(start_ms)
    with program(codes, config) as (pid, start_ms):
        starts.append(start_ms)
        time.sleep(2.0)  # what is done once: the first frame, connecting, failing to
        before, begin = spent(pid), time.monotonic()
        time.sleep(seconds)
        after, passed = spent(pid), time.monotonic() - begin
        cpu_s, wakes = (b - a for a, b in zip(before, after, strict=True))
        idle = Idle(3600 * cpu_s / passed, wakes / passed)
        name = " ".join(codes) + note
        return Row(name, len(codes), statistics.median(starts), memory(pid), idle)


@contextlib.contextmanager
def program(codes: Sequence[str], config: Path) -> Iterator[tuple[int, float]]:
    """Run nodes in one process; gives its id, and the ms until each had spoken."""
    port = json.loads(config.read_text())["Multicast"]["Control-Channel"]["Port"]
    environment = {**os.environ, "JPH_STATE": str(config.parent), "JPH_CONFIG": str(config)}
    for name in ("JPH_INTERFACE", "PYTHONDONTWRITEBYTECODE"):  # as on a machine that has run before
        environment.pop(name, None)
    command = [sys.executable, str(ROOT / "control.py"), "run", *codes]
    with listener(port) as ear:
        begin = time.perf_counter()
        child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            yield child.pid, 1000 * (heard(ear, set(codes)) - begin)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(START_LIMIT_S)


def start_bare() -> float:
    """Return the ms until a program that only imports asyncio has sent a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        begin = time.perf_counter()
        command = [sys.executable, "-c", BARE, str(ear.getsockname()[1])]
        child = subprocess.Popen(command)
        ear.settimeout(START_LIMIT_S)
        ear.recv(64)
        passed = time.perf_counter() - begin
        child.kill()
        child.wait()
        return 1000 * passed


def heard(ear: socket.socket, codes: set[str]) -> float:
    """Wait until every one of `codes` has said something; return when, by `perf_counter`."""
    waiting, end = set(codes), time.monotonic() + START_LIMIT_S
    while waiting and time.monotonic() < end:
        with contextlib.suppress(TimeoutError, DecodeError):
            waiting.discard(decode_control(ear.recv(2048)).source)
    if waiting:
        raise SystemExit(f"{', '.join(sorted(waiting))} said nothing for {START_LIMIT_S:g} s")
    return time.perf_counter()


@contextlib.contextmanager
def listener(port: int) -> Iterator[socket.socket]:
    """Hear the control bus."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind((GROUP, port))
        lo = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex("lo"))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, lo)
        ear.settimeout(0.5)
        yield ear


def memory(pid: int) -> Memory:
    """Return what /proc says of a process."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value = line.split()[:2]
        found[key.rstrip(":")] = int(value)
    private = found["Private_Clean"] + found["Private_Dirty"]
    return Memory(found["Rss"] / 1024, found["Pss"] / 1024, private / 1024)


def spent(pid: int) -> tuple[float, int]:
    """Return CPU seconds and wake-ups (voluntary switches) of all threads of a process."""
    cpu_s, wakes = 0.0, 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu_s += int((task / "schedstat").read_text().split()[0]) / _TICKS_PER_S
        status = (task / "status").read_text()
        wakes += int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    return cpu_s, wakes


# The house


class Meter:
    """A pty on which a meter speaks while this is open.

    Attributes:
        device: the path of the pty; paced: whether frames take as long as on a real line.
    """

    def __init__(self) -> None:
        self._line, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        os.set_blocking(self._line, False)
        self.device = os.ttyname(self._theirs)
        self.paced = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._speak, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Fall silent."""
        self._ended.set()
        self._thread.join()
        os.close(self._line)
        os.close(self._theirs)

    def _speak(self) -> None:
        register = Register("021234567890", 30)
        groups = [with_parity(group(label, register.value(label))) for label in LONG_FRAME]
        parts = [with_parity(STX) + groups[0], *groups[1:-1], groups[-1] + with_parity(ETX)]
        while not self._ended.is_set():
            begin = time.monotonic()
            for part in parts if self.paced else [b"".join(parts)]:
                if self._ended.wait(len(part) * CHARACTER_S * self.paced):
                    return
                with contextlib.suppress(BlockingIOError):  # nobody reads
                    os.write(self._line, part)
            self._ended.wait(FRAME_EVERY_S - (time.monotonic() - begin))


@contextlib.contextmanager
def house(directory: Path) -> Iterator[tuple[Path, Meter]]:
    """Give the demo's configuration on buses of its own, and its meter; its chips live too."""
    (directory / "house").mkdir()
    bus = I2cBus((32, 33, 34))
    server = I2cServer(directory / "house" / "i2c.sock", bus)
    server.start()
    with contextlib.closing(server), contextlib.closing(Meter()) as meter:
        path = directory / "config.json"
        path.write_text(json.dumps(configuration(meter.device)))
        yield path, meter


def configuration(device: str) -> dict[str, Any]:
    """Return the demo's configuration with other ports, and setpoints to fill a process with."""
    config: dict[str, Any] = json.loads(DEMO.read_text())
    config["Multicast"]["Control-Channel"] = {"Address": GROUP, "Port": free_port()}
    config["Multicast"]["Data-Channel"] = {"Address": "239.255.77.2", "Port": free_port()}
    for sensor in config["Sensors"]:
        if sensor["Codifier"] == "TI":
            sensor["Sensor"]["Device"] = device
        if sensor["Type"] == "Gateway":
            sensor["Sensor"]["Port"] = 0
    setpoint = next(s for s in config["Sensors"] if s["Codifier"] == "SP")
    for code in many()[len(TOGETHER[-1]) :]:
        config["Sensors"].append({**setpoint, "Codifier": code, "Name": f"Setpoint {code}"})
    return config


def free_port() -> int:
    """Return a UDP port for a bus; no other program gets it until this one ends."""
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind(("127.0.0.1", 0))
    # Only now, so that the kernel chose a free port and a bus may share it.
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _HELD.append(held)
    return int(held.getsockname()[1])


if __name__ == "__main__":
    main()
