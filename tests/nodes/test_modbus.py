"""Modbus: frames as the standard has them, mutated replies, a node with a server on loopback."""

import asyncio
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest

from jph.config.model import Network
from jph.devices.modbus.tcp import (
    HEADER_SIZE,
    ORDERS,
    Span,
    arranged,
    bit,
    body_size,
    number,
    read_reply,
    read_request,
    registers,
    spans,
    write_request,
)
from jph.errors import ConfigError, DeviceError
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.modbus import Modbus
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}


def test_frames_of_the_standard() -> None:
    asked = read_request(1, 17, Span("holding", 107, 3))
    assert asked.hex() == "0001000000061103006b0003"
    assert body_size(bytes.fromhex("00010000000911"), 1, 17) == 8
    data = read_reply(asked, bytes.fromhex("0306ae415652434e"))
    assert data.hex() == "ae415652434e"
    assert write_request(2, 17, "coil", 172, b"\x01").hex() == "000200000006110500acff00"
    written = write_request(3, 17, "holding", 1, registers(0x000A0102, "uint32", "ABCD"))
    assert written.hex() == "00030000000b11100001000204000a0102"
    assert read_reply(written, bytes.fromhex("1000010002")) == b""
    assert [bit(b"\x05", index) for index in range(3)] == [1, 0, 1]


@pytest.mark.parametrize("order", ORDERS)
def test_orders_of_bytes(order: str) -> None:
    assert number(registers(21.5, "float32", order), "float32", order) == 21.5
    assert arranged(arranged(b"ABCD", order), order) == b"ABCD"
    assert arranged(b"ABCD", order) == order.encode()


def test_numbers() -> None:
    assert number(b"\xff\xfe", "int16", "ABCD") == -2
    assert number(struct.pack(">f", float("nan")), "float32", "ABCD") is None
    with pytest.raises(ValueError, match="does not fit"):
        registers(70_000, "uint16", "ABCD")


def test_neighbours_are_read_together() -> None:
    wanted = [Span("input", 0, 2), Span("input", 4, 2), Span("input", 2, 2), Span("coil", 0, 1)]
    assert list(spans(wanted)) == [Span("coil", 0, 1), Span("input", 0, 6)]
    assert len(list(spans(Span("input", 2 * n, 2) for n in range(120)))) == 3


def test_mutated_replies_are_refused_or_whole() -> None:
    source, asked = random.Random(8), read_request(1, 17, Span("holding", 107, 3))
    for _ in range(10_000):
        changed = bytearray(bytes.fromhex("0306ae415652434e"))[: source.randrange(1, 10)]
        changed[source.randrange(len(changed))] = source.randrange(256)
        try:
            assert len(read_reply(asked, bytes(changed))) == 6
        except DeviceError:
            continue
    for wrong in ("00020000000911", "00010001000911", "00010000ffff11", "00010000000912"):
        with pytest.raises(DeviceError):
            body_size(bytes.fromhex(wrong), 1, 17)


class Meter:
    """A Modbus TCP server; `refuse` has the registers that it does not know."""

    def __init__(self) -> None:
        self.words: dict[tuple[int, int], int] = {}
        self.refuse: set[int] = set()
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                header = await reader.readexactly(HEADER_SIZE)
                pdu = await reader.readexactly(struct.unpack(">H", header[4:6])[0] - 1)
                answer = self._answer(pdu)
                size = struct.pack(">H", len(answer) + 1)
                writer.write(header[:4] + size + header[6:] + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    def _answer(self, pdu: bytes) -> bytes:
        function, first, count = struct.unpack(">BHH", pdu[:5])
        if first in self.refuse:
            return bytes([function | 0x80, 2])
        if function == 16:
            for index in range(count):
                self.words[3, first + index] = struct.unpack_from(">H", pdu, 6 + 2 * index)[0]
            return pdu[:5]
        words = [self.words.get((function, first + index), 0) for index in range(count)]
        return struct.pack(f">BB{count}H", function, 2 * count, *words)

    def put(self, function: int, first: int, data: bytes) -> None:
        for index in range(len(data) // 2):
            self.words[function, first + index] = struct.unpack_from(">H", data, 2 * index)[0]


def entries(device: str, *elements: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    return [
        {"Codifier": "E1", "Type": "Modbus", "SensorInterval": 0.02,
         "Sensor": {"Device": device, "Elements": list(elements), **settings}},
        {"Codifier": "E2", "Type": "Proxy", "Control": "enabled", "DataType": "integer",
         "Sensor": {"Codifier": "E1"}},
        CONSOLE,
    ]  # fmt: skip


async def test_a_meter_that_hangs_up_and_obeys(
    network: MakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    meter = Meter()
    meter.put(4, 52, struct.pack(">f", 1234.5))
    server = await asyncio.start_server(meter.serve, "127.0.0.1", 0)
    device = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    made = network(
        *entries(device, {"Codifier": "E1", "Read": "power.total"},
                 {"Codifier": "E2", "Register": 7, "Write": True}, Preset="SDM630")
    )  # fmt: skip
    heard: dict[str, list[Any]] = {"E1": [], "E2": []}

    def read(readings: Any) -> None:
        for reading in readings:
            if reading.flag != "n":
                heard[reading.source].append(reading.value)

    async with server, on_bus(ListeningProgram("CC", made)) as console:
        console.read = read
        async with running(Modbus("E1", made)):
            await until(lambda: heard["E1"])
            console.send_control("A", "E2", 40.0)
            await until(lambda: heard["E2"][-1:] == [40])
            meter.refuse.add(7)
            await until(lambda: "it does not have the register" in caplog.text)
            count = len(heard["E1"])
            await until(lambda: len(heard["E1"]) > count)  # the other values go on
            meter.hang_up()
            await until(lambda: meter.connections == 2)
            count = len(heard["E1"])
            await until(lambda: len(heard["E1"]) > count)
        meter.hang_up()
    assert set(heard["E1"]) == {1234.5}
    assert set(heard["E2"]) == {0, 40}


@pytest.mark.parametrize(
    ("device", "element"),
    [
        ("ttyUSB0", {"Register": 1}),
        ("tcp://h:502", {}),
        ("tcp://h:502", {"Read": "power"}),
        ("tcp://h:502", {"Register": 70_000}),
        ("tcp://h:502", {"Register": 1, "Area": "input", "Write": True}),
    ],
)
def test_settings_that_cannot_be(
    network: MakeNetwork, device: str, element: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match=r"Sensors\[E1\]"):
        Modbus("E1", network(*entries(device, {"Codifier": "E1", **element})))
