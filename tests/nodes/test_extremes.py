"""Extreme values on the data bus end no node and fail no hook: each consumer declares its range."""

import json
from pathlib import Path

import pytest

from jph.config.model import Network, Sensor
from jph.recorder import recording_files
from jph.wire.codec import Json, Value
from nodes.jphredis import JphRedis
from nodes.pilotcard import PilotCard
from nodes.pool import Pool
from nodes.recorder import Recorder
from nodes.shedding import Shedding
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Probe, element, house
from tests.stores_fixtures import short_directory
from tests.support import running, until

EXTREMES: tuple[Value | bool, ...] = (
    *(sign * value for value in (1e308, 5e-324, 1e15, 2.0**63, 5.6e18, 1e9) for sign in (1, -1)),
    *(2**63 - 1, -(2**63), 2**31, -1, -0.0, 0.5, True, "", "1e400", "nan", "x" * 1000, "9" * 400),
    *(Json(text) for text in ('{"value": 1e308}', '{"value": 1e400}', "[1e400]", "-1e999")),
)
SOURCES = ("I1", "I2", "IS", "W2", "S1", "S2", "TW")


def full_house(chip: I2CServer) -> Network:
    network = house({"Bus": chip.bus, "Meter": {"1": "I1"}})
    pool = {"Temperature": "TW"}
    network.sensors.extend(
        (
            Sensor(codifier="FR", type="Recorder", sensor_interval=0.2),
            Sensor(codifier="R1", type="jphRedis", sensor_interval=0.2),
            Sensor(codifier="PO", type="Pool", sensor_interval=0.2, sensor=pool),
            element("TW", "TI"),
        )
    )
    return network


async def test_extreme_values_fail_no_hook(state: Path, caplog: pytest.LogCaptureFixture) -> None:
    with short_directory() as directory:
        chip = I2CServer(directory / "i2c")
        try:
            network = full_house(chip)
            probe = Probe("TI", network)
            nodes = [
                Shedding("SH", network),
                PilotCard("P1", network),
                Recorder("FR", network),
                Pool("PO", network),
                JphRedis("R1", network),
            ]
            async with running(probe, *nodes):
                await until(lambda: {"SH", "P1", "FR", "PO"} <= {r.source for r in probe.heard})
                for value in EXTREMES:
                    for source in SOURCES:
                        probe.send(value, codifier=source)
                    probe.send(31.5, codifier="I1")  # an overrun among them
                probe.heard.clear()
                await until(lambda: {"SH", "P1", "FR", "PO"} <= {r.source for r in probe.heard})
        finally:
            chip.close()
    assert [text for text in caplog.messages if "failed" in text] == []
    overruns = state / "record" / recording_files.OVERRUNS
    for line in overruns.read_text().splitlines() if overruns.exists() else ():
        assert json.loads(line)["peak_a"] <= 1000
