"""Modbus RTU and SunSpec against pymodbus' server, over TCP and behind a pseudo-terminal."""

import asyncio
import os
import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.devices.modbus.rtu import frame, pdu_of, reply_size
from jph.devices.modbus.sunspec import scaled
from jph.devices.modbus.tcp import Span, read_request
from jph.errors import ConfigError, DeviceError
from jph.util.crc16 import crc16
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.modbus import Modbus
from tests.nodes.test_seriallines import Line
from tests.support import running, until

pytest.importorskip("pymodbus")
from pymodbus import FramerType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

MakeNetwork = Callable[..., Network]


def words(data: bytes) -> list[int]:
    return [each for (each,) in struct.iter_unpack(">H", data)]


def sunspec() -> list[int]:
    """Return the registers of an inverter: common model, model 103, end."""
    inverter = [0] * 50
    power, factor = -1234 & 0xFFFF, -1 & 0xFFFF
    inverter[12:14] = [power, factor]  # W
    inverter[14:16] = [5002, -2 & 0xFFFF]  # Hz
    inverter[22:25] = [1, 2, 0]  # Wh
    inverter[31:36] = [0x8000, 0, 0, 0, 0]  # no temperature
    return [*words(b"SunS"), 1, 4, 0, 0, 0, 0, 103, 50, *inverter, 0xFFFF, 0]


@asynccontextmanager
async def server(framer: FramerType, values: list[int], first: int) -> AsyncIterator[int]:
    """Serve holding registers as unit 7; yield the port."""
    device = SimDevice(7, [SimData(first, values=values, datatype=DataType.REGISTERS)])
    served = ModbusTcpServer(device, framer=framer, address=("127.0.0.1", 0))
    await served.serve_forever(background=True)
    listening: Any = served.transport
    yield listening.sockets[0].getsockname()[1]
    stopping: Any = served
    await stopping.shutdown()


def entries(device: str, *elements: dict[str, Any], **settings: Any) -> list[dict[str, Any]]:
    codes = [each["Codifier"] for each in elements[1:]]
    return [
        {"Codifier": "E1", "Type": "Modbus", "SensorInterval": 0.05,
         "Sensor": {"Device": device, "Unit": 7, "Elements": list(elements), **settings}},
        *({"Codifier": c, "Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "E1"}}
          for c in codes),
        {"Codifier": "CC", "Type": "ControlProgram"},
    ]  # fmt: skip


@asynccontextmanager
async def heard_of(made: Network) -> AsyncIterator[tuple[dict[str, Any], ListeningProgram]]:
    heard: dict[str, Any] = {}
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(Modbus("E1", made)):
            yield heard, console


async def test_rtu_over_tcp_reads_and_writes(network: MakeNetwork) -> None:
    values = [*words(struct.pack(">f", 21.5)), 5, 0]
    async with server(FramerType.RTU, values, 10) as port:
        made = network(*entries(
            f"rtu+tcp://127.0.0.1:{port}",
            {"Codifier": "E1", "Register": 10, "Type": "float32"},
            {"Codifier": "E2", "Register": 12, "Write": True},
        ))  # fmt: skip
        async with heard_of(made) as (heard, console):
            await until(lambda: heard == {"E1": 21.5, "E2": 5.0})
            console.send_control("A", "E2", 40.0)
            await until(lambda: heard["E2"] == 40.0)


async def test_a_serial_port(
    network: MakeNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    async with server(FramerType.RTU, [7, 8], 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = Line(tmp_path / "rs485")
        loop.add_reader(line.master, lambda: writer.write(os.read(line.master, 4096)))

        async def answer() -> None:
            while data := await reader.read(4096):
                line.write(data)

        task = asyncio.create_task(answer())
        made = network(*entries(str(line.path), {"Codifier": "E1", "Register": 1}))
        async with heard_of(made) as (heard, _):
            await until(lambda: heard == {"E1": 8.0})
            loop.remove_reader(line.master)
            line.pull()
            await until(lambda: "E1: no value" in caplog.text or "holding 1" in caplog.text)
            line.plug()
            heard.clear()
            loop.add_reader(line.master, lambda: writer.write(os.read(line.master, 4096)))
            await until(lambda: heard == {"E1": 8.0})
        loop.remove_reader(line.master)
        writer.close()
        await task
        line.pull()


async def test_sunspec_finds_its_models(
    network: MakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    async with server(FramerType.SOCKET, sunspec(), 40_000) as port:
        elements = [
            {"Codifier": code, "Read": name}
            for code, name in (("E1", "power.total"), ("E2", "frequency"), ("E3", "energy.total"),
                               ("E4", "temperature"), ("E5", "meter.power"))
        ]  # fmt: skip
        made = network(*entries(f"tcp://127.0.0.1:{port}", *elements, Preset="SunSpec"))
        async with heard_of(made) as (heard, _):
            await until(lambda: len(heard) == 3 and "no model with meter.power" in caplog.text)
    assert heard == {"E1": -123.4, "E2": pytest.approx(50.02), "E3": 65_538.0}
    assert "E4: no value" in caplog.text


async def test_a_device_that_is_no_sunspec(
    network: MakeNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    async with server(FramerType.SOCKET, [1, 2, 3, 4], 0) as port:
        element = {"Codifier": "E1", "Read": "power.total"}
        made = network(*entries(f"tcp://127.0.0.1:{port}", element, Preset="SunSpec"))
        async with heard_of(made):
            await until(lambda: "no SunSpec device" in caplog.text)


def test_frames() -> None:
    request = read_request(1, 17, Span("holding", 107, 3))
    assert frame(request).hex() == "1103006b00037687"  # the example of the standard
    reply = bytes.fromhex("110306ae415652434e")
    whole = reply + crc16(reply, 0xFFFF).to_bytes(2, "little")
    assert reply_size(whole[:2]) is None
    assert reply_size(whole) == len(whole)
    assert pdu_of(whole, 17) == reply[1:]
    with pytest.raises(DeviceError, match="unit 17"):
        pdu_of(whole, 18)


def test_10000_mutated_replies_are_whole_or_refused() -> None:
    source = random.Random(4)
    reply = bytes.fromhex("110306ae415652434e")
    whole = reply + crc16(reply, 0xFFFF).to_bytes(2, "little")
    for _ in range(10_000):
        data = bytearray(whole)
        data[source.randrange(len(data))] ^= 1 << source.randrange(8)
        with pytest.raises(DeviceError):
            pdu_of(bytes(data), 17)


def test_numbers_that_are_not_measured() -> None:
    assert scaled("int16", -0x8000, 0) is None
    assert scaled("uint16", 5, -0x8000) is None
    assert scaled("uint16", 5, 2) == 500.0


@pytest.mark.parametrize("device", ["ttyUSB0", "udp://h:1", ""])
def test_devices_that_cannot_be(network: MakeNetwork, device: str) -> None:
    with pytest.raises(ConfigError, match="Device"):
        Modbus("E1", network(*entries(device, {"Codifier": "E1", "Register": 1})))
