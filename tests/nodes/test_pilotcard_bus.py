"""A pilot card on a bad I2C bus: one that disturbs transfers, one that hangs."""

import asyncio
import errno
import random
import time
from pathlib import Path

import pytest

from jph.config.model import expand
from jph.devices.i2c import bus_thread
from jph.devices.i2c.bus import SocketBus
from jph.sim.chips.i2cbus import I2cBus, Outputs
from jph.sim.chips.server import I2cServer
from nodes import pilotcard
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Probe, house, living
from tests.nodes.pilothouse import PilotCard, chip_shows
from tests.support import LIMIT_S, until

CHIP = 0x20
SHEDS = 150


@pytest.fixture(autouse=True)
def directory(state: Path) -> None:
    state.mkdir()


class DisturbedBus(I2cBus):
    """Lose one transfer of ten, as EREMOTEIO; `outputs` are the present levels of the chip."""

    def __init__(self) -> None:
        super().__init__([CHIP], self._take)
        self.outputs: Outputs = (0, 0)
        self.lost = 0
        self._random = random.Random(5)

    def transfer(self, request: bytes) -> bytes:
        if self._random.random() < 0.1:
            self.lost += 1
            return bytes((errno.EREMOTEIO,))
        return super().transfer(request)

    def _take(self, address: int, outputs: Outputs) -> None:
        self.outputs = outputs


class Pulse:
    """Measure the longest pause of the event loop: a busy machine is not the card."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    async def beat(self) -> None:
        while True:
            began_s = time.monotonic()
            await asyncio.sleep(0.005)
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)


async def test_a_shed_reaches_the_output_within_a_second_on_a_disturbed_bus(
    tmp_path: Path,
) -> None:
    bus = DisturbedBus()
    server = I2cServer(tmp_path / "i2c.sock", bus)
    server.start()
    network = house({"Bus": f"unix:{server.path}", "Address": CHIP})
    probe, pulse = Probe("TI", network), Pulse()
    beating = asyncio.create_task(pulse.beat())
    slowest_s = 0.0
    try:
        async with living(probe, pilotcard.PilotCard("P1", network)):
            await probe.until_heard("11", 0)
            for number in range(SHEDS):
                mask = number % 2
                sent_s = time.monotonic()
                probe.send(1 - mask, codifier="S1")
                await until(lambda wanted=mask: bool(bus.outputs[0]) != bool(wanted))
                slowest_s = max(slowest_s, time.monotonic() - sent_s)
    finally:
        beating.cancel()
        server.close()
    assert bus.lost > SHEDS / 10
    assert slowest_s - 3 * pulse.longest_s < 1.0


async def answers_ping(probe: Probe, number: int) -> None:
    probe.send_control("P", "P1", number)
    await probe.until(lambda: any(m.flag == "T" and m.number == number for m in probe.controls))


async def test_a_bus_that_hangs_keeps_no_mask_from_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        pilotcard, "open_bus", lambda bus: SocketBus(expand(bus).removeprefix("unix:"), LIMIT_S)
    )
    monkeypatch.setattr(bus_thread, "TRANSFER_LIMIT_S", LIMIT_S)
    chip = I2CServer(tmp_path / "i2c.sock")
    network = house({"Bus": chip.bus})
    probe, card = Probe("TI", network), PilotCard("P1", network)
    try:
        async with living(probe, card):
            await probe.until_heard("11", 0)
            chip.answers.clear()
            probe.send(0b01, codifier="S1")
            await answers_ping(probe, 7)  # while the write of the mask hangs
            await answers_ping(probe, 8)
            assert chip.latches == (0, 0)
            probe.send(0b11, codifier="S1")
            await answers_ping(probe, 9)
            chip.answers.set()
            await chip_shows(chip, lambda: chip.latches == (0b0101, 0))  # the newest mask
            await probe.until_heard("11", 0)
    finally:
        chip.close()
