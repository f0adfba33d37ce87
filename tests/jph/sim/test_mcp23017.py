"""The chip's registers: power-on values, outputs, addressing."""

import pytest

from jph.sim.chips.mcp23017 import Mcp23017

IODIRA, IODIRB, IPOLA, IOCON, GPPUA, INTFA, GPIOA, GPIOB, OLATA, OLATB = (
    0x00, 0x01, 0x02, 0x0A, 0x0C, 0x0E, 0x12, 0x13, 0x14, 0x15,
)  # fmt: skip


@pytest.fixture
def chip() -> Mcp23017:
    return Mcp23017()


def test_power_on_is_all_inputs_and_nothing_driven(chip: Mcp23017) -> None:
    assert chip.read(0, 22) == b"\xff\xff" + bytes(20)
    assert chip.outputs == (0, 0)


def test_latches_show_only_on_outputs(chip: Mcp23017) -> None:
    chip.write(OLATA, b"\xa5\x5a")
    assert chip.outputs == (0, 0)
    chip.write(IODIRA, b"\x0f\x00")
    assert chip.outputs == (0xA0, 0x5A)
    assert chip.read(OLATA, 2) == b"\xa5\x5a"
    assert chip.read(GPIOA, 2) == b"\xa0\x5a"


def test_writing_a_port_writes_its_latch(chip: Mcp23017) -> None:
    chip.write(IODIRA, b"\0\0")
    chip.write(GPIOB, b"\x3c")
    assert chip.read(OLATB) == b"\x3c"
    assert chip.outputs == (0, 0x3C)


def test_inputs_show_pull_ups_and_polarity(chip: Mcp23017) -> None:
    chip.write(GPPUA, b"\xf0")
    chip.write(IPOLA, b"\x3c")
    assert chip.read(GPIOA) == b"\xcc"


def test_read_only_registers_and_the_unused_bit_take_no_notice(chip: Mcp23017) -> None:
    chip.write(INTFA, b"\xff\xff\xff\xff")
    assert chip.read(INTFA, 4) == bytes(4)
    chip.write(IOCON, b"\x41")
    assert chip.read(IOCON, 2) == b"\x40\x40"


def test_blocks_go_round_after_the_last_register(chip: Mcp23017) -> None:
    chip.write(OLATB, b"\x11\x22")
    assert chip.read(OLATB) == b"\x11"
    assert chip.read(IODIRA) == b"\x22"


def test_byte_mode_toggles_between_the_ports(chip: Mcp23017) -> None:
    chip.write(IOCON, b"\x20")
    chip.write(OLATA, b"\x01\x02\x03")
    assert chip.read(OLATA, 2) == b"\x03\x02"


def test_bank_1_lays_the_ports_apart(chip: Mcp23017) -> None:
    chip.write(IOCON, b"\x80")
    chip.write(0x0A, b"\x01")  # OLATA
    chip.write(0x1A, b"\x02")  # OLATB
    assert chip.read(0x0A, 1) + chip.read(0x1A, 1) == b"\x01\x02"
    chip.write(0x05, b"\x00")  # IOCON
    assert chip.read(OLATA, 2) == b"\x01\x02"
    chip.write(0x40, b"\xff")
    assert chip.read(0x40) == b"\0"
