"""The meter's port, with and without a reader."""

import os
from pathlib import Path

import pytest

from jph.errors import DeviceError
from sim.meter.port import MeterPort

KERNEL_BUFFERS = 8192
"""What a terminal may hold on its way: far less than what the test writes."""


def read(path: Path, count: int) -> bytes:
    with path.open("rb", buffering=0) as line:
        came = b""
        while len(came) < count:
            came += line.read(count - len(came)) or b""
        return came


def test_all_characters_pass_unchanged(tmp_path: Path) -> None:
    port = MeterPort(tmp_path / "house" / "meter")
    characters = bytes(range(256))
    port.write(characters)
    assert read(port.path, 256) == characters
    assert port.dropped == 0
    port.close()


def test_nobody_reading_blocks_nobody_and_leaves_only_what_is_fresh(tmp_path: Path) -> None:
    port = MeterPort(tmp_path / "meter")
    line = b"0123456789abcde\n" * 2
    for _ in range(4096):
        port.write(line)
    assert port.dropped > 4096 * len(line) - KERNEL_BUFFERS
    port.write(b"end")
    left = b""
    with port.path.open("rb", buffering=0) as reader:
        os.set_blocking(reader.fileno(), False)
        while chunk := reader.read(4096):
            left += chunk
    assert len(left) < KERNEL_BUFFERS
    assert left.endswith(b"end")
    port.close()


def test_a_reader_may_leave_and_come_back(tmp_path: Path) -> None:
    port = MeterPort(tmp_path / "meter")
    for word in (b"one", b"two"):
        port.write(word)
        assert read(port.path, 3) == word
    port.close()


def test_the_link_goes_with_its_port_but_not_with_anothers(tmp_path: Path) -> None:
    path = tmp_path / "meter"
    old = MeterPort(path)
    new = MeterPort(path)
    old.close()
    new.write(b"x")
    assert read(path, 1) == b"x"
    new.close()
    assert not path.is_symlink()


def test_a_place_where_no_link_can_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "house").write_text("a file")
    with pytest.raises(DeviceError, match="no meter port at"):
        MeterPort(tmp_path / "house" / "meter")
