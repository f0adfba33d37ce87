"""An RFXtrx433 behind a pseudo-terminal: published packets in, orders out."""

import asyncio
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.devices.radio.rfxcom import GET_STATUS, RESET, START, Packets, decode, order, refusal
from jph.errors import DeviceError
from jph.wire.codec import Flag
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.rfxcom import Rfxcom
from tests.nodes.test_seriallines import Line
from tests.support import SHARED_DATA, running, until

MakeNetwork = Callable[..., Network]
CAPTURES = SHARED_DATA / "rfxtrx" / "pyrfxtrx-packets.json"
STATUS = bytes.fromhex("0d01000102533e000c2f01010000")
WEATHER = bytes.fromhex("0a520211700280a72d0089")
"""An Oregon THGN800: −16.7 °C, 45 %."""
SENT = bytes.fromhex("0402010001")


class Transceiver(Line):
    """Answers the start sequence and each order, as the firmware does."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.heard: list[bytes] = []
        self.answer = SENT
        self._packets = Packets()

    def plug(self) -> None:
        super().plug()
        asyncio.get_running_loop().add_reader(self.master, self._readable)

    def pull(self) -> None:
        asyncio.get_running_loop().remove_reader(self.master)
        super().pull()

    def _readable(self) -> None:
        for packet in self._packets.feed(os.read(self.master, 4096)):
            self.heard.append(packet)
            if packet == GET_STATUS:
                self.write(STATUS)
            elif packet[1] != 0 and self.answer:
                self.write(self.answer)


def entries(path: Path, *described: dict[str, Any]) -> list[dict[str, Any]]:
    element = {"Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "R1"}}
    return [
        {"Codifier": "R1", "Type": "Rfxcom", "SensorInterval": 60,
         "Sensor": {"Device": str(path), "Elements": list(described)}},
        {"Codifier": "R2", **element},
        {"Codifier": "R3", "DataType": "integer", **element},
        {"Codifier": "CC", "Type": "ControlProgram"},
    ]  # fmt: skip


ELEMENTS = (
    {"Codifier": "R1", "Device": "70:02", "Key": "Temperature", "Packet": "52"},
    {"Codifier": "R2", "Device": "70:02", "Key": "Humidity"},
    {"Codifier": "R3", "Device": "1234567:2", "Set": [17, 0]},
)


async def test_packets_in_and_orders_out(
    network: MakeNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line = Transceiver(tmp_path / "rfx")
    made = network(*entries(line.path, *ELEMENTS))
    heard: dict[str, Any] = {}
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(Rfxcom("R1", made)):
            await until(lambda: line.heard[:3] == [RESET, GET_STATUS, START])
            line.write(b"\xff\x01")  # noise before a packet
            line.write(WEATHER[:4])
            line.write(WEATHER[4:])
            await until(lambda: heard == {"R1": -16.7, "R2": 45.0})
            console.send_control(Flag.SET, "R3", 1)
            await until(lambda: heard.get("R3") == 1)
            assert line.heard[-1][:10] == bytes.fromhex("0b110000012345670201")
            line.write(bytes.fromhex("0b1100050123456702000070"))  # its remote control: off
            await until(lambda: heard["R3"] == 0)
            line.answer = bytes.fromhex("0402010002")
            console.send_control(Flag.SET, "R3", 1)
            await until(lambda: "R3: the order 1 is not obeyed: it is busy" in caplog.text)
            line.pull()
            line.plug()
            await until(lambda: line.heard.count(START) == 2)
            line.write(WEATHER.replace(b"\x2d", b"\x2e"))
            await until(lambda: heard["R2"] == 46.0)
    line.pull()


@pytest.mark.skipif(not CAPTURES.is_file(), reason="no captures beside this checkout")
def test_published_packets() -> None:
    for each in json.loads(CAPTURES.read_text()):
        expected = each["pyRFXtrx_0.34.0"]
        (packet,) = [*Packets().feed(bytes.fromhex(each["hex"]))] or [b""]
        record = decode(packet) if packet else None
        if expected is None or expected["device_type"].startswith("Unknown type"):
            assert record is None
        elif expected["class"] != "StatusEvent":
            assert record is not None
            assert record["Id"] == expected["device_id"]
            assert {key: record[key] for key in expected["values"]} == expected["values"]


def test_orders() -> None:
    (on,) = order(0x11, 0, "1234567:2", 1, dim=False)
    assert on.hex().startswith("0b1100000123456702" + "01")
    (level,) = order(0x11, 0, "1234567:2", 50, dim=True)
    assert level[9:11] == bytes((2, 7))
    (rolled,) = order(0x19, 0, "009ba8:1", 1, dim=False)
    assert rolled[1] == 0x19
    for device in ("", "zz", "1234567"):
        with pytest.raises(DeviceError, match="no device"):
            order(0x11, 0, device, 1, dim=False)
    with pytest.raises(DeviceError, match="no device"):
        order(0x52, 1, "70:02", 1, dim=False)
    assert refusal(SENT) == ""
    assert refusal(WEATHER) is None


def test_10000_mutated_packets_never_crash() -> None:
    source = random.Random(11)
    seeds = [WEATHER, STATUS, bytes.fromhex("0b1100050123456702000070"),
             bytes.fromhex("105601032f0000f7002000248160825059"),
             bytes.fromhex("135b01042eb20111121415171817181920212269")]  # fmt: skip
    packets = Packets()
    for _ in range(10_000):
        data = bytearray(source.choice(seeds))
        for _ in range(source.randrange(1, 4)):
            data[source.randrange(len(data))] = source.randrange(256)
        for packet in packets.feed(bytes(data)):
            decode(packet)
            refusal(packet)
        assert len(packets._rest) <= 65
