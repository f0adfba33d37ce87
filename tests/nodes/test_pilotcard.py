import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import ConfigError
from jph.heating.orders.coding import Order, number_of
from jph.node.node import now_ms
from jph.util import durable
from jph.wire.codec import Quality
from nodes import pilotcard
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Clock, Probe, house, living
from tests.nodes.pilothouse import PilotCard, chip_shows, orders_file
from tests.support import LIMIT_S, until


@pytest.fixture(autouse=True)
def directory(state: Path) -> None:
    state.mkdir()


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def network(chip: I2CServer) -> Network:
    return house({"Bus": chip.bus})


async def test_an_order_is_durable_carried_out_and_told(
    chip: I2CServer, network: Network, state: Path
) -> None:
    probe, card = Probe("TI", network), PilotCard("P1", network)
    async with living(probe, card):
        await probe.until_heard("11", 0)
        probe.send_control("A", "11", 3)
        await probe.until_heard("11", 3)
        assert orders_file(state)["11"] == 3
        assert chip.latches == (0b11, 0)
        probe.send_control("E", "11", -1)
        await probe.until_heard("11", 2)
        assert orders_file(state)["11"] == 2
        assert chip.latches == (0b10, 0)
        await probe.until_heard("P1", 0)


async def test_steps_add_up_even_while_the_disk_is_busy(chip: I2CServer, network: Network) -> None:
    probe, card = Probe("TI", network), PilotCard("P1", network)
    async with living(probe, card):
        await probe.until_heard("18", 0)
        for _ in range(3):
            probe.send_control("E", "18", 1)
        await probe.until_heard("18", 3)
        assert chip.latches == (0, 0b1100_0000)


@pytest.mark.parametrize(("flag", "number"), [("A", 4), ("A", 0.5), ("A", -1), ("E", 4), ("E", -1)])
async def test_what_is_no_order_is_refused(
    network: Network, state: Path, caplog: pytest.LogCaptureFixture, flag: str, number: float
) -> None:
    probe, card = Probe("TI", network), PilotCard("P1", network)
    async with living(probe, card):
        probe.send_control(flag, "11", number)
        probe.send_control("A", "12", 1)
        await probe.until_heard("12", 1)
        assert probe.says("11", 0)
        assert orders_file(state)["11"] == 0
    assert "order for 11 from TI refused" in caplog.text


async def test_orders_survive_a_restart(chip: I2CServer, network: Network) -> None:
    probe = Probe("TI", network)
    async with living(probe):
        async with living(PilotCard("P1", network)):
            probe.send_control("A", "15", 3)
            await probe.until_heard("15", 3)
            await chip_shows(chip, lambda: chip.latches == (0, 0b11))
        chip.power_on()
        probe.heard.clear()
        chip.writes.clear()
        async with living(PilotCard("P1", network)):
            await probe.until_heard("15", 3)
            assert chip.drives
            assert chip.latches == (0, 0b11)
    latches = [block for register, block in chip.writes if register >= 0x14]
    assert set(latches) == {b"\x00\x03"}  # never anything else in between


@pytest.mark.parametrize("content", ["{", "[1]", "\0" * 30])
async def test_a_corrupt_file_is_set_aside_and_told(
    network: Network, state: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (state / "orders").mkdir()
    (state / "orders" / "P1.json").write_text(content)
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        await probe.until_heard("P1", 1)
    assert (state / "orders" / "P1.json.damaged").read_text() == content
    assert "P1.json.damaged" in caplog.text


async def test_one_bad_stored_order_costs_only_itself(network: Network, state: Path) -> None:
    (state / "orders").mkdir()
    bad = {"11": 7, "12": "warm", "13": None, "14": 3, "ZZ": 1}
    (state / "orders" / "P1.json").write_text(json.dumps(bad))
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("14", 3)
        assert [probe.says(code, 0) for code in ("11", "12", "13")] == [True] * 3
        await probe.until_heard("P1", 3)


async def test_an_order_that_cannot_be_kept_is_not_acknowledged(
    chip: I2CServer, network: Network, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (state / "orders").write_text("a file where the directory should be")
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        before = len(probe.heard)
        probe.send_control("A", "11", 1)
        await probe.until(lambda: any(r.source == "11" for r in probe.heard[before:]))
        await probe.until(lambda: "orders refused" in caplog.text)
        assert probe.says("11", 0)
        assert chip.latches == (0, 0)


async def test_a_mask_is_one_write_of_the_ports_that_change(
    chip: I2CServer, network: Network
) -> None:
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        chip.writes.clear()
        probe.send(0b0011, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b0101, 0))
        probe.send(0b1000, codifier="S2")
        await chip_shows(chip, lambda: chip.latches == (0b0101, 0b0100_0000))
        probe.send_many([("S1", 0b0001), ("S2", 0)])
        await chip_shows(chip, lambda: chip.latches == (0b0001, 0))
        probe.send(0b0001, codifier="S1")  # a heartbeat writes nothing
        probe.send(0b0000, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0, 0))
    both = [(0x14, b"\x01\x00")]
    one_by_one = [(0x14, b"\x01"), (0x15, b"\x00")]
    assert chip.writes[:2] == [(0x14, b"\x05"), (0x15, b"\x40")]
    assert chip.writes[2:-1] in (both, one_by_one)  # the kernel may deliver them apart
    assert chip.writes[-1] == (0x14, b"\x00")


async def test_an_order_during_a_shed_takes_effect_at_its_end(
    chip: I2CServer, network: Network
) -> None:
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        probe.send(1, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b01, 0))
        probe.send_control("A", "11", 3)
        await probe.until_heard("11", 3)
        assert chip.latches == (0b01, 0)
        probe.send(0, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b11, 0))


@pytest.mark.parametrize("mask", [-1, 0.5, 2.0**63, "much"])
async def test_what_is_no_mask_changes_nothing(
    chip: I2CServer, network: Network, caplog: pytest.LogCaptureFixture, mask: float | str
) -> None:
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        probe.send(0b10, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b0100, 0))
        probe.send(mask, codifier="S1")
        probe.send(0b1, codifier="S2")
        await chip_shows(chip, lambda: chip.latches == (0b0100, 0b01))
    assert "S1 is no mask" in caplog.text


async def test_a_second_program_that_sends_a_mask_is_ignored_and_logged(
    chip: I2CServer, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    shedder, stranger, card = Probe("TI", network), Probe("SH", network), PilotCard("P1", network)
    async with living(shedder, stranger, card):
        await shedder.until_heard("11", 0)
        shedder.send(0b0001, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b01, 0))
        chip.writes.clear()
        stranger.send(0, codifier="S1")
        await until(lambda: "a second program" in caplog.text)
        shedder.send(0b0011, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b01_01, 0))
    assert [block for register, block in chip.writes if register == 0x14] == [b"\x05"]


async def test_a_restarted_shedder_sheds_at_once(chip: I2CServer, network: Network) -> None:
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        old = Probe("SH", network)
        async with living(old):
            old.send(0b0001, codifier="S1")
            await chip_shows(chip, lambda: chip.latches == (0b01, 0))
        new = Probe("SH", network)
        async with living(new):
            new.send(0b0010, codifier="S1")
            await chip_shows(chip, lambda: chip.latches == (0b01_01, 0))


@pytest.mark.parametrize(
    ("card", "wire", "latches"), [(True, None, (0xFE, 0xFF)), (False, True, (0b10, 0))]
)
async def test_a_board_that_pulls_at_0(
    chip: I2CServer, card: bool, wire: bool | None, latches: tuple[int, int]
) -> None:
    network = house({"Bus": chip.bus, "ActiveLow": card})
    if wire is not None:
        entry = next(sensor for sensor in network.sensors if sensor.codifier == "P1")
        entry.sensor["Wires"][0]["ActiveLow"] = wire
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        probe.send(0b0001, codifier="S1")  # heater 11 is off: the positive half-wave
        await chip_shows(chip, lambda: chip.latches == latches)


async def test_a_silent_shedder_is_held_and_then_released(
    chip: I2CServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, pilotcard)
    network = house({"Bus": chip.bus, "Hold": 30, "ReleaseInterval": 10, "Share": 1})
    probe, card = Probe("TI", network), PilotCard("P1", network)
    async with living(probe, card):
        await probe.until_heard("11", 0)
        probe.send(0b0111, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b01_01_01, 0))
        for later_s, before, after in (
            (30, 0b01_01_01, 0b01_01_00),
            (10, 0b01_01_00, 0b01_00_00),
            (10, 0b01_00_00, 0),
        ):
            clock.now_s += later_s - 1
            await card.tended()
            assert chip.latches == (before, 0)
            clock.now_s += 1
            await chip_shows(chip, lambda latches=(after, 0): chip.latches == latches)


async def test_a_restarted_card_does_not_let_everything_back(chip: I2CServer) -> None:
    network = house({"Bus": chip.bus, "ReleaseInterval": 0.1})
    probe = Probe("TI", network)
    async with living(probe):
        async with living(PilotCard("P1", network)):
            await probe.until_heard("11", 0)
            probe.send(0b1111, codifier="S1")
            await chip_shows(chip, lambda: chip.latches == (0b0101_0101, 0))
        chip.writes.clear()
        probe.heard.clear()
        async with living(PilotCard("P1", network)):
            await probe.until_heard("11", 0)
            assert chip.latches == (0b0101_0101, 0)
            probe.send(0b0001, codifier="S1")
            await chip_shows(chip, lambda: chip.latches == (0b01, 0))
    assert [block for register, block in chip.writes if register == 0x14][-3:] == [
        b"\x51",
        b"\x41",
        b"\x01",
    ]  # one at a time


async def test_a_disturbed_chip_is_repaired_counted_and_told(
    chip: I2CServer, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        probe.send_control("A", "11", 3)
        await probe.until_heard("11", 3)
        with chip.changed:
            chip.registers[0x14] = 0x55
        await chip_shows(chip, lambda: chip.latches == (0b11, 0))
        await probe.until_heard("P1", 1)
        with chip.changed:
            chip.power_on()
        await chip_shows(chip, lambda: chip.latches == (0b11, 0) and chip.drives)
        await probe.until_heard("P1", 2)
    assert "lost its state" in caplog.text


async def test_a_shorted_wire_is_told(
    chip: I2CServer, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    chip.stuck_low = 0b01
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        probe.send_control("A", "11", 1)
        await probe.until(lambda: (last := probe.last("P1")) and last.value != 0)
    assert "pins do not follow" in caplog.text


async def test_a_chip_that_goes_and_comes_is_told_once_each(
    chip: I2CServer, network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0)
        chip.absent = True
        await probe.until_heard("11", 0, Quality.STALE)
        probe.send_control("A", "11", 2)  # orders are taken meanwhile
        probe.send(0b10, codifier="S1")  # and sheds
        await probe.until_heard("11", 2, Quality.STALE)
        chip.absent = False
        await probe.until_heard("11", 2)
        assert chip.latches == (0b0110, 0)
        await probe.until_heard("P1", 1)
    messages = [record.getMessage() for record in caplog.records]
    assert len([text for text in messages if "trying again" in text]) == 1
    assert messages.count("the chip answers again") == 1
    assert "MCP23017 at 0x20 of I2C bus unix:" in caplog.text


async def test_without_a_bus_the_node_lives_and_says_so(state: Path) -> None:
    network = house({"Bus": "unix:$JPH_STATE/i2c.sock"})
    probe = Probe("TI", network)
    async with living(probe, PilotCard("P1", network)):
        await probe.until_heard("11", 0, Quality.STALE)
        probe.send_control("P", "P1", 7)
        await probe.until(lambda: any(m.flag == "T" and m.number == 7 for m in probe.controls))
        server = I2CServer(state / "i2c.sock")
        try:
            await probe.until_heard("11", 0)
            assert server.drives
        finally:
            server.close()


async def test_contradictory_wiring_is_refused_at_the_start(chip: I2CServer) -> None:
    twice = {"Codifier": "11", "Wire": 1, "Phase": 1}
    network = house({"Bus": chip.bus, "Wires": [twice, {**twice, "Codifier": "12"}]})
    with pytest.raises(ConfigError, match="wire 1 already has heater 11"):
        await PilotCard("P1", network).run()


async def test_new_wiring_keeps_orders_and_sheds(chip: I2CServer, network: Network) -> None:
    rewired = house({"Bus": chip.bus, "Shed": {"1": "S1", "2": "S2"}})
    wires = rewired.sensor("P1").sensor["Wires"]
    wires[0]["Wire"], wires[1]["Wire"] = 2, 1
    moved = Network(multicast=network.multicast, sensors=rewired.sensors)

    async def reload() -> Network:
        return moved

    probe, card = Probe("TI", network), PilotCard("P1", network, reload)
    async with living(probe, card):
        probe.send_control("A", "11", 3)
        await probe.until_heard("11", 3)
        probe.send(0b10, codifier="S1")
        await chip_shows(chip, lambda: chip.latches == (0b0111, 0))
        probe.send_control("C", "P1")
        await chip_shows(chip, lambda: chip.latches == (0b1101, 0))


class SlowDisk:
    """Holds up what is to be made durable until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.busy, self.go_on = threading.Event(), threading.Event()
        self._save = durable.save
        monkeypatch.setattr(durable, "save", self.save)

    def save(self, path: Path, content: Mapping[str, object]) -> None:
        self.busy.set()
        assert self.go_on.wait(LIMIT_S)
        self._save(path, content)


async def test_a_reload_loses_no_order_that_waits_for_the_disk(
    chip: I2CServer, network: Network, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reloaded = asyncio.Event()

    class Card(PilotCard):
        def on_reload(self) -> None:
            super().on_reload()
            reloaded.set()

    async def reload() -> Network:
        return network

    probe, card = Probe("TI", network), Card("P1", network, reload)
    async with living(probe, card):
        await probe.until_heard("11", 0)
        await probe.until((state / "orders" / "P1.json").exists)
        disk = SlowDisk(monkeypatch)
        probe.send_control("A", "11", 3)  # is being saved when the reload comes
        assert await asyncio.to_thread(disk.busy.wait, LIMIT_S)
        probe.send_control("A", "12", 2)  # waits behind it
        probe.send_control("C", "P1")
        await asyncio.wait_for(reloaded.wait(), LIMIT_S)
        disk.go_on.set()
        await probe.until_heard("11", 3)
        await probe.until_heard("12", 2)
        probe.send_control("A", "13", 1)
        await probe.until_heard("13", 1)
        assert (probe.says("11", 3), probe.says("12", 2)) == (True, True)
        await chip_shows(chip, lambda: chip.latches == (0b01_10_11, 0))
    assert [orders_file(state)[code] for code in ("11", "12", "13")] == [3, 2, 1]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "Bus: missing"),
        ({"Bus": 1, "Address": 64}, "expected 32 to 39"),
        ({"Bus": 1, "Shed": {"4": "S4"}}, "expected phases 1, 2 or 3, found '4'"),
        ({"Bus": 1, "Meter": {"9": "I1"}}, "Meter: expected phases 1, 2 or 3, found '9'"),
        ({"Bus": 1, "Hold": -1}, "0 or more"),
        ({"Bus": 1, "Share": 1.5}, "Share: expected 0 to 1, found 1.5"),
        ({"Bus": 1, "Then": "comfort"}, "Then"),
        ({"Bus": 1, "Wires": [{"Codifier": "11", "Wire": 9, "Phase": 1}]}, "expected 1 to 8"),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], expected: str) -> None:
    network = house({})
    entry = network.sensor("P1")
    entry.sensor.clear()
    entry.sensor.update(settings)
    with pytest.raises(ConfigError, match=expected):
        PilotCard("P1", network)


class TestHolds:
    async def test_an_order_with_an_end_goes_back_by_itself(
        self, chip: I2CServer, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = Clock(monkeypatch, pilotcard)
        network = house({"Bus": chip.bus, "Hold": 9000, "MeterHold": 9000})
        probe, card = Probe("TI", network), PilotCard("P1", network)
        async with living(probe, card):
            probe.send_control("A", "11", 3)
            await probe.until_heard("11", 3)
            probe.send_control("A", "11", number_of(Order.OFF, now_ms() + 3_600_000))
            await probe.until_heard("11", 1)
            assert chip.latches == (0b01, 0)
            monkeypatch.setattr(pilotcard, "now_ms", lambda: now_ms() + 3_600_000)
            clock.now_s += 3600
            await probe.until_heard("11", 3)
            assert chip.latches == (0b11, 0)
            path = state / "orders" / "P1.json"
            await until(lambda: "before" not in json.loads(path.read_text())["11"])

    async def test_it_ends_though_the_card_was_away(
        self, chip: I2CServer, network: Network, state: Path
    ) -> None:
        past_ms = round(1000 * time.time()) - 1000
        before = {"order": 3, "by": "CC", "at_ms": past_ms - 9000}
        hold = {"order": 1, "by": "CF", "at_ms": past_ms - 5000}
        hold |= {"until_ms": past_ms, "before": before}
        durable.save(state / "orders" / "P1.json", {"11": hold})
        probe, card = Probe("TI", network), PilotCard("P1", network)
        async with living(probe, card):
            await probe.until_heard("11", 3)
            assert chip.latches == (0b11, 0)

    async def test_the_follower_comes_by_itself_though_the_card_was_killed(
        self, chip: I2CServer, network: Network, state: Path
    ) -> None:
        probe, card = Probe("TI", network), PilotCard("P1", network)
        path = state / "orders" / "P1.json"
        async with living(probe, card):
            await probe.until_heard("11", Order.COMFORT)  # the chip is there
            number = number_of(Order.COMFORT, now_ms() + 3_600_000, Order.FROST)
            probe.send_control("A", "11", number)
            await until(lambda: card._card.given["11"].before is not None)  # it is on the disk
            kept = json.loads(path.read_text())  # as a kill at this moment leaves it
        assert kept["11"]["before"]["order"] == Order.FROST
        path.write_text(json.dumps(kept | {"11": kept["11"] | {"until_ms": now_ms() - 1}}))
        probe, card = Probe("TI", network), PilotCard("P1", network)
        async with living(probe, card):
            await probe.until_heard("11", Order.FROST)
            assert chip.latches == (0b10, 0)
