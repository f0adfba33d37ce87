"""The README's steps for three Raspberry Pis, on three hosts; a link cut, a config server down.

Each host is a network namespace with its own name. The meter and the chips are simulated; every
program is started as the README says, with the config from a web server on one of the hosts.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jph.sim.chips.i2cbus import I2cBus
from jph.sim.chips.server import I2cServer
from jph.sim.meter.frames import ETX, LONG_FRAME, STX, group, with_parity
from jph.sim.meter.port import MeterPort
from jph.sim.meter.register import Register
from tests.faults.broken_house import Repeating
from tests.faults.lan import Lan, Program
from tests.faults.tally import wait_for
from tests.support import LIMIT_S, REPOSITORY, children

pytestmark = pytest.mark.faults
HOSTS = {
    "pi-meter": ["TI", "SH", "C1"],
    "pi-cellar": ["P1", "P2", "P3"],
    "pi-page": ["R1", "Q1", "Q2", "CF", "FR", "SP", "SC", "TH", "MQ"],
}
"""As in the README."""
GONE = ("HO", "TO")
PORT = 8000


class Pis:
    """Three hosts, the config that they share, and the programs on them."""

    def __init__(self, network: Lan, meter: Path, chips: Path) -> None:
        self.hosts = {name: network.host(name) for name in HOSTS}
        self._web = network.directory / "web"
        self._web.mkdir()
        document = config(meter, chips)
        (self._web / "config.json").write_text(json.dumps(document), encoding="utf-8")
        self.url = f"http://{self.hosts['pi-page'].address}:{PORT}/config.json"
        self.server = self.serve()
        self.ups = {name: self.up(name) for name in HOSTS}

    def serve(self) -> Program:
        """Start the web server of the config."""
        address = self.hosts["pi-page"].address
        words = ("-m", "http.server", str(PORT), "--bind", address, "--directory", str(self._web))
        return self.hosts["pi-page"].run(*words)

    def up(self, name: str) -> Program:
        """Run `up` on a host of that name."""
        return self.hosts[name].run(
            *("-m", "tests.faults.named", name),
            *("control.py", "--config", self.url, "up"),
            PYTHONUNBUFFERED="1",
            JPH_PATIENCE="10",
        )

    def answers(self, name: str, code: str) -> bool:
        """Return whether a codifier answers a ping from a host."""
        words = ("control.py", "--config", self.url, "ping", code)
        return self.hosts[name].run(*words).process.wait(LIMIT_S) == 0

    def pid(self, name: str, code: str) -> int:
        """Return the process of a node on a host."""
        for pid in children(self.ups[name].process.pid):
            words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
            if words[-1] == code:
                return pid
        return 0

    def said(self, name: str) -> str:
        """Return everything that the programs of a host printed."""
        return self.ups[name].said()


def config(meter: Path, chips: Path) -> dict[str, Any]:
    """Return the demonstration's config, changed as the README says."""
    document: dict[str, Any] = json.loads((REPOSITORY / "static" / "config.json").read_text())
    del document["Multicast"]["Interfaces"], document["Multicast"]["TTL"]
    document["Hosts"] = HOSTS
    simulated = {s["Codifier"] for s in document["Sensors"] if s["Codifier"] in GONE}
    simulated |= {
        s["Codifier"] for s in document["Sensors"] if s.get("Sensor", {}).get("Codifier") == "HO"
    }
    document["Sensors"] = [s for s in document["Sensors"] if s["Codifier"] not in simulated]
    for room in document["Rooms"]:
        room["Thermometers"] = []
    for sensor in document["Sensors"]:
        if sensor["Codifier"] == "TI":
            sensor["Sensor"]["Device"] = str(meter)
        if sensor["Type"] == "PilotCard":
            sensor["Sensor"]["Bus"] = f"unix:{chips}"
    return document


@pytest.fixture
def pis(network: Lan, tmp_path: Path) -> Iterator[Pis]:
    register = Register("021234567890", 30)
    groups = b"".join(group(label, register.value(label)) for label in LONG_FRAME)
    port = MeterPort(tmp_path / "meter")
    meter = Repeating(lambda: port.write(with_parity(STX + groups + ETX)), 2.0)
    chips = I2cServer(tmp_path / "i2c.sock", I2cBus((32, 33, 34)))
    chips.start()
    try:
        yield Pis(network, tmp_path / "meter", tmp_path / "i2c.sock")
    finally:
        meter.close()
        port.close()
        chips.close()


def test_three_pis_as_the_readme_says_with_a_cut_link_and_no_config_server(pis: Pis) -> None:
    for name in HOSTS:
        wait_for(lambda n=name: "ready: " in pis.said(n), 3 * LIMIT_S, f"{name} ready")
    for code in ("TI", "P1", "R1"):
        for name in HOSTS:
            wait_for(lambda n=name, c=code: pis.answers(n, c), LIMIT_S, f"{code} heard on {name}")

    pis.hosts["pi-meter"].link(up=False)
    wait_for(lambda: not pis.answers("pi-page", "TI"), LIMIT_S, "the meter cut off")
    assert pis.answers("pi-page", "P1")
    pis.hosts["pi-meter"].link(up=True)
    wait_for(lambda: pis.answers("pi-page", "TI"), 2 * LIMIT_S, "the meter back")

    pis.server.kill()
    before = pis.pid("pi-cellar", "P1")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: pis.pid("pi-cellar", "P1") not in (0, before), LIMIT_S, "the card restarted")
    pis.serve()
    wait_for(lambda: pis.answers("pi-page", "P1"), 2 * LIMIT_S, "the card back")
