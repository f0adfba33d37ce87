import asyncio
import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import nodes.shedding
from jph.config.model import Network, Sensor
from jph.errors import ConfigError
from jph.wire.codec import Quality
from nodes.pilotcard import PilotCard
from nodes.setpoint import Setpoint
from nodes.shedding import Shedding
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Clock, Probe, element, house, living
from tests.support import LIMIT_S

QUICK = {"Settle": 0.1, "MinimumOff": 0.3, "MinimumOn": 0, "Silence": 600}


@pytest.fixture
def network() -> Network:
    return house({"Bus": "unix:/nowhere"}, QUICK)


def masks(probe: Probe, codifier: str) -> list[int]:
    """Return the masks that were sent, repetitions left out."""
    values = [int(reading.value) for reading in probe.heard if reading.source == codifier]
    return [v for v, before in zip(values, [None, *values], strict=False) if v != before]


async def test_an_overload_is_shed_and_given_back(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S1", 0)
        probe.send(36, codifier="I1")
        await probe.until_heard("SH", 2)
        assert probe.says("S1", 0b11)
        assert probe.says("S2", 0)
        feeding = asyncio.create_task(repeat(probe, "I1", 8))
        await probe.until_heard("SH", 0)
        feeding.cancel()
        assert [mask.bit_count() for mask in masks(probe, "S1")] == [0, 2, 1, 0]
    assert "phase 1: 11 shed, overrun (36 A, limit 30 A)" in caplog.text
    assert "phase 1: 11 restored, room again (8 A, limit 30 A)" in caplog.text


async def test_the_room_that_is_warm_against_its_wish_is_shed_first(network: Network) -> None:
    network.sensors.extend(element(code, "TI") for code in ("T1", "T2", "ZA", "ZB"))
    network.rooms.extend(
        {"Codifier": wish, "Name": wish, "Thermometers": [thermometer], "Heaters": heaters}
        for wish, thermometer, heaters in (("ZA", "T1", ["11", "12"]), ("ZB", "T2", ["13", "14"]))
    )
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S1", 0)
        for code, celsius in {"T1": 16.5, "ZA": 20.0, "T2": 19.9, "ZB": 20.0}.items():
            probe.send(celsius, codifier=code)
        probe.send(36, codifier="I1")
        await probe.until_heard("SH", 2)
        assert probe.says("S1", 0b1100)


def with_load(network: Network, **load: Any) -> None:
    """Add a set point WH to a house as a load of its shedder, and the element LS of its state."""
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.2}
    switch = Sensor(codifier="WH", type="Setpoint", control="enabled", **fast)
    network.sensors.extend([switch, element("LS", "SH")])
    shedder = next(sensor for sensor in network.sensors if sensor.codifier == "SH")
    shedder.sensor["State"] = "LS"
    shedder.sensor["Loads"] = [{"Codifier": "WH", "Watts": 2300, **load}]


async def test_a_load_is_ordered_gives_way_and_has_its_fallback_at_the_end(
    network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    far = (datetime.now().astimezone() + timedelta(hours=12)).strftime("%H:%M")
    with_load(network, Hours=5, By=far, Fallback=1, MinimumOff=0, MinimumOn=0)
    monkeypatch.setenv("JPH_STATE", str(tmp_path))
    monkeypatch.setattr("jph.heating.shedding.loads.steering.PLAN_S", 0.1)
    probe, switch = Probe("TI", network), Setpoint("WH", network)
    async with living(probe, switch):
        async with living(Shedding("SH", network)):
            feeding = asyncio.create_task(repeat(probe, "I1", 8))
            await probe.until_heard("WH", 1)
            feeding.cancel()
            probe.send(36, codifier="I1")
            await probe.until_heard("WH", 0)
            assert probe.says("S1", 0)
        await probe.until_heard("WH", 1)
    state = probe.last("LS")
    assert state is not None
    load = json.loads(str(state.value))["loads"]["WH"]
    assert (load["sort"], load["watts"]) == ("switch", 2300)


def test_loads_that_cannot_be_ordered_are_found(network: Network) -> None:
    with_load(network)
    assert Shedding.check_network(network) == []
    shedder = next(sensor for sensor in network.sensors if sensor.codifier == "SH")
    shedder.sensor["Loads"] = [{"Codifier": "11", "Phases": [3]}, {"Codifier": "I1"}]
    shedder.sensor["State"] = "I1"
    found = [problem.message for problem in Shedding.check_network(network)]
    assert found == [
        "phase 3 is not protected by this shedder",
        'I1 takes no orders: it needs "Control": "enabled"',
        "I1 is no element of SH",
    ]


@pytest.mark.parametrize(
    ("peak", "expected"), [(2000, "agrees"), (4600, "readings lost"), (230, "is the limit right")]
)
async def test_each_day_is_held_against_the_meters_own_peak(
    peak: float, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    phase = {"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 10, "Peak": "W2"}
    network = house({"Bus": "unix:/nowhere"}, QUICK | {"Phases": [phase]})
    probe = Probe("TI", network)
    node = Shedding("SH", network)
    async with living(probe, node):
        await probe.until_heard("S1", 0)
        value: float
        for value in (500, 100):  # the day under way is not known from its beginning
            probe.send(value, codifier="W2")
        probe.send(9, codifier="I1")
        phase_1 = node._policy._phases[1]
        await probe.until(lambda: phase_1.seen.current_a == 9)
        phase_1.peaks.take(9.0, 5.0)
        for value in (peak, 0):
            probe.send(value, codifier="W2")
        await probe.until(lambda: expected in caplog.text)


async def repeat(probe: Probe, codifier: str, value: float) -> None:
    while True:
        probe.send(value, codifier=codifier)
        await asyncio.sleep(0.05)


async def test_masks_are_said_again_and_again(network: Network) -> None:
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        for codifier in ("S1", "S2", "SH"):
            for _ in range(2):
                probe.heard.clear()
                await probe.until_heard(codifier, 0)


async def test_the_contract_limits_what_the_config_does_not(network: Network) -> None:
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S2", 0)
        probe.send(99, codifier="I2")  # no limit known yet
        probe.send(20, codifier="IS")
        probe.send(22, codifier="I2")
        await probe.until_heard("S2", 0b1)
        probe.send(22, codifier="I1")  # the smaller of contract and config counts
        await probe.until_heard("S1", 0b1)


@pytest.mark.parametrize("subscribed", [0, -1, 5000])
async def test_a_contract_that_cannot_be_is_no_limit(network: Network, subscribed: float) -> None:
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S1", 0)
        probe.send(subscribed, codifier="IS")
        probe.send(29, codifier="I1")
        probe.send(31, codifier="I1")
        await probe.until_heard("S1", 0b1)
        assert masks(probe, "S1") == [0, 1]


@pytest.mark.parametrize("quality", [Quality.STALE, Quality.IMPLAUSIBLE])
async def test_a_current_that_is_not_to_be_trusted(network: Network, quality: Quality) -> None:
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S1", 0)
        probe.send(50, codifier="I1", quality=quality)
        probe.send("50", codifier="I1")
        probe.send(31, codifier="I1", quality=Quality.SIMULATED)
        await probe.until_heard("S1", 0b1)
        assert masks(probe, "S1") == [0, 1]


async def test_heaters_that_are_ordered_off_are_passed_over(network: Network) -> None:
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S1", 0)
        probe.send_many([("11", 1), ("12", 2), ("13", 9)])
        probe.send(31, codifier="I1")
        await probe.until_heard("S1", 0b100)


async def test_a_restart_goes_on_with_what_was_shed(network: Network, state: Path) -> None:
    probe = Probe("TI", network)
    stored = state / "shedding" / "SH.json"
    async with living(probe):
        async with living(Shedding("SH", network)):
            await probe.until_heard("S1", 0)
            probe.send(36, codifier="I1")
            await probe.until(lambda: stored.exists() and json.loads(stored.read_text())["S1"] == 3)
        probe.heard.clear()
        async with living(Shedding("SH", network)):
            await probe.until_heard("S1", 0b11)
            assert masks(probe, "S1") == [0b11]


async def test_a_damaged_memory_is_set_aside(
    network: Network, state: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (state / "shedding").mkdir(parents=True)
    (state / "shedding" / "SH.json").write_text('{"S1": 3')
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("S1", 0)
    assert (state / "shedding" / "SH.json.damaged").exists()
    assert "starting with nothing shed" in caplog.text


async def test_new_settings_keep_what_is_shed(network: Network) -> None:
    changed = house({"Bus": "unix:/nowhere"}, {**QUICK, "MinimumOff": 60})
    moved = Network(multicast=network.multicast, sensors=changed.sensors)

    async def reload() -> Network:
        return moved

    probe, shedder = Probe("TI", network), Shedding("SH", network, reload)
    async with living(probe, shedder):
        await probe.until_heard("S1", 0)
        probe.send(36, codifier="I1")
        await probe.until_heard("S1", 0b11)
        probe.send_control("C", "SH")
        await probe.until(lambda: shedder.settings.minimum_off == 60)
        probe.heard.clear()
        await probe.until_heard("S1", 0b11)


async def test_a_reload_begins_the_wait_for_currents_anew(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def reload() -> Network:
        return network

    probe, shedder = Probe("TI", network), Shedding("SH", network, reload)
    async with living(probe, shedder):
        await probe.until_heard("S1", 0)
        for code in ("I1", "I2", "I3"):
            probe.send(8, codifier=code)
        await probe.until(lambda: not shedder._unheard)
        before_s = shedder._listens_s
        probe.send_control("C", "SH")
        await probe.until(lambda: shedder._listens_s > before_s)
        monkeypatch.setattr(nodes.shedding, "UNHEARD_S", time.monotonic() - before_s)
        shedder._report_unheard()
    assert "was ever heard" not in caplog.text


async def test_from_the_meter_to_the_chip_and_back(tmp_path: Path) -> None:
    chip = I2CServer(tmp_path / "i2c.sock")
    network = house({"Bus": chip.bus}, QUICK)
    probe = Probe("TI", network)
    try:
        async with living(probe, Shedding("SH", network), PilotCard("P1", network)):
            await probe.until_heard("11", 0)
            probe.send_control("A", "12", 3)
            await probe.until_heard("12", 3)
            probe.send(41, codifier="I1")
            await asyncio.to_thread(wait_for, chip, (0b01_01_01, 0))
            feeding = asyncio.create_task(repeat(probe, "I1", 5))
            await asyncio.to_thread(wait_for, chip, (0b11_00, 0))
            feeding.cancel()
    finally:
        chip.close()


def wait_for(chip: I2CServer, latches: tuple[int, int]) -> None:
    with chip.changed:
        assert chip.changed.wait_for(lambda: chip.latches == latches, LIMIT_S)


def pair(**more: Any) -> Network:
    """The small house with a second shedder SI of higher rank, and elements E1 and E2."""
    network = house({"Bus": "unix:/nowhere"}, {**QUICK, **more})
    first = network.sensor("SH")
    for phase in first.sensor["Phases"]:
        phase["Explain"] = f"E{phase['Phase']}"
    second = Sensor(
        codifier="SI",
        type="Shedding",
        sensor={**first.sensor, "Rank": 2},
        keep_alive_interval=0.2,
        sensor_interval=0.2,
    )
    stories = [
        Sensor(codifier=code, type="Proxy", sensor={"Codifier": "SH"}) for code in ("E1", "E2")
    ]
    return Network(multicast=network.multicast, sensors=[*network.sensors, second, *stories])


async def test_a_second_shedder_takes_over_and_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, nodes.shedding)
    network = pair(MinimumOff=60)
    probe = Probe("TI", network)
    async with living(probe, Shedding("SI", network)):
        async with living(Shedding("SH", network)):
            clock.now_s += 2.5
            await probe.until_heard("SH", 0)
            probe.send(36, codifier="I1")
            await probe.until_heard("S1", 0b11)
            await probe.until(lambda: heard(probe, "SH") > 8)
            assert heard(probe, "SI") == 0
        probe.heard.clear()
        clock.now_s += 2.5
        await probe.until_heard("SI", 2)
        assert masks(probe, "S1") == [0b11]
        async with living(Shedding("SH", network)):
            clock.now_s += 2.5
            await probe.until_heard("SH", 2)
            probe.heard.clear()
            await probe.until(lambda: heard(probe, "SH") > 3)
            assert heard(probe, "SI") <= 1
            assert set(masks(probe, "S1")) == {0b11}


def heard(probe: Probe, codifier: str) -> int:
    return sum(reading.source == codifier for reading in probe.heard)


async def test_a_shadow_tells_but_sends_no_mask(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    network = house({"Bus": "unix:/nowhere"}, {**QUICK, "Shadow": True})
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("SH", 0)
        probe.send(36, codifier="I1")
        await probe.until_heard("SH", 2)
        assert masks(probe, "S1") == []
    assert "(shadow) phase 1: 11 shed, overrun (36 A, limit 30 A)" in caplog.text


async def test_why_is_told() -> None:
    network = pair(MinimumOff=60)
    probe = Probe("TI", network)
    async with living(probe, Shedding("SH", network)):
        await probe.until_heard("SH", 0)
        probe.send(44, codifier="I1")
        await probe.until(lambda: story(probe).get("shed"))
        told = story(probe)
        assert (told["current"], told["limit"]) == (44.0, 30.0)
        assert 0 < told["value"] < 300
        assert set(told["shed"]) == {"11", "12", "13"}
        cause = told["shed"]["11"]
        assert (cause["current"], cause["limit"], cause["reason"]) == (44.0, 30.0, "overrun")
        assert abs(cause["since_ms"] - time.time() * 1000) < 1000 * LIMIT_S
        probe.send(20, codifier="I1")
        await probe.until(lambda: story(probe).get("value") == -1)


def story(probe: Probe) -> dict[str, Any]:
    last = probe.last("E1")
    return json.loads(str(last.value)) if last is not None else {}


@pytest.mark.parametrize("status", [0x80, "00000080", "003A4081"])
async def test_the_status_stands_in_for_a_current(status: int | str) -> None:
    network = house({"Bus": "unix:/nowhere"}, {**QUICK, "Status": "W2"})
    probe, shedder = Probe("TI", network), Shedding("SH", network)
    async with living(probe, shedder):
        await probe.until_heard("SH", 0)
        for broken in ("", "zz", "1e999"):
            probe.send(broken, codifier="W2")
        probe.send(status, codifier="W2")
        probe.send(31, codifier="I1")
        await probe.until_heard("S1", 1)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "Phases: missing"),
        ({"Phases": [{"Phase": 1, "Codifier": "S1", "Current": "I1"}]}, "phase 1 has no Limit"),
        ({"Phases": [], "Voltage": 0}, "Voltage"),
        ({"Phases": [], "Breaker": 0}, "Breaker: expected amperes above 0"),
        ({"Phases": [], "BreakerCurve": [[2, 1], [1, 5]]}, "by rising multiple"),
        ({"Phases": [], "BreakerCurve": [[2, 0]]}, "seconds above 0"),
        ({"Phases": [], "Margn": 1}, "did you mean 'Margin'"),
        (
            {"Phases": [{"Phase": 4, "Codifier": "S1", "Current": "I1", "Limit": 30}]},
            "expected 1, 2 or 3, found 4",
        ),
        (
            {"Phases": [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": -3}]},
            "expected amperes above 0, found -3",
        ),
        (
            {"Phases": 2 * [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30}]},
            "a phase is there twice",
        ),
    ],
)
def test_settings_that_are_wrong(settings: dict[str, Any], expected: str) -> None:
    network = house({})
    entry = network.sensor("SH")
    entry.sensor.clear()
    entry.sensor.update(settings)
    with pytest.raises(ConfigError, match=expected):
        Shedding("SH", network)


async def test_reasons_and_times_survive_a_restart(state: Path) -> None:
    network = pair()
    probe = Probe("TI", network)
    learned = state / "shedding" / "SH-learned.json"
    async with living(probe):
        async with living(Shedding("SH", network)):
            await probe.until_heard("S1", 0)
            probe.send(36, codifier="I1")
            await probe.until(lambda: learned.exists() and "overrun" in learned.read_text())
            await probe.until(lambda: "11" in reasons(probe))
            before, kept = reasons(probe)["11"], learned.read_text()
        learned.write_text(kept)  # a kill leaves what was written until then
        probe.heard.clear()
        async with living(Shedding("SH", network)):
            await probe.until(lambda: "11" in reasons(probe))
            after = reasons(probe)["11"]
    assert (after["reason"], after["current"]) == (before["reason"], before["current"])
    assert abs(after["since_ms"] - before["since_ms"]) < 100


def reasons(probe: Probe) -> dict[str, Any]:
    """Return the reasons of phase 1 that were sent last, by heater."""
    sent = [r.value for r in probe.heard if r.source == "E1"]
    return dict(json.loads(str(sent[-1]))["shed"]) if sent else {}


async def test_a_current_that_cannot_flow_is_left_out(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    probe = Probe("TI", network)
    node = Shedding("SH", network)
    async with living(probe, node):
        await probe.until_heard("S1", 0)
        for value in (1e308, 5.6e18, 9876.0):
            probe.send(value, codifier="I1")
        probe.send(8.0, codifier="I1")
        await probe.until(lambda: node._policy.report(0)[1].current_a == 8)
        assert masks(probe, "S1") == [0]
    assert "I1 is" in caplog.text
    assert "no such current" in caplog.text


async def test_a_phase_that_hears_no_current_is_reported(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(nodes.shedding, "UNHEARD_S", 0.1)
    probe = Probe("TI", network)
    node = Shedding("SH", network)
    async with living(probe, node):
        await probe.until_heard("S1", 0)
        probe.send(8, codifier="I1")
        await probe.until(lambda: "phase 2: no current of I2 was ever heard" in caplog.text)
    assert "no current of I1" not in caplog.text.replace("phase 1: no current of I1", "", 1)


async def test_a_shedder_that_stood_still_reads_before_it_decides(
    network: Network, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(monkeypatch, nodes.shedding)
    probe = Probe("TI", network)
    node = Shedding("SH", network)
    looked: list[float] = []
    async with living(probe, node):
        await probe.until_heard("S1", 0)
        for _ in range(6):  # the meter's pace is known
            clock.now_s += 0.5
            probe.send(28, codifier="I1")
            await probe.until(lambda: node._policy._phases[1].seen.heard_s == clock.now_s)
        decide = node._policy.step

        def watched(now_s: float, *rest: Any, **more: Any) -> Any:
            looked.append(node._policy._phases[1].seen.silent_s(now_s))
            return decide(now_s, *rest, **more)

        monkeypatch.setattr(node._policy, "step", watched)
        clock.now_s += 400
        probe.send(28, codifier="I1")
        await probe.until(lambda: node._policy._phases[1].seen.heard_s == clock.now_s)
        await probe.until(lambda: len(looked) > 4)
    assert sum(silent_s > 300 for silent_s in looked) == 1  # the reading itself ends the silence
    assert masks(probe, "S1") == [0]
    assert "stood still" in caplog.text
