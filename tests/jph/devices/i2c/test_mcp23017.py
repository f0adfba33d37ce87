import errno
from collections.abc import Sequence

import pytest

from jph.devices.i2c.mcp23017 import ATTEMPTS, GPIOA, IODIRA, OLATA, OLATB, Mcp23017
from jph.errors import DeviceError


class FakeBus:
    """Registers, and the log of writes; `broken` makes every transaction fail."""

    def __init__(self) -> None:
        self.registers = [0xFF, 0xFF] + [0] * 0x14
        self.log: list[tuple[int, tuple[int, ...]]] = []
        self.broken = False
        self.closed = False

    def read_byte_data(self, i2c_addr: int, register: int) -> int:
        return self.read_i2c_block_data(i2c_addr, register, 1)[0]

    def write_byte_data(self, i2c_addr: int, register: int, value: int) -> None:
        self.write_i2c_block_data(i2c_addr, register, (value,))

    def read_i2c_block_data(self, i2c_addr: int, register: int, length: int) -> list[int]:
        self._check(i2c_addr)
        return self.registers[register : register + length]

    def write_i2c_block_data(self, i2c_addr: int, register: int, data: Sequence[int]) -> None:
        self._check(i2c_addr)
        self.registers[register : register + len(data)] = data
        self.log.append((register, tuple(data)))

    def close(self) -> None:
        self.closed = True

    def _check(self, address: int) -> None:
        if self.broken or address != 0x21:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def chip(bus: FakeBus) -> Mcp23017:
    made = Mcp23017(bus, 0x21, 1)
    made.initialise((0x55, 0xAA))
    bus.log.clear()
    return made


def test_latches_are_set_before_the_pins_become_outputs(bus: FakeBus) -> None:
    Mcp23017(bus, 0x21, 1).initialise((0x55, 0xAA))
    registers = [register for register, _ in bus.log]
    assert bus.log[registers.index(OLATA)] == (OLATA, (0x55, 0xAA))
    assert registers.index(OLATA) < registers.index(IODIRA)
    assert bus.registers[:2] == [0, 0]


def test_a_chip_left_in_the_other_bank_mode_is_brought_back_first(bus: FakeBus) -> None:
    Mcp23017(bus, 0x21, 1).initialise((0, 0))
    assert bus.log[:2] == [(0x05, (0,)), (0x0A, (0,))]


@pytest.mark.parametrize(
    ("latches", "log"),
    [
        ((0x55, 0xAA), []),
        ((0x56, 0xAA), [(OLATA, (0x56,))]),
        ((0x55, 0xAB), [(OLATB, (0xAB,))]),
        ((0x56, 0xAB), [(OLATA, (0x56, 0xAB))]),
    ],
)
def test_one_transaction_for_the_ports_that_change(
    chip: Mcp23017, bus: FakeBus, latches: tuple[int, int], log: list[object]
) -> None:
    assert chip.write(latches) is bool(log)
    assert bus.log == log
    assert chip.latches == latches


def test_read_back(chip: Mcp23017, bus: FakeBus) -> None:
    bus.registers[0x12:0x14] = [0x54, 0xAA]
    seen = chip.read_back()
    assert seen.drives
    assert seen.latches == (0x55, 0xAA)
    assert seen.pins == (0x54, 0xAA)
    bus.registers[1] = 0x80
    assert not chip.read_back().drives


def test_failures_name_chip_and_bus(chip: Mcp23017, bus: FakeBus) -> None:
    bus.broken = True
    with pytest.raises(DeviceError, match="MCP23017 at 0x21 of I2C bus 1 does not take its latc"):
        chip.write((1, 1))
    with pytest.raises(DeviceError, match="does not answer"):
        chip.read_back()
    with pytest.raises(DeviceError, match="does not take its set-up"):
        chip.initialise((1, 1))


def test_after_a_failed_write_nothing_is_taken_for_granted(chip: Mcp23017, bus: FakeBus) -> None:
    bus.broken = True
    with pytest.raises(DeviceError):
        chip.write((0x56, 0xAA))
    assert chip.latches is None
    bus.broken = False
    assert chip.write((0x56, 0xAA))
    assert bus.log == [(OLATA, (0x56, 0xAA))]


def test_close_closes_the_bus(chip: Mcp23017, bus: FakeBus) -> None:
    chip.close()
    assert bus.closed


class DisturbedBus(FakeBus):
    """A bus whose next transfers fail."""

    failing = 0
    number = errno.EREMOTEIO

    def _check(self, address: int) -> None:
        if self.failing:
            self.failing -= 1
            raise OSError(self.number, "disturbed")
        super()._check(address)


@pytest.mark.parametrize("failing", range(ATTEMPTS))
def test_a_disturbed_transfer_is_repeated_at_once(failing: int) -> None:
    bus = DisturbedBus()
    chip = Mcp23017(bus, 0x21, 1)
    chip.initialise((0, 0))
    bus.failing = failing
    assert chip.write((1, 0))
    assert bus.registers[OLATA] == 1
    bus.failing = failing
    assert chip.read_back().latches == (1, 0)


def test_a_chip_that_stays_away_is_given_up_after_a_few_attempts() -> None:
    bus = DisturbedBus()
    chip = Mcp23017(bus, 0x21, 1)
    bus.failing = 100
    with pytest.raises(DeviceError):
        chip.read_back()
    assert bus.failing == 100 - ATTEMPTS


def test_a_time_out_is_not_repeated() -> None:
    bus = DisturbedBus()
    bus.failing, bus.number = 100, errno.ETIMEDOUT
    with pytest.raises(DeviceError):
        Mcp23017(bus, 0x21, 1).read_back()
    assert bus.failing == 99


def test_a_board_that_pulls_at_0_is_inverted_in_both_directions(bus: FakeBus) -> None:
    chip = Mcp23017(bus, 0x21, 1, (0x0F, 0x80))
    chip.initialise((0b0101, 0))
    assert bus.registers[OLATA : OLATA + 2] == [0b1010, 0x80]
    chip.write((0b0101, 0x80))
    assert bus.registers[OLATA : OLATA + 2] == [0b1010, 0]
    bus.registers[GPIOA : GPIOA + 2] = bus.registers[OLATA : OLATA + 2]
    seen = chip.read_back()
    assert seen.latches == seen.pins == chip.latches == (0b0101, 0x80)
