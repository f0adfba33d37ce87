"""Cost of a node that has nothing to do: start, memory, CPU time, wake-ups.

Every program is the one that runs in a house, `control.py run CODE…`, on buses of its own on the
loopback interface, with simulated chips and a simulated meter that sends a frame every 2 s: at the
pace of 1,200 baud, which wakes the node for each of the 17 groups, or the whole frame at once
where the row says so.

    python -m bench.footprint [--seconds 20] [--json FILE]

- start: from `exec` to the first message on the control bus, ms; beside it the same for a Python
  program that imports asyncio and sends one datagram.
- private: memory that no other process shares (smaps: Private_Clean + Private_Dirty), MB, measured
  while another Python runs, as in any house; Pss: with its share of shared memory.
- idle: CPU seconds an hour, and wake-ups a second.
- sealed: the same in a house with `"Seal": "demand"`, while another sealed node runs: in such a
  house the library of ciphers is in memory once.
"""

import argparse
import contextlib
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.harness import network, report
from bench.harness.network import GROUP, Json
from bench.harness.processes import memory, program, spent
from bench.harness.sealed import seal_file
from jph.config import model
from jph.errors import DecodeError
from jph.seal.frame import is_frame, read_header
from jph.sim.chips.i2cbus import I2cBus
from jph.sim.chips.server import I2cServer
from jph.sim.meter.frames import ETX, LONG_FRAME, STX, group, with_parity
from jph.sim.meter.line import BAUD, BITS_A_CHARACTER
from jph.sim.meter.port import MeterPort
from jph.sim.meter.register import Register
from jph.wire.codec import decode_control

STARTS: Final = 5
SECONDS: Final = 20.0
SETTLE_S: Final = 2.0
"""Time for the first frame and the attempts to connect, which are no part of idling."""
START_LIMIT_S: Final = 120.0
AIM_MB: Final = 25
AIM_MS: Final = 130
FRAME_EVERY_S: Final = 2.0

KINDS: Final = ("TI", "P1", "SH", "SP", "C1", "FR", "R1", "Q1", "Q2", "CF")
SEALED: Final = ("TI", "P1", "SH")
BESIDE: Final = "SP"
"""Another sealed node, which runs meanwhile."""
TOGETHER: Final = (("TI", "SH", "P1", "P2"), ("TI", "SH", "P1", "P2", "P3", "SP", "FR"))
FILLING: Final = tuple(f"Z{number}" for number in range(16 - len(TOGETHER[-1])))
"""Setpoints that fill the largest process, of 16 nodes."""
BARE: Final = "python with asyncio alone"
BARE_PROGRAM: Final = """
import asyncio, socket, sys
async def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"first", ("127.0.0.1", int(sys.argv[1])))
    await asyncio.sleep(60)
asyncio.run(main())
"""
NAME_WIDTH: Final = 34
TABLE: Final = (
    ("start_ms", "start ms", "9.0f"),
    ("private_mb", "private MB", "12.1f"),
    ("proportional_mb", "Pss", "7.1f"),
    ("resident_mb", "RSS", "7.1f"),
    ("cpu_s_an_hour", "CPU s/h", "9.1f"),
    ("wakeups_a_second", "wakes/s", "9.1f"),
)


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Measure every kind alone and some together; print the table."""
    with (
        tempfile.TemporaryDirectory(prefix="jph-footprint-") as directory,
        surroundings(Path(directory)) as (config, meter),
    ):
        bare = statistics.median(start_bare() for _ in range(STARTS))
        meter.paced = False
        rows = [idle(("TI",), config, options.seconds, " (a frame at once)")]
        meter.paced = True
        together = (*TOGETHER, (*TOGETHER[-1], *FILLING))
        for codes in (*((code,) for code in KINDS), *together):
            rows += [idle(codes, config, options.seconds)]
        each = (rows[-1]["private_mb"] - rows[1]["private_mb"]) / (rows[-1]["nodes"] - 1)
        closed = sealed_house(Path(directory))
        with node_program((BESIDE,), closed):
            rows += [idle((code,), closed, options.seconds, " (sealed)") for code in SEALED]
    rows.append({"name": BARE, "start_ms": bare})
    shown = [{**row, "name": short_name(row)} for row in rows]
    report.table(shown, TABLE, NAME_WIDTH)
    print(f"each further node in a process: {each:.2f} MB private")
    for row in rows:
        if row["name"].endswith("(sealed)"):
            fits = row["private_mb"] <= AIM_MB and row["start_ms"] <= AIM_MS
            print(f"{row['name']}: ≤ {AIM_MB} MB and ≤ {AIM_MS} ms: {report.met(fits)}")
    return rows


def sealed_house(directory: Path) -> Path:
    """Return the config of the same house with the same devices, sealed, on buses of its own."""
    folder = directory / "sealed"
    folder.mkdir()
    (folder / "house").symlink_to(directory / "house")
    path = network.write(configuration(directory / "meter"), folder)
    seal_file(path)
    return path


def short_name(row: report.Row) -> str:
    """Return the name for the table; a long list of codifiers becomes a number of nodes."""
    name = str(row["name"])
    return name if len(name) < NAME_WIDTH - 2 else f"{row['nodes']} nodes in one process"


def idle(codes: Sequence[str], config: Path, seconds: float, note: str = "") -> report.Row:
    """Start a program a few times, and measure the last one while it idles."""
    starts = []
    for turn in range(STARTS):
        with node_program(codes, config) as (_, start_ms):
            if turn:  # the first start compiles
                starts.append(start_ms)
    with node_program(codes, config) as (pid, start_ms):
        starts.append(start_ms)
        time.sleep(SETTLE_S)
        before, started_s = spent(pid), time.monotonic()
        time.sleep(seconds)
        after, passed_s = spent(pid), time.monotonic() - started_s
        return {
            "name": " ".join(codes) + note,
            "nodes": len(codes),
            "start_ms": statistics.median(starts),
            **{f"{key}_mb": value for key, value in memory(pid)._asdict().items()},
            "cpu_s_an_hour": 3600 * (after[0] - before[0]) / passed_s,
            "wakeups_a_second": (after[1] - before[1]) / passed_s,
        }


@contextlib.contextmanager
def node_program(codes: Sequence[str], config: Path) -> Iterator[tuple[int, float]]:
    """Run nodes in one process; yield its id, and the ms until each had sent a message."""
    port = model.parse(config.read_bytes()).multicast.control.port
    with control_bus(port) as listener:
        started_s = time.perf_counter()
        with program(["control.py", "run", *codes], config, stderr=subprocess.DEVNULL) as child:
            yield child.pid, 1000 * (all_heard(listener, set(codes)) - started_s)


def start_bare() -> float:
    """Return the ms until a program that only imports asyncio has sent a datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(START_LIMIT_S)
        started_s = time.perf_counter()
        with program(["-c", BARE_PROGRAM, str(listener.getsockname()[1])]):
            listener.recv(64)
            return 1000 * (time.perf_counter() - started_s)


def all_heard(listener: socket.socket, codes: set[str]) -> float:
    """Wait until each of `codes` has sent a message; return that `perf_counter` time."""
    waiting, end_s = set(codes), time.monotonic() + START_LIMIT_S
    while waiting and time.monotonic() < end_s:
        with contextlib.suppress(TimeoutError, DecodeError):
            waiting.discard(sender_of(listener.recv(2048)))
    if waiting:
        raise SystemExit(f"{', '.join(sorted(waiting))} sent nothing for {START_LIMIT_S:g} s")
    return time.perf_counter()


def sender_of(datagram: bytes) -> str:
    """Return the codifier that sent a message of the control bus, sealed or not."""
    if is_frame(datagram) and (head := read_header(datagram)) is not None:
        return head.node
    return decode_control(datagram).source


@contextlib.contextmanager
def control_bus(port: int) -> Iterator[socket.socket]:
    """Join the control bus with a plain socket."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((GROUP, port))
        lo = struct.pack("=4s4si", socket.inet_aton(GROUP), bytes(4), socket.if_nametoindex("lo"))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, lo)
        listener.settimeout(0.5)
        yield listener


class PacedMeter:
    """A meter on a port that sends the same frame again and again, from a thread.

    Attributes:
        paced: whether frames take as long as on a real line.
    """

    def __init__(self, path: Path) -> None:
        self._port = MeterPort(path)
        self.paced = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sending."""
        self._ended.set()
        self._thread.join()
        self._port.close()

    def _send(self) -> None:
        register = Register("021234567890", 30)
        groups = [with_parity(group(label, register.value(label))) for label in LONG_FRAME]
        parts = [with_parity(STX) + groups[0], *groups[1:-1], groups[-1] + with_parity(ETX)]
        while not self._ended.is_set():
            started_s = time.monotonic()
            for part in parts if self.paced else [b"".join(parts)]:
                if self._ended.wait(len(part) * BITS_A_CHARACTER / BAUD * self.paced):
                    return
                self._port.write(part)
            self._ended.wait(FRAME_EVERY_S - (time.monotonic() - started_s))


@contextlib.contextmanager
def surroundings(directory: Path) -> Iterator[tuple[Path, PacedMeter]]:
    """Run the chips and the meter; yield the path of the config, and the meter."""
    server = I2cServer(directory / "house" / "i2c.sock", I2cBus((32, 33, 34)))
    server.start()
    device = directory / "meter"
    with contextlib.closing(server), contextlib.closing(PacedMeter(device)) as meter:
        yield network.write(configuration(device), directory), meter


def configuration(device: Path) -> Json:
    """Return the demonstration's config, with setpoints that fill a process."""
    config = network.demonstration({"TI": {"Device": str(device)}, "Gateway": {"Port": 0}})
    setpoint = next(s for s in config["Sensors"] if s["Codifier"] == "SP")
    for code in FILLING:
        config["Sensors"].append({**setpoint, "Codifier": code, "Name": f"Setpoint {code}"})
    return config


if __name__ == "__main__":
    report.run("footprint", __doc__, measure, {"seconds": (SECONDS, "of idling, each")})
