"""Fixtures of every test: a loopback network of its own, and running nodes on it."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from jph.config import model as config
from jph.config.model import Network
from jph.devices.i2c.bus import SocketBus
from tests.support import LIMIT_S, udp_port

pytest_plugins = ("tests.stores_fixtures",)

Document = dict[str, Any]
MakeDocument = Callable[..., Document]


# The same examples at each run, however slow the machine is: none shall fail by chance.
# JPH_EXPLORE=1 looks for new ones.
settings.register_profile(
    "steady",
    derandomize=os.environ.get("JPH_EXPLORE") != "1",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

# A runner in the background may ignore these, and then so would every program that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a state directory of its own, and no settings from the environment."""
    for name in ("CONFIG", "SENSOR", "DEBUG", "SILENT", "INTERFACE", "PATIENCE", "PORT"):
        monkeypatch.delenv(f"JPH_{name}", raising=False)
    directory = tmp_path / "state"
    monkeypatch.setenv("JPH_STATE", str(directory))
    return directory


@pytest.fixture(autouse=True)
def patient_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a chip that a test serves take its time: its thread may not have the processor yet."""
    monkeypatch.setattr(SocketBus.__init__, "__defaults__", (LIMIT_S,))


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    """Yield two UDP ports that no other test uses while this one runs."""
    with udp_port() as control, udp_port() as data:
        yield control, data


@pytest.fixture
def document(ports: tuple[int, int]) -> MakeDocument:
    """Return a maker of configs on the loopback interface: `document(sensor, …, **top_level)`."""

    def make(*sensors: Document, **top_level: Any) -> Document:
        multicast = {
            "Control-Channel": {"Address": "239.255.91.1", "Port": ports[0]},
            "Data-Channel": {"Address": "239.255.91.2", "Port": ports[1]},
            "Interfaces": {"*": "lo"},
            "TTL": 0,
        }
        multicast |= top_level.pop("Multicast", {})
        return {"Multicast": multicast, "Sensors": list(sensors), **top_level}

    return make


@pytest.fixture
def network(document: MakeDocument) -> Callable[..., Network]:
    """Return a maker of Networks, with the arguments of `document`."""

    def make(*sensors: Document, **top_level: Any) -> Network:
        return config.parse(json.dumps(document(*sensors, **top_level)).encode())

    return make


@pytest.fixture
def config_file(document: MakeDocument, tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of config files, with the arguments of `document`."""

    def write(*sensors: Document, **top_level: Any) -> Path:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(document(*sensors, **top_level)), encoding="utf-8")
        return path

    return write
