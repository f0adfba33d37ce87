"""The chips on their socket, through the I2C client that the pilot card uses."""

import contextlib
import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jph.devices.i2c.bus import I2CBus, open_bus
from jph.devices.i2c.mcp23017 import OLATA, Mcp23017
from jph.errors import DeviceError
from jph.heating.orders.coding import Order, encode
from jph.sim.chips.i2cbus import I2cBus, Outputs
from jph.sim.chips.server import CLIENTS_LIMIT, I2cServer
from tests.support import LIMIT_S

CARD = 0x21


class Seen(list[tuple[int, Outputs]]):
    """The changes of outputs that the bus reported."""

    def note(self, address: int, outputs: Outputs) -> None:
        self.append((address, outputs))


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def bus(seen: Seen) -> I2cBus:
    return I2cBus((0x20, CARD, 0x22), seen.note)


@pytest.fixture
def path(bus: I2cBus, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "house" / "i2c.sock"
    server = I2cServer(path, bus)
    server.start()
    yield path
    server.close()
    assert not path.exists()


@pytest.fixture
def client(path: Path) -> Iterator[I2CBus]:
    client = open_bus(f"unix:{path}")
    yield client
    client.close()


def test_a_driver_initialises_a_chip_and_its_outputs_are_told_once(
    client: I2CBus, seen: Seen
) -> None:
    chip = Mcp23017(client, CARD, "the house's")
    latches = encode({1: Order.OFF, 4: Order.ECO, 5: Order.FROST})
    chip.initialise(latches)
    chip.initialise(latches)
    assert seen == [(CARD, latches)]
    assert client.read_i2c_block_data(CARD, OLATA, 2) == list(latches)


def test_bytes_and_blocks(client: I2CBus, bus: I2cBus) -> None:
    client.write_byte_data(0x22, 0x14, 0xC3)
    assert client.read_byte_data(0x22, 0x14) == 0xC3
    client.write_i2c_block_data(0x22, 0x14, [1, 2])
    assert bus.chips[0x22].read(0x14, 2) == b"\1\2"


@pytest.mark.parametrize("address", [0x27, CARD])
def test_a_chip_that_is_not_there_or_silent_does_not_acknowledge(
    client: I2CBus, bus: I2cBus, address: int
) -> None:
    bus.silent = frozenset((CARD,))
    with pytest.raises(OSError, match="Remote I/O error") as caught:
        client.read_byte_data(address, 0)
    assert caught.value.errno == errno.EREMOTEIO
    bus.silent = frozenset()
    assert client.read_byte_data(CARD, 0) == 0xFF


@pytest.mark.parametrize("request_", [b"\x09\x21\0\0", b"\x02\x21\0\0", b"\x02\x21\0\xff"])
def test_a_request_that_is_none_is_refused_and_the_next_one_served(
    path: Path, request_: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(request_)
        assert client.recv(64) == bytes((errno.EINVAL,))
        client.sendall(b"\0\x21\0\0")
        assert client.recv(64) == b"\0\xff"


def test_requests_may_come_in_pieces_and_together(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(LIMIT_S)
        for piece in (b"\x03", b"\x21\x14\x02\xaa", b"\x55\x02\x21\x14\x02\0\x21\0"):
            client.sendall(piece)
        client.sendall(b"\0")
        answers = b""
        while len(answers) < 6:
            answers += client.recv(64)
        assert answers == b"\0" + b"\0\xaa\x55" + b"\0\xff"


def test_clients_come_and_go(path: Path) -> None:
    with contextlib.ExitStack() as crowd:
        for _ in range(CLIENTS_LIMIT):
            client = crowd.enter_context(contextlib.closing(open_bus(f"unix:{path}")))
            assert client.read_byte_data(CARD, 0) == 0xFF
        one_more = crowd.enter_context(contextlib.closing(open_bus(f"unix:{path}")))
        with pytest.raises(OSError, match=r"closed|reset|Broken pipe"):
            one_more.read_byte_data(CARD, 0)
    with let_in(path) as again:
        assert again.recv(2) == b"\0\xff"


def let_in(path: Path) -> socket.socket:
    """Return a connection on which a request has just been made, once the server lets one in."""
    while True:
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        with contextlib.suppress(OSError):
            client.sendall(b"\0\x21\0\0")
            if client.recv(1, socket.MSG_PEEK):
                return client
        client.close()


def test_what_a_killed_simulator_left_is_taken_over(tmp_path: Path, bus: I2cBus) -> None:
    path = tmp_path / "i2c.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    server = I2cServer(path, bus)
    server.start()
    client = open_bus(f"unix:{path}")
    assert client.read_byte_data(CARD, 0) == 0xFF
    client.close()
    server.close()


def test_a_place_where_no_socket_can_be_is_told(tmp_path: Path, bus: I2cBus) -> None:
    with pytest.raises(DeviceError, match="no I2C bus at"):
        I2cServer(tmp_path / ("long" * 80) / "i2c.sock", bus).start()
