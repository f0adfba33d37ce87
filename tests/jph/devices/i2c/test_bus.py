import errno
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jph.devices.i2c.bus import SocketBus, open_bus
from jph.errors import DeviceError
from tests.i2cserver import I2CServer
from tests.support import LIMIT_S


@pytest.fixture
def server(tmp_path: Path) -> Iterator[I2CServer]:
    served = I2CServer(tmp_path / "i2c.sock")
    yield served
    served.close()


def test_bytes_and_blocks(server: I2CServer) -> None:
    bus = open_bus(server.bus)
    assert bus.read_i2c_block_data(0x20, 0x00, 2) == [0xFF, 0xFF]
    bus.write_i2c_block_data(0x20, 0x14, (0xAB, 0xCD))
    bus.write_byte_data(0x20, 0x15, 0xEF)
    assert bus.read_byte_data(0x20, 0x14) == 0xAB
    assert server.writes == [(0x14, b"\xab\xcd"), (0x15, b"\xef")]
    bus.close()
    bus.close()


def test_a_missing_chip_is_an_oserror_and_the_bus_goes_on(server: I2CServer) -> None:
    bus = open_bus(server.bus)
    with pytest.raises(OSError, match="I/O error") as caught:
        bus.read_byte_data(0x21, 0)
    assert caught.value.errno == errno.EREMOTEIO
    with pytest.raises(OSError, match="I/O error"):
        bus.write_i2c_block_data(0x21, 0x14, (1, 2))
    assert bus.read_byte_data(0x20, 0) == 0xFF
    bus.close()


@pytest.mark.parametrize("bus", ["unix:/nowhere/i2c.sock", "/nowhere/i2c-1", 250])
def test_a_bus_that_is_not_there(bus: int | str) -> None:
    with pytest.raises(DeviceError, match=f"I2C bus {bus} cannot be opened"):
        open_bus(bus)


def test_a_server_that_goes_away(server: I2CServer) -> None:
    bus = open_bus(server.bus)
    assert bus.read_byte_data(0x20, 0) == 0xFF
    server.close()
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on what is seen first
        bus.read_byte_data(0x20, 0)
    bus.close()


def test_an_answer_too_late_is_never_taken_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        bus = SocketBus(str(path), answer_limit_s=0.05)
        with pytest.raises(TimeoutError):
            bus.read_byte_data(0x20, 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            bus.read_byte_data(0x20, 0)


def test_an_answer_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "slow.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                assert client.recv(4, socket.MSG_WAITALL) == bytes((2, 0x20, 0x12, 3))
                for piece in (b"\0", b"\x01", b"\x02\x03"):
                    client.sendall(piece)

        thread = threading.Thread(target=answer)
        thread.start()
        bus = open_bus(f"unix:{path}")
        assert bus.read_i2c_block_data(0x20, 0x12, 3) == [1, 2, 3]
        bus.close()
        thread.join(LIMIT_S)
