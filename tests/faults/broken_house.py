"""A demonstration house whose parts can be broken and mended one at a time.

The meter's line passes through a relay of the test, the thermometer reads a file of the test, and
the clock of a node follows a file, so each of them can fail while its node lives.
"""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg2
import redis

from jph.config import model as config
from jph.config import stores
from jph.sim.meter.port import MeterPort
from jph.wire.codec import Quality, Reading, encode_data
from tests.faults.surfaces import HouseAddress
from tests.house.conftest import House, descendants, eventually, without_past
from tests.support import LIMIT_S, REPOSITORY, ip, network_namespace, tcp_port, udp_port

NODES = ("HO", "TI", "P1", "P2", "P3", "SH", "R1", "Q1", "Q2", "CF", "C1", "FR", "SP")
STORES = ("redis-server", "postgres")
FORGED_A = 9876
INTERFACE, PEER = "jph0", "jph1"
INTERFACE_ADDRESS = "10.78.0.1"
CLOCK = """
import os, sys, time
_folder = os.environ.get("JPH_TEST_CLOCK")
if _folder:
    _file = os.path.join(_folder, open("/proc/self/cmdline").read().rstrip("\\0").split("\\0")[-1])
    _time, _time_ns, _monotonic = time.time, time.time_ns, time.monotonic
    _known = [0.0, 0]
    def _offset_s():
        if _monotonic() > _known[0]:
            try:
                _known[1] = int(open(_file).read() or 0)
            except (OSError, ValueError):
                _known[1] = 0
            _known[0] = _monotonic() + 0.5
        return _known[1]
    time.time = lambda: _time() + _offset_s()
    time.time_ns = lambda: _time_ns() + _offset_s() * 10**9
"""
"""The `sitecustomize` of the programs: their clock is ahead by the seconds in a file."""


class Repeating:
    """Calls a function again and again in a thread, unless it is paused."""

    def __init__(self, call: Callable[[], None], every_s: float) -> None:
        self.paused = False
        self._call, self._every_s = call, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            if not self.paused:
                with contextlib.suppress(OSError):
                    self._call()


class ConfigServer:
    """Serves a folder on a port of the loopback interface, unless it is stopped."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self.url = f"http://127.0.0.1:{port}/config.json"
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        """Serve."""
        handler = partial(_SilentHandler, directory=str(self._folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


class MeterRelay:
    """Copies the line of the simulated meter to a second port, until it is paused."""

    def __init__(self, source: Path, port: Path) -> None:
        self._source, self._line = source, -1
        self._port = MeterPort(port)
        self.copying = Repeating(self._copy, 0.01)

    def close(self) -> None:
        """Stop and close both ends."""
        self.copying.close()
        self._port.close()
        if self._line >= 0:
            os.close(self._line)

    def _copy(self) -> None:
        if self._line < 0:
            self._line = os.open(self._source, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            received = os.read(self._line, 4096)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if received:
            self._port.write(received)
        else:  # the simulator has ended; its successor makes a new port
            os.close(self._line)
            self._line = -1


class BrokenHouse:
    """A running house, and its faults.

    Attributes:
        log: everything that the house printed.
    """

    def __init__(
        self, directory: Path, path: Path, port: int, relay: MeterRelay, server: ConfigServer
    ) -> None:
        self.directory, self.config, self.port = directory, path, port
        self.relay, self.server = relay, server
        self.log = directory / "log.text"
        self.thermometer = directory / "thermometer"
        self.clocks = directory / "clocks"
        self.clocks.mkdir()
        (directory / "sitecustomize.py").write_text(CLOCK)
        self.heating = Repeating(lambda: self._write_temperature(), 1.0)
        self.environment = {
            **os.environ,
            "JPH_STATE": str(directory / "state"),
            "JPH_PORT": str(port),
            "JPH_PATIENCE": "10",
            "JPH_TEST_CLOCK": str(self.clocks),
            "PYTHONPATH": str(directory),
            "PYTHONUNBUFFERED": "1",
        }
        self.network = config.load(str(path))
        self.process = self._start()
        self.house = House(self.process, path, self.environment, port, [])
        self.address = HouseAddress(port, str(path), self.environment)

    def _write_temperature(self) -> None:
        self.thermometer.write_text(f"{18 + time.time() % 1:.2f}\n")

    def _start(self) -> "subprocess.Popen[str]":
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "control.py",
                    "--config",
                    self.server.url,
                    "up",
                    "--follow-parent",
                ],
                cwd=REPOSITORY,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        eventually(lambda: "\nready: " in self.log.read_text(), 3 * LIMIT_S)
        return process

    def close(self) -> None:
        """Stop the house."""
        self.heating.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(LIMIT_S)

    def pids(self) -> dict[str, int]:
        """Return the process of every node and store."""
        return {part: self.house.pid(part) for part in (*NODES, *STORES)}

    def tree(self, part: str) -> list[int]:
        """Return a process and all below it."""
        pid = self.house.pid(part)
        return [pid, *descendants(pid)]

    def signal(self, part: str, number: signal.Signals) -> None:
        """Send a signal to a node or store, and to the processes below it."""
        for pid in self.tree(part):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def command(self, *words: str) -> None:
        """Run a command of the console, which must succeed."""
        done = self.house.control(*words)
        assert done.returncode == 0, done

    def redis(self) -> "redis.Redis":
        """Return a client of the cache."""
        with self._state():
            return redis.Redis.from_url(stores.redis_url(self.network), socket_timeout=LIMIT_S)

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement in the history; return its rows."""
        with self._state():
            dsn = stores.postgres_dsn(self.network)
        with contextlib.closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def set_clock(self, node: str, ahead_s: int) -> None:
        """Let the clock of a node be ahead."""
        (self.clocks / node).write_text(str(ahead_s))

    def limit_files(self, limit: int) -> None:
        """Limit the size of files of all nodes, as a full disk does."""
        for node in NODES:
            for pid in self.tree(node):
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, -1))

    def forge(self) -> None:
        """Send an absurd current in the name of the meter."""
        now_ms = time.time_ns() // 10**6
        self._forged = getattr(self, "_forged", 0) + 1
        reading = Reading(self._forged, 99, now_ms, "d", "I1", "@@", 1, Quality.GOOD, FORGED_A)
        endpoint = self.network.multicast.data
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
            here = socket.inet_aton(INTERFACE_ADDRESS if in_namespace() else "127.0.0.1")
            out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
            out.sendto(encode_data(reading), (endpoint.address, endpoint.port))

    @contextlib.contextmanager
    def _state(self) -> Iterator[None]:
        before = os.environ.get("JPH_STATE")
        os.environ["JPH_STATE"] = self.environment["JPH_STATE"]
        try:
            yield
        finally:
            if before is None:
                del os.environ["JPH_STATE"]
            else:
                os.environ["JPH_STATE"] = before


def in_namespace() -> bool:
    """Return whether the buses have an interface of their own that may go down."""
    return (Path("/proc/thread-self/net/dev").read_text()).find(f"{INTERFACE}:") >= 0


@contextlib.contextmanager
def own_interface() -> Iterator[None]:
    """Put this thread into a network whose buses have an interface of their own."""
    with network_namespace():
        ip("link", "add", INTERFACE, "type", "veth", "peer", "name", PEER)
        ip("link", "set", PEER, "up")
        ip("addr", "add", f"{INTERFACE_ADDRESS}/24", "dev", INTERFACE)
        ip("link", "set", INTERFACE, "multicast", "on", "up")
        ip("route", "add", "224.0.0.0/4", "dev", INTERFACE)
        yield


@contextlib.contextmanager
def broken_house(directory: Path) -> Iterator[BrokenHouse]:
    """Run a demonstration house with its own ports in a directory."""
    document = json.loads((REPOSITORY / "static" / "config.json").read_text(encoding="utf-8"))
    without_past(document)
    # A thermostat switches heaters by itself: without it they want heat at any hour.
    document["Sensors"] = [s for s in document["Sensors"] if s["Codifier"] not in ("TH", "TK")]
    if in_namespace():
        document["Multicast"]["Interfaces"] = {"*": INTERFACE}
    port = directory / "relay"
    for sensor in document["Sensors"]:
        if sensor["Codifier"] == "TI":
            sensor["Sensor"]["Device"] = str(port)
        if sensor["Codifier"] == "C1":
            sensor["Sensor"]["Pipe"] = str(directory / "thermometer")
    with contextlib.ExitStack() as held:
        for channel in ("Control-Channel", "Data-Channel", "Log-Channel"):
            document["Multicast"][channel]["Port"] = held.enter_context(udp_port())
        page = held.enter_context(tcp_port())
        path = directory / "config.json"
        path.write_text(json.dumps(document), encoding="utf-8")
        relay = MeterRelay(directory / "state" / "house" / "meter", port)
        held.callback(relay.close)
        server = ConfigServer(directory, held.enter_context(tcp_port()))
        held.callback(server.stop)
        house = BrokenHouse(directory, path, page, relay, server)
        held.callback(house.close)
        yield house
