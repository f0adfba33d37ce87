"""Pins on a chip that a program serves, and PWM channels in files as the kernel has them."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import nodes.gpio
from jph.config.model import Network
from jph.devices.kernel.gpio import Edge, SocketLine, Wanted, find_chip, open_line
from jph.devices.kernel.pins import Pulses
from jph.errors import ConfigError, DeviceError
from jph.sim.chips.gpio import GpioChip
from jph.wire.codec import Flag
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.gpio import FanControl, Gpio
from tests.support import running, until

MakeNetwork = Callable[..., Network]


@pytest.fixture
async def chip(tmp_path: Path) -> AsyncIterator[GpioChip]:
    served = GpioChip(tmp_path / "gpio")
    await served.start()
    yield served
    await served.close()


def pwm_chip(folder: Path, channel: int = 0) -> Path:
    files = folder / f"pwm{channel}"
    files.mkdir(parents=True)
    for name in ("period", "duty_cycle", "enable"):
        (files / name).write_text("0")
    return files


def entries(interval: float = 60, **settings: Any) -> list[dict[str, Any]]:
    codes = [each["Codifier"] for each in settings["Elements"]]
    return [
        {"Codifier": "G1", "Type": "Gpio", "SensorInterval": interval, "Sensor": settings},
        *(
            {"Codifier": c, "Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "G1"}}
            for c in codes
        ),
        {"Codifier": "CC", "Type": "ControlProgram"},
    ]


class House:
    """A node on a bus, and what a console hears of it."""

    def __init__(self, console: ListeningProgram) -> None:
        self.console = console
        self.values: dict[str, list[Any]] = {}
        console.read = self._take

    def _take(self, readings: Any) -> None:
        for each in readings:
            if each.flag != "n":
                self.values.setdefault(each.source, []).append(each.value)

    async def hears(self, code: str, value: Any) -> None:
        await until(lambda: self.values.get(code, [None])[-1] == value)

    def order(self, code: str, value: float, flag: str = Flag.SET) -> None:
        self.console.send_control(flag, code, value)


async def test_inputs_are_published_when_they_change(network: MakeNetwork, chip: GpioChip) -> None:
    pins = [
        {"Codifier": "P1", "Line": 4},
        {"Codifier": "P2", "Line": 5, "Inverted": True, "Debounce": 0.01},
    ]
    made = network(*entries(Chip=f"unix:{chip.path}", Elements=pins))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Gpio("G1", made)):
        house = House(console)
        await until(lambda: len(chip._inputs.get(5, ())) and len(chip._inputs.get(4, ())))
        chip.drive(4, 1)
        await house.hears("P1", 1)
        chip.drive(4, 0)
        await house.hears("P1", 0)
        for level in (1, 0, 1):  # bounces
            chip.drive(5, level)
        await house.hears("P2", 0)
    assert house.values["P2"].count(0) == 1


async def test_a_counter_goes_on_after_a_restart(network: MakeNetwork, chip: GpioChip) -> None:
    pins = [{"Codifier": "P1", "Mode": "counter", "Line": 4, "Edge": "rising"}]
    made = network(*entries(0.02, Chip=f"unix:{chip.path}", Elements=pins))
    async with on_bus(ListeningProgram("CC", made)) as console:
        house = House(console)
        for total in (3, 6):
            async with running(Gpio("G1", made)):
                await house.hears("P1", total - 3)
                await until(lambda: chip._inputs.get(4))
                for _ in range(3):
                    chip.drive(4, 1)
                    chip.drive(4, 0)
                await house.hears("P1", total)
            await until(lambda: not chip._inputs.get(4))


async def test_outputs_start_obey_and_end_in_their_states(
    network: MakeNetwork, chip: GpioChip
) -> None:
    seen: list[tuple[int, int]] = []
    chip._changed = lambda line, level: seen.append((line, level))
    pins = [
        {"Codifier": "P1", "Mode": "output", "Line": 6, "Start": 1, "End": 0},
        {"Codifier": "P2", "Mode": "output", "Line": 7, "Pulse": 0.01},
        {"Codifier": "P3", "Mode": "output", "Line": 8, "Patience": 0.05, "Silence": 1},
    ]
    made = network(*entries(Chip=f"unix:{chip.path}", Elements=pins))
    async with on_bus(ListeningProgram("CC", made)) as console:
        house = House(console)
        async with running(Gpio("G1", made)):
            await house.hears("P1", 1)
            await house.hears("P3", 1)  # no order came in time
            house.order("P3", 0)
            await house.hears("P3", 0)
            await house.hears("P3", 1)
            house.order("P2", 1)
            await until(lambda: house.values["P2"][-2:] == [1, 0])
        await until(lambda: seen[-1] == (8, 0))
    assert [level for line, level in seen if line == 6] == [1, 0]


async def test_a_chip_that_comes_later_is_used(network: MakeNetwork, tmp_path: Path) -> None:
    path = tmp_path / "gpio"
    pins = [{"Codifier": "P1", "Line": 4}]
    made = network(*entries(0.02, Chip=f"unix:{path}", Elements=pins))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Gpio("G1", made)):
        house = House(console)
        for level in (1, 0):
            chip = GpioChip(path)
            chip.levels[4] = level
            await chip.start()
            await house.hears("P1", level)
            await chip.close()


async def test_pwm_servo_and_tachometer(
    network: MakeNetwork, chip: GpioChip, tmp_path: Path
) -> None:
    fan, arm = pwm_chip(tmp_path / "pwmchip2"), pwm_chip(tmp_path / "pwmchip2", 1)
    pins = [
        {"Codifier": "P1", "Mode": "pwm", "Start": 100},
        {"Codifier": "P2", "Mode": "servo", "Channel": 1},
        {"Codifier": "P3", "Mode": "tachometer", "Line": 9},
    ]
    settings = {"Chip": f"unix:{chip.path}", "Pwm": str(tmp_path / "pwmchip*"), "Elements": pins}
    made = network(*entries(0.02, **settings))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Gpio("G1", made)):
        house = House(console)
        await house.hears("P1", 100.0)
        house.order("P1", 25)
        await house.hears("P1", 25.0)
        house.order("P2", 90)
        await house.hears("P2", 90.0)
        chip.drive(9, 1)
        chip.drive(9, 0)
        await until(lambda: any(house.values.get("P3", ())))
        assert [(fan / n).read_text() for n in ("period", "duty_cycle")] == ["40000", "10000"]
        assert [(arm / n).read_text() for n in ("period", "duty_cycle")] == ["20000000", "1500000"]


async def test_the_originals_fan(
    network: MakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fan = pwm_chip(tmp_path / "pwmchip0")
    monkeypatch.setattr(nodes.gpio, "PWM_CHIPS", str(tmp_path / "pwmchip*"))
    entry = {"Codifier": "FK", "Type": "fanControl", "Control": "enabled", "SensorInterval": 5}
    made = network(entry, {"Codifier": "CC", "Type": "ControlProgram"})
    async with on_bus(ListeningProgram("CC", made)) as console:
        house = House(console)
        async with running(FanControl("FK", made)):
            await house.hears("FK", 100.0)
            house.order("FK", 150)
            house.order("FK", -60, Flag.STEP)
            await house.hears("FK", 40.0)
        assert (fan / "duty_cycle").read_text() == "40000"  # full when no program controls it
        assert (fan / "enable").read_text() == "1"


async def test_a_damaged_count_starts_at_zero(
    network: MakeNetwork, chip: GpioChip, state: Path
) -> None:
    (state / "counters").mkdir(parents=True)
    (state / "counters" / "G1.json").write_text(json.dumps({"P1": "many"}))
    pins = [{"Codifier": "P1", "Mode": "counter", "Line": 4}]
    made = network(*entries(0.02, Chip=f"unix:{chip.path}", Elements=pins))
    async with on_bus(ListeningProgram("CC", made)) as console, running(Gpio("G1", made)):
        await House(console).hears("P1", 0)


class EdgeEvent(NamedTuple):
    """An event of python-periphery."""

    edge: str
    timestamp: int


class KernelGpio:
    """The part of python-periphery that is used; it takes the arguments that the library takes."""

    def __init__(self, path: str, line: int, direction: str, **more: Any) -> None:
        assert (path, line) == ("/dev/gpiochip9", 4)
        assert direction in ("in", "high", "low")
        assert more.keys() == {"edge", "bias", "inverted", "label"}
        assert more["edge"] == ("both" if direction == "in" else "none")
        assert more["bias"] in ("default", "pull_up", "pull_down", "disable")
        self.fd = 7
        self.level = direction == "high"
        self.events = [EdgeEvent("rising", 5), EdgeEvent("falling", 9)]

    def poll(self, timeout: float) -> bool:
        return timeout == 0 and bool(self.events)

    def read_event(self) -> EdgeEvent:
        return self.events.pop(0)

    def read(self) -> bool:
        return self.level

    def write(self, level: bool) -> None:
        self.level = level

    def close(self) -> None:
        self.fd = -1


def test_lines_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("periphery.GPIO", KernelGpio)
    line = open_line("/dev/gpiochip9", Wanted(4, bias="up", inverted=True))
    assert line.fd == 7
    assert line.edges() == [Edge(True, 5), Edge(False, 9)]
    assert line.edges() == []
    output = open_line("/dev/gpiochip9", Wanted(4, start=True))
    assert output.read() is True
    output.write(False)
    assert output.read() is False
    output.close()


def test_bounces_are_not_counted() -> None:
    pulses = Pulses(rising=False, gap_s=0.03)
    for at_ms in (0, 10, 29, 31, 50, 70):
        pulses.take(Edge(False, at_ms * 1_000_000))
        pulses.take(Edge(True, at_ms * 1_000_000 + 1))
    assert pulses.count == 3


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="pinctrl-x"):
        find_chip("pinctrl-x")
    with pytest.raises(DeviceError, match="line 4"):
        open_line(f"unix:{tmp_path}/none", Wanted(4))
    with pytest.raises(OSError, match="No such file"):
        SocketLine(str(tmp_path / "none"), Wanted(4))


def test_a_pin_needs_its_line(network: MakeNetwork) -> None:
    made = network(*entries(Elements=[{"Codifier": "P1"}]))
    with pytest.raises(ConfigError, match="Line"):
        Gpio("G1", made)
