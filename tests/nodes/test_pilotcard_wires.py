"""Ordered, applied, verified; pulses, power-on orders and what happens without masks."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jph.wire.codec import Quality
from nodes import pilotcard
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Clock, Probe, living
from tests.nodes.pilothouse import PilotCard, chip_shows, full_house, orders_file, state_of


@pytest.fixture(autouse=True)
def directory(state: Path) -> None:
    state.mkdir()


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


async def test_ordered_applied_and_verified(chip: I2CServer) -> None:
    probe = Probe("TI", full_house(chip))
    async with living(probe, PilotCard("P1", probe.network)):
        probe.send_control("A", "11", 3)
        for code in ("11", "A1", "V1"):
            await probe.until_heard(code, 3)
        probe.send(1, codifier="S1")
        for code in ("A1", "V1"):
            await probe.until_heard(code, 1)
        assert probe.says("11", 3)
        state = await state_of(probe, "11", ordered=3, by="TI", applied=1, verified=1, shed=True)
        assert state["value"] == 0
        assert state["chip"] is True
        assert state["leases"] == {"1": "live", "2": "live"}
        assert abs(state["wires"]["11"]["at_ms"] - time.time() * 1000) < 60_000
        assert state["wires"]["12"] == {
            "ordered": 0,
            "by": None,
            "at_ms": None,
            "until_ms": None,
            "then": None,
            "applied": 0,
            "verified": 0,
            "shed": False,
        }


async def test_who_ordered_survives_a_restart(chip: I2CServer) -> None:
    probe = Probe("TI", full_house(chip))
    async with living(probe):
        async with living(PilotCard("P1", probe.network)):
            probe.send_control("A", "12", 2)
            await probe.until_heard("12", 2)
            before = (await state_of(probe, "12", by="TI"))["wires"]["12"]
        probe.heard.clear()
        async with living(PilotCard("P1", probe.network)):
            await state_of(probe, "12", at_ms=before["at_ms"], by="TI", verified=2)


async def test_the_pins_are_what_is_verified(
    chip: I2CServer, caplog: pytest.LogCaptureFixture
) -> None:
    chip.stuck_low = 0b01
    probe = Probe("TI", full_house(chip))
    async with living(probe, PilotCard("P1", probe.network)):
        probe.send_control("A", "11", 3)
        await probe.until_heard("A1", 3)
        await probe.until_heard("V1", 2)  # only the negative half-waves come out: frost
        state = await state_of(probe, "11", applied=3, verified=2)
        assert state["faults"]["pins"] == state["value"] > 0
        setups = [block for register, block in chip.writes if register == 0x00]
        assert len(setups) > 1  # it was set up again
        chip.stuck_low = 0
        await probe.until_heard("V1", 3)


async def test_while_the_chip_is_away_all_is_stale(chip: I2CServer) -> None:
    probe = Probe("TI", full_house(chip))
    async with living(probe, PilotCard("P1", probe.network)):
        await probe.until_heard("V1", 0)
        chip.absent = True
        for code in ("11", "A1", "V1"):
            await probe.until_heard(code, 0, Quality.STALE)
        await probe.until(lambda: '"chip":false' in str((last := probe.last("K1")) and last.value))


async def test_who_pings_the_card_is_told_everything(chip: I2CServer) -> None:
    probe = Probe("TI", full_house(chip))
    async with living(probe, PilotCard("P1", probe.network)):
        await state_of(probe, "11", applied=0, verified=0)
        for _ in range(2):
            probe.heard.clear()
            probe.send_control("P", "P1", 7)
            await state_of(probe, "11", applied=0, verified=0)


async def test_comfort_minus_one_is_timed_by_the_node(
    chip: I2CServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, pilotcard)
    probe = Probe("TI", full_house(chip, Hold=9000, MeterHold=9000))
    card = PilotCard("P1", probe.network)
    async with living(probe, card):
        await probe.until_heard("11", 0)
        probe.send_control("A", "11", 4)
        await chip_shows(chip, lambda: chip.latches == (0b11, 0))
        for later_s, before, after in ((3, 0b11, 0), (297, 0, 0b11), (3, 0b11, 0)):
            clock.now_s += later_s - 0.1
            await card.tended()
            assert chip.latches == (before, 0)
            clock.now_s += 0.2
            await chip_shows(chip, lambda latches=(after, 0): chip.latches == latches)
            clock.now_s -= 0.1
        clock.now_s += 1
        for code in ("11", "A1", "V1"):
            await probe.until_heard(code, 4)
        await probe.until_heard("P1", 0)


async def test_a_relay_is_spared_and_who_asked_is_told(
    chip: I2CServer, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Probe("TI", full_house(chip))
    async with living(probe, PilotCard("P1", probe.network)):
        await probe.until_heard("12", 0)
        heard = len(probe.heard)
        probe.send_control("A", "12", 5)
        await probe.until(lambda: any(r.source == "12" for r in probe.heard[heard:]))
        await probe.until(lambda: "the wire has no SolidState" in caplog.text)
        assert probe.says("12", 0)
    assert "order for 12 from TI refused: comfort-2 would wear out a relay" in caplog.text


async def test_power_on_orders_after_a_power_cut_only(chip: I2CServer, state: Path) -> None:
    network = full_house(chip, {"PowerOn": "eco"}, {"PowerOn": "frost"}, {"PowerOn": "last"})
    probe = Probe("TI", network)
    async with living(probe):
        async with living(PilotCard("P1", network)):
            for code in ("11", "12", "13"):
                probe.send_control("A", code, 1)
                await probe.until_heard(code, 1)
        probe.heard.clear()
        async with living(PilotCard("P1", network)):  # the chip kept its power
            for code in ("11", "12", "13"):
                await probe.until_heard(code, 1)
        chip.power_on()
        chip.writes.clear()
        probe.heard.clear()
        async with living(PilotCard("P1", network)):
            for code, order in (("11", 3), ("12", 2), ("13", 1)):
                await probe.until_heard(code, order)
            kept = {"11": 3, "12": 2, "13": 1}
            await probe.until(lambda: kept.items() <= orders_file(state).items())
            await state_of(probe, "12", ordered=2, by="P1")
    latches = {block for register, block in chip.writes if register == 0x14}
    assert latches == {b"\x1b\x00"}


async def test_an_order_counts_more_than_a_power_on_order(chip: I2CServer) -> None:
    network = full_house(chip, {"PowerOn": "eco"}, {"PowerOn": "eco"})
    chip.absent = True
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 3, Quality.STALE)  # no order since the start
        probe.send_control("A", "11", 2)
        await probe.until_heard("11", 2, Quality.STALE)
        chip.absent = False
        await probe.until_heard("12", 3)
        assert chip.latches == (0b1110, 0)


async def test_without_masks_a_safe_share_goes_on_and_masks_bring_all_back(
    chip: I2CServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, pilotcard)
    network = full_house(chip, {}, {"Priority": 2}, {"Priority": 3}, Hold=60, ReleaseInterval=20)
    network.sensor("P1").sensor["Shed"] = {"1": "S1", "2": "S2"}
    probe, card = Probe("TI", network), PilotCard("P1", network)
    async with living(probe, card):
        await probe.until_heard("11", 0)
        clock.now_s += 60
        # 12 and 13 on phase 1, 15 and 16 on phase 2
        await chip_shows(chip, lambda: chip.latches == (0b01_00_00_01, 0b01_01_00_00))
        clock.now_s += 1
        await state_of(probe, "14", shed=True, applied=1)
        assert json.loads(str(probe.last("K1").value))["leases"]["1"] == "share"  # type: ignore[union-attr]
        probe.send(0, codifier="S1")
        await chip_shows(chip, lambda: chip.latches[0] == 0b01_00_00_00)
        clock.now_s += 19
        await card.tended()
        assert chip.latches[0] == 0b01_00_00_00
        clock.now_s += 1
        await chip_shows(chip, lambda: chip.latches[0] == 0)
        assert chip.latches[1] == 0b01_01_00_00  # phase 2 has heard nothing


async def test_a_shedder_without_a_meter_is_not_enough(
    chip: I2CServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, pilotcard)
    network = full_house(chip, Meter={"1": "I1"}, MeterHold=30, Hold=60, Then="orders")
    probe, card = Probe("TI", network), PilotCard("P1", network)
    async with living(probe, card):
        await probe.until_heard("11", 0)
        clock.now_s += 29
        probe.send(0, codifier="S1")
        await card.tended()
        assert chip.latches[0] == 0
        clock.now_s += 1
        await chip_shows(chip, lambda: chip.latches[0] == 0b01_01_00_00)
        probe.send(5, codifier="I1", quality=Quality.STALE)
        probe.send(0, codifier="S1")
        clock.now_s += 1
        await state_of(probe, "13", shed=True)
        assert chip.latches[0] == 0b01_01_00_00
        probe.send(5, codifier="I1")
        await chip_shows(chip, lambda: chip.latches[0] == 0b01_00_00_00)
