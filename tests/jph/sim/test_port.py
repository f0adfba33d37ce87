"""The meter's port, with and without a reader."""

import fcntl
import sys
import termios
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from jph.errors import DeviceError
from jph.sim.meter.port import UNREAD_LIMIT, MeterPort
from tests.support import LIMIT_S


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
    port.close()


def unread(reader: BinaryIO) -> int:
    return int.from_bytes(fcntl.ioctl(reader, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_a_port_without_a_reader_blocks_no_writer(tmp_path: Path) -> None:
    port = MeterPort(tmp_path / "meter")
    for _ in range(1000):
        port.write(bytes(1000))
    port.close()


def test_who_comes_late_gets_only_what_is_fresh(tmp_path: Path) -> None:
    port = MeterPort(tmp_path / "meter")
    with port.path.open("rb", buffering=0) as reader:
        before = 0
        for number in range(100):
            port.write(b"%30d\n\n" % number)
            arrived = 32 if before > UNREAD_LIMIT else before + 32
            deadline_s = time.monotonic() + LIMIT_S
            while (before := unread(reader)) != arrived:
                assert time.monotonic() < deadline_s
        came = reader.read(4096)
    assert len(came) <= UNREAD_LIMIT + 32
    assert came.endswith(b"99\n\n")
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
