"""Free ports, and configs on buses of their own on the loopback interface."""

import contextlib
import json
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
GROUP: Final = "239.255.77.1"
DATA_GROUP: Final = "239.255.77.2"
WAIT_LIMIT_S: Final = 60.0
_held: Final[list[socket.socket]] = []

Json = dict[str, Any]


def bus_port() -> int:
    """Return a UDP port for a bus; no other program gets it until this one ends."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", 0))
    # After the bind: the kernel chose a free port, and the nodes may now share it.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(holder)
    return int(holder.getsockname()[1])


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port that is free now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until a program accepts connections on a TCP port.

    Raises:
        SystemExit: no program listens.
    """
    end_s = time.monotonic() + WAIT_LIMIT_S
    while time.monotonic() < end_s:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise SystemExit(f"no program listens on port {port}; see its messages above")


def buses() -> Json:
    """Return the `Multicast` part of a config: two new buses on the loopback interface."""
    return {
        "Control-Channel": {"Address": GROUP, "Port": bus_port()},
        "Data-Channel": {"Address": DATA_GROUP, "Port": bus_port()},
        "Interfaces": {"*": "lo"},
        "TTL": 0,
    }


def config(sensors: Sequence[Json]) -> Json:
    """Return a config of these sensors on new buses; warnings go to the terminal."""
    logs = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"], "level": "WARNING"},
    }
    return {"Multicast": buses(), "Logging": logs, "Sensors": list(sensors)}


def proxies(parents: dict[str, str]) -> list[Json]:
    """Return an element for each codifier, with the node that sends it."""
    return [
        {"Codifier": code, "Type": "Proxy", "Sensor": {"Codifier": node}}
        for code, node in parents.items()
    ]


def demonstration(
    settings: dict[str, Json] | None = None, *, without: Sequence[str] = (), **parts: Json
) -> Json:
    """Return the demonstration's config on new buses.

    `settings` are added to the sensors of a codifier or type, `without` names types to leave out,
    `parts` replace parts of the config.
    """
    demo: Json = json.loads((ROOT / "static" / "config.json").read_text(encoding="utf-8"))
    demo["Multicast"] |= {name: channel for name, channel in buses().items() if "Channel" in name}
    demo["Sensors"] = [sensor for sensor in demo["Sensors"] if sensor["Type"] not in without]
    # A thermostat switches heaters by itself: without it they want heat at any hour.
    demo["Sensors"] = [s for s in demo["Sensors"] if s["Codifier"] not in ("TH", "TK")]
    for sensor in demo["Sensors"]:
        if sensor["Type"] == "Schedule":
            sensor["Sensor"].pop("First", None)  # every room wishes comfort at any hour
        for key in (sensor["Type"], sensor["Codifier"]):
            sensor["Sensor"] = {**sensor.get("Sensor", {}), **(settings or {}).get(key, {})}
    return {**demo, **parts}


def write(document: Json, directory: Path) -> Path:
    """Write a config into a directory and return its path."""
    path = directory / "config.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path
