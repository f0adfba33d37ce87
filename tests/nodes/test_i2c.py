"""Chips on a simulated I2C bus: registers, checksums, an ADC Pi, a text display."""

import errno
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.devices.i2c.lcd import show, start
from jph.devices.i2c.registers import Form, adc_order, adc_volt, checked, crc8, encoded, number
from jph.errors import ConfigError, DeviceError
from jph.sim.chips.i2cbus import I2cBus
from jph.sim.chips.server import I2cServer
from jph.wire.codec import Flag, Quality
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.display import Display, filled
from nodes.i2c import I2C
from nodes.setpoint import Setpoint
from tests.support import running, until

MakeNetwork = Callable[..., Network]


class Chips(I2cBus):
    """An ADC at 0x68 and 0x69, an SHT3x at 0x44, registers at 0x40, a display at 0x27."""

    def __init__(self) -> None:
        super().__init__(())
        self.registers = bytearray(256)
        self.volts = [0.5 * (n + 1) / 2.471 for n in range(8)]
        self.config = 0
        self.waits = 0
        self.sht = b"\x65\x6a" + bytes([crc8(b"\x65\x6a")]) + b"\x80\x00" + bytes([crc8(b"\x80\0")])
        self.display = b""
        self.absent = False

    def transfer(self, request: bytes) -> bytes:
        op, address, register, length = request[:4]
        if self.absent:
            return bytes((errno.EREMOTEIO,))
        if address in (0x68, 0x69):
            return b"\0" + self._adc(address - 0x68, op, request[4:], length)
        if address == 0x44:
            return b"\0" + (self.sht[:length] if op == 5 else b"")
        if address == 0x27:
            self.display += request[4:]
            return b"\0"
        if op == 2:
            return b"\0" + bytes(self.registers[register : register + length])
        start_at = register if op == 3 else request[4]
        data = request[4:] if op == 3 else request[5:]
        self.registers[start_at : start_at + len(data)] = data
        return b"\0"

    def _adc(self, chip: int, op: int, data: bytes, length: int) -> bytes:
        if op == 4:
            self.config, self.waits = data[0], 1
            return b""
        config, bits = self.config, 12 + 2 * (self.config >> 2 & 3)
        volt = self.volts[4 * chip + (config >> 5 & 3)] * (1 << (config & 3))
        code = max(
            min(round(volt / 2.048 * (1 << bits - 1)), (1 << bits - 1) - 1), -(1 << bits - 1)
        )
        busy = 0x80 if self.waits else 0
        self.waits = 0
        size = 3 if bits == 18 else 2
        return (code.to_bytes(size, "big", signed=True) + bytes([config & 0x7F | busy]))[:length]


@pytest.fixture
def chips(tmp_path: Path) -> Iterator[Chips]:
    served = Chips()
    server = I2cServer(tmp_path / "i2c", served)
    server.start()
    yield served
    server.close()


def entries(tmp_path: Path, **settings: Any) -> list[dict[str, Any]]:
    return [
        {"Codifier": "I1", "Type": "I2C", "SensorInterval": 0.02, "Control": "enabled",
         "Sensor": {"Bus": f"unix:{tmp_path}/i2c", **settings}},
        {"Codifier": "I2", "Type": "Proxy", "Sensor": {"Codifier": "I1"}},
        {"Codifier": "CC", "Type": "ControlProgram"},
    ]  # fmt: skip


async def test_registers_and_orders(network: MakeNetwork, chips: Chips, tmp_path: Path) -> None:
    described = [
        {"Codifier": "I1", "Register": 0x10, "Size": 2, "Signed": True, "Shift": 4, "Order": True,
         "Filter": [{"Scale": 0.0625}]},
        {"Codifier": "I2", "Register": 0x20, "Size": 2, "Little": True},
    ]  # fmt: skip
    settings = {"Address": 0x40, "Start": [[0x30, 7]], "Elements": described}
    made = network(*entries(tmp_path, **settings))
    chips.registers[0x10:0x12] = b"\xe7\x00"
    chips.registers[0x20:0x22] = b"\x34\x12"
    heard: dict[str, Any] = {}
    qualities: dict[str, int] = {}
    async with on_bus(ListeningProgram("CC", made)) as console:

        def take(readings: Any) -> None:
            heard.update({r.source: r.value for r in readings if r.flag != "n"})
            qualities.update({r.source: r.quality for r in readings if r.flag != "n"})

        console.read = take
        async with running(I2C("I1", made)):
            await until(lambda: heard.get("I1") == -25.0 and heard.get("I2") == 0x1234)
            assert chips.registers[0x30] == 7
            console.send_control(Flag.SET, "I1", 100)
            await until(lambda: heard["I1"] == 6.25)
            chips.absent = True
            await until(lambda: qualities["I1"] == Quality.STALE)
            chips.registers[0x30] = 0
            chips.absent = False
            await until(lambda: qualities["I1"] == Quality.GOOD)
            assert chips.registers[0x30] == 7  # started again


async def test_a_command_with_checksums(
    network: MakeNetwork, chips: Chips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    described = [
        {"Codifier": "I1", "At": 0, "Size": 2, "CRC": True,
         "Filter": [{"Polynomial": [-45, 0.00267033]}, {"Round": 1}]},
        {"Codifier": "I2", "At": 3, "Size": 2, "CRC": True, "Filter": [{"Scale": 0.0015259}]},
    ]  # fmt: skip
    settings = {"Address": 0x44, "Write": [0x24, 0], "Wait": 0.001, "Read": 6}
    made = network(*entries(tmp_path, **settings, Elements=described))
    heard: dict[str, Any] = {}
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(I2C("I1", made)):
            await until(lambda: heard.get("I1") == 24.3 and round(heard.get("I2", 0)) == 50)
            chips.sht = chips.sht[:2] + b"\0" + chips.sht[3:]
            await until(lambda: "I1: no value: its checksum is wrong" in caplog.text)


@pytest.mark.parametrize(
    ("bits", "gain", "within"), [(12, 1, 0.003), (18, 1, 0.0001), (16, 2, 0.001)]
)
async def test_an_adc_pi(
    network: MakeNetwork, chips: Chips, tmp_path: Path, bits: int, gain: int, within: float
) -> None:
    form = {"Bits": bits, "Gain": gain, "Filter": [{"Scale": 2.471}]}
    described = [{"Codifier": "I1", "Input": 2, **form}, {"Codifier": "I2", "Input": 5, **form}]
    made = network(*entries(tmp_path, Address=0x68, Elements=described))
    heard: dict[str, Any] = {}
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(I2C("I1", made)):
            await until(lambda: "I1" in heard and (gain == 2 or "I2" in heard))
    assert heard["I1"] == pytest.approx(1.0, abs=within)
    if gain == 1:
        assert heard["I2"] == pytest.approx(2.5, abs=within)


async def test_a_display_shows_readings(
    network: MakeNetwork, chips: Chips, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = ["Tank {A1:1} °C", "Wunsch: {ZZ}"]
    made = network(
        {"Codifier": "A1", "Type": "Setpoint", "SensorInterval": 0.05,
         "Sensor": {"Default": 48.26}},
        {"Codifier": "D1", "Type": "Display", "SensorInterval": 0.02,
         "Sensor": {"Bus": f"unix:{tmp_path}/i2c", "Lines": lines}},
    )  # fmt: skip
    point = Setpoint("A1", made)
    async with running(Display("D1", made), point):
        await until(lambda: "Tank 48.3 \xdfC    " in shown(chips.display))
        await until(lambda: "Wunsch: ?" in shown(chips.display))
        chips.absent = True
        point.value = 50.0
        await until(lambda: "does not answer" in caplog.text)
        chips.display, chips.absent = b"", False
        await until(lambda: "Tank 50.0" in shown(chips.display))  # started again


def shown(data: bytes) -> str:
    """Return the characters that a display got, in their order."""
    halves = [byte for byte in data if byte & 4]
    found, at = "", 4  # four single halves wake it
    while at + 1 < len(halves):
        high, low = halves[at], halves[at + 1]
        if high & 1:
            found += chr(high & 0xF0 | low >> 4)
        at += 2
    return found


def test_rows_are_cut_and_filled() -> None:
    assert filled("{A1:0}/{B2}/{C3}", {"A1": (2.4, True), "B2": ("on", False)}) == "2/on?/?"
    assert shown(b"".join(start()) + show(1, "été à 20 € abcdefghijk", 16)) == "ete a 20 ? abcde"
    assert shown(b"".join(start()) + show(3, "x", 8)) == "x       "


def test_numbers_in_bytes() -> None:
    assert number(b"\xff\xfe", Form(2, signed=True)) == -2
    assert number(b"\x34\x12", Form(2, little=True)) == 0x1234
    assert encoded(-2, Form(2, signed=True)) == b"\xff\xfe"
    with pytest.raises(ValueError, match="300 does not fit"):
        encoded(300, Form(1))
    assert crc8(b"\xbe\xef") == 0x92  # the example of Sensirion's data sheet
    with pytest.raises(DeviceError, match="checksum"):
        checked(b"\xbe\xef\x93", 2)


def test_what_an_adc_cannot_mean() -> None:
    order = adc_order(1, 12, 1)
    assert order == 0xA0
    assert adc_volt(b"\x03\xe8\x20", order) == pytest.approx(1.0)
    assert adc_volt(b"\x03\xe8\xa0", order) is None
    with pytest.raises(DeviceError, match="outside"):
        adc_volt(b"\x07\xff\x20", order)
    with pytest.raises(DeviceError, match="another configuration"):
        adc_volt(b"\x03\xe8\x40", order)


def test_10000_mutated_answers_give_a_value_in_range_or_none() -> None:
    source = random.Random(3)
    order = adc_order(0, 18, 1)
    for _ in range(10_000):
        data = source.randbytes(source.randrange(1, 6))
        try:
            volt = adc_volt(data, order)
            assert volt is None or abs(volt) < 2.048 * 2**16
            checked(data, 2)
        except DeviceError:
            continue


@pytest.mark.parametrize(
    ("element", "words"),
    [
        ({}, "one of Register, At and Input"),
        ({"Register": 1, "Input": 2}, "one of Register, At and Input"),
        ({"Input": 9}, "9 is no register"),
        ({"Input": 1, "Order": True}, "only registers"),
        ({"At": 0}, "Read: expected"),
    ],
)
def test_mistakes_are_named(
    network: MakeNetwork, tmp_path: Path, element: dict[str, Any], words: str
) -> None:
    described = [{"Codifier": "I1", **element}]
    with pytest.raises(ConfigError, match=words):
        I2C("I1", network(*entries(tmp_path, Address=0x40, Elements=described)))
