"""The meter node on a pseudo-terminal and a loopback network, from bytes to readings."""

import asyncio
import contextlib
import json
import os
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network, load
from jph.devices.tic.fields import STATISTICS
from jph.devices.tic.labels import HISTORIQUE, STANDARD
from jph.devices.tic.link import SerialLink
from jph.devices.tic.meter import Meter
from jph.devices.tic.reader import FrameReader
from jph.errors import ConfigError
from jph.node.node import Node
from jph.sim.meter.frames import LONG_FRAME, group
from jph.sim.meter.register import Register
from jph.wire.codec import Quality, Reading
from nodes.teleinfo import Teleinfo
from tests.jph.devices.tic.frames import (
    HISTORIQUE_SINGLE,
    HISTORIQUE_THREE,
    SHORT,
    STANDARD_THREE,
    even,
    frame,
    line,
)
from tests.support import REPOSITORY, SHARED_DATA, running, until

CAPTURES = SHARED_DATA / "tic"
EXPECTED: dict[str, dict[str, Any]] = (
    json.loads((CAPTURES / "expected.json").read_text())
    if (CAPTURES / "expected.json").exists()
    else {}
)
MakeNetwork = Callable[..., Network]
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Pty:
    """A meter's end of a line, and the path of ours."""

    def __init__(self) -> None:
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)

    async def write(self, data: bytes) -> None:
        while data:
            data = data[await asyncio.to_thread(os.write, self.master, data) :]

    def close(self) -> None:
        for descriptor in (self.master, self._slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def meter() -> Iterator[Pty]:
    pty = Pty()
    yield pty
    pty.close()


class Ear(Node, type="Ear"):
    """Keeps what it hears on the data bus."""

    def __init__(self, codifier: str, network: Network) -> None:
        super().__init__(codifier, network)
        self.batches: list[list[Reading]] = []

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.batches.append([reading for reading in readings if reading.flag != "n"])

    def heard(self, codifier: str) -> list[Reading]:
        return [r for batch in self.batches for r in batch if r.source == codifier]

    def values(self, codifier: str) -> list[object]:
        return [reading.value for reading in self.heard(codifier)]


class House:
    """A meter node and an ear for it."""

    def __init__(
        self, make: MakeNetwork, device: str, fields: dict[str, str], **settings: Any
    ) -> None:
        interval = settings.pop("SensorInterval", 60)
        proxy = [{"Codifier": code, "Field": field} for code, field in fields.items()]
        network = make(
            {
                "Codifier": "TI",
                "Type": "Teleinfo",
                "SensorInterval": interval,
                "Sensor": {"Device": device, "Proxy": proxy, **settings},
            },
            {"Codifier": "ZZ", "Type": "Ear"},
            *({"Codifier": code, "Type": "Proxy", "Sensor": {"Codifier": "TI"}} for code in fields),
        )
        self.node, self.ear = Teleinfo("TI", network), Ear("ZZ", network)

    @contextlib.asynccontextmanager
    async def live(self) -> AsyncIterator[None]:
        async with running(self.ear, self.node):
            yield

    async def plugged(self) -> None:
        await until(lambda: self.node.link.is_open)


FIELDS = {"I1": "IINST1", "I2": "IINST2", "I3": "IINST3", "W2": "ADIR2", "PA": "PAPP"}


async def test_a_frame_becomes_readings_the_phases_in_one_batch(
    network: MakeNetwork, meter: Pty
) -> None:
    house = House(network, meter.path, FIELDS | {"TP": "PTEC", "P2": "TARIFF_PERIOD"})
    async with house.live():
        await house.plugged()
        await meter.write(even(frame(HISTORIQUE_THREE)))
        await until(lambda: house.ear.heard("PA"))
    assert [house.ear.values(code) for code in ("I1", "I2", "I3")] == [[3], [14], [0]]
    assert house.ear.values("PA") == [3910]
    assert house.ear.values("TP") == ["HCJW"]
    assert house.ear.values("P2") == ["HC BLANC"]
    assert len({r.timestamp_ms for code in ("I1", "I2", "I3") for r in house.ear.heard(code)}) == 1
    assert house.node.reader.parity


async def test_currents_come_each_frame_and_the_rest_when_it_changes(
    network: MakeNetwork, meter: Pty
) -> None:
    house = House(network, meter.path, FIELDS | {"AD": "ADCO"})
    async with house.live():
        await house.plugged()
        await meter.write(frame(HISTORIQUE_THREE) * 3)
        await until(lambda: len(house.ear.heard("I3")) == 3)
    assert house.ear.values("AD") == ["041876543211"]
    assert house.ear.values("PA") == [3910]


async def test_a_short_frame_warns_at_once_and_the_warning_expires(
    network: MakeNetwork, meter: Pty
) -> None:
    house = House(network, meter.path, FIELDS, WarningExpiry=0.6)
    async with house.live():
        await house.plugged()
        await meter.write(frame(SHORT))
        await until(lambda: len(house.ear.heard("W2")) == 2)
    assert house.ear.values("W2") == [24, 0]
    assert house.ear.values("I2") == [24]


async def test_the_same_element_survives_a_change_of_mode(network: MakeNetwork, meter: Pty) -> None:
    house = House(network, meter.path, {"I2": "CURRENT_2", "X1": "INDEX_HCJB"})
    async with house.live():
        await house.plugged()
        await meter.write(frame(HISTORIQUE_THREE) + frame(STANDARD_THREE) * 4)
        await until(lambda: len(house.ear.heard("X1")) == 2)
    assert house.ear.values("X1") == [1000000, 1000001]
    assert set(house.ear.values("I2")) == {14}


async def test_damage_is_counted_told_and_never_published(network: MakeNetwork, meter: Pty) -> None:
    house = House(network, meter.path, FIELDS | {"EC": "ERRORS_CHECKSUM"}, SensorInterval=0.3)
    async with house.live():
        await house.plugged()
        damaged = line("IINST1", "031").replace(b"031", b"032")
        good = line("IINST1", "003")
        await meter.write(b"\x02\n" + b"\r\n".join((damaged, good, good, good)) + b"\r\x03")
        await until(lambda: 75.0 in house.ear.values("TI"))
        await until(lambda: house.ear.values("EC")[-1:] == [1])
        await until(lambda: house.ear.values("TI")[-1] == 0.0)  # then silence
    assert set(house.ear.values("I1")) == {3}


async def test_a_falling_index_is_sent_as_implausible(network: MakeNetwork, meter: Pty) -> None:
    house = House(network, meter.path, {"X1": "HCHC"})
    async with house.live():
        await house.plugged()
        await meter.write(frame((("HCHC", "000005000"),)) + frame((("HCHC", "000004000"),)))
        await until(lambda: len(house.ear.heard("X1")) == 2)
    told = [(reading.value, reading.quality) for reading in house.ear.heard("X1")]
    assert told == [(5000, Quality.GOOD), (4000, Quality.IMPLAUSIBLE)]


async def test_a_missing_device_is_waited_for_and_told_once(
    network: MakeNetwork, meter: Pty, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    device = tmp_path / "meter"
    house = House(network, str(device), FIELDS)

    def told(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records)

    async with house.live():
        await until(lambda: told("cannot open the meter's port"))
        device.symlink_to(meter.path)
        await house.plugged()
        await meter.write(frame(HISTORIQUE_THREE))
        await until(lambda: house.ear.heard("PA"))
    assert told("cannot open the meter's port") == 1
    assert told("the meter is heard at") == 1


async def test_a_pause_of_the_line_does_not_end_it(network: MakeNetwork, meter: Pty) -> None:
    house = House(network, meter.path, FIELDS)
    async with house.live():
        await house.plugged()
        for count in range(1, 6):
            await meter.write(frame(HISTORIQUE_THREE))
            await until(lambda count=count: house.node.reader.frames == count)
            # The timer has read an empty port, and the loop watches it again.
            await until(lambda: house.node.link._next_read is None)
    assert house.node.line.opened == 1


async def test_what_is_no_meter_is_never_heard(
    network: MakeNetwork, meter: Pty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    house = House(network, meter.path, FIELDS)
    async with house.live():
        await house.plugged()
        noise = b"\x02\x03\x02 1.2.3\r\n[    2.345678] watchdog timer\r\n\x03" * 40
        await meter.write(noise)
        await until(lambda: house.node.reader.bytes == len(noise))
        await meter.write(frame(SHORT))
        await until(lambda: house.ear.heard("I3"))
    assert not any("is heard" in record.getMessage() for record in caplog.records)
    assert house.node.reader.frames == 1


async def test_an_adapter_that_goes_away_is_read_again_when_it_is_back(
    network: MakeNetwork, meter: Pty, tmp_path: Path
) -> None:
    device = tmp_path / "meter"
    device.symlink_to(meter.path)
    house = House(network, str(device), FIELDS)
    async with house.live():
        await house.plugged()
        await meter.write(frame(SHORT))
        await until(lambda: house.ear.heard("I3"))
        meter.close()
        await until(lambda: not house.node.link.is_open)
        other = Pty()
        try:
            device.unlink()
            device.symlink_to(other.path)
            await house.plugged()
            await other.write(frame(HISTORIQUE_THREE))
            await until(lambda: house.ear.values("I3") == [1, 0])
        finally:
            other.close()


async def test_a_halted_node_is_silent_and_tells_all_when_started(
    network: MakeNetwork, meter: Pty
) -> None:
    house = House(network, meter.path, FIELDS)
    async with house.live():
        await house.plugged()
        house.ear.send_control("H", "TI")
        await until(lambda: not house.node.active)
        await meter.write(frame(HISTORIQUE_THREE))
        await until(lambda: house.node.reader.frames == 1)
        house.ear.send_control("S", "TI")
        await until(lambda: house.node.active)
        await meter.write(frame(HISTORIQUE_THREE))
        await until(lambda: house.ear.heard("PA"))
    assert house.ear.values("I1") == [3]


async def test_a_bridge_on_the_network(network: MakeNetwork) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frame(HISTORIQUE_SINGLE))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        house = House(network, f"socket://127.0.0.1:{port}", {"I1": "IINST", "PA": "PAPP"})
        async with house.live():
            await until(lambda: house.ear.heard("PA"))
    assert house.ear.values("I1")[0] == 12


async def test_a_port_without_descriptor_is_read_by_a_thread() -> None:
    taken: list[bytes] = []
    link = SerialLink("loop://", taken.append)
    await link.open(9600)
    try:
        assert link._port is not None
        link._port.write(b"IINST 002 Y\r")
        await until(lambda: b"".join(taken) == b"IINST 002 Y\r")
        assert await link.lost(0.0) is None
    finally:
        await link.close()
    assert not link.is_open


async def test_causes_are_told_in_words(network: MakeNetwork, meter: Pty) -> None:
    house = House(network, meter.path, {"TE": "CAUSES", "QY": "QUALITY"}, SensorInterval=0.2)
    async with house.live():
        await house.plugged()
        await until(lambda: house.ear.values("TE") == ["none"])
        await meter.write(frame(SHORT) + line("IINST1", "03") + b"\r" + b"IINST1 003 _\r" * 2)
        await until(lambda: house.ear.values("TE")[-1] == "checksum 2, value 1")
        rates = [v for v in house.ear.values("QY") if isinstance(v, float) and v]
        assert 0.0 < min(rates) < 100.0


def test_the_demo_house_is_told_by_its_simulated_meter() -> None:
    entry = load(str(REPOSITORY / "static" / "config.json")).sensor("TI")
    wanted = {element["Field"] for element in entry.sensor["Proxy"]}
    register = Register("041876543210", 30)
    said = b"".join(group(label, register.value(label)) for label in LONG_FRAME)
    meter, reader = Meter(15.0), FrameReader()
    facts = meter.update(reader.feed(b"\x02" + said + b"\x03"), 0.0)
    assert wanted - STATISTICS <= {fact.field for fact in facts}
    # None of them is the word of one mode only.
    assert not wanted & {*HISTORIQUE, *STANDARD}


def test_settings_are_checked(network: MakeNetwork) -> None:
    with pytest.raises(ConfigError, match="historique"):
        House(network, "/dev/null", {}, Mode="fast")
    with pytest.raises(ConfigError, match="above 0"):
        House(network, "/dev/null", {}, Silence=0)


@pytest.mark.parametrize("name", EXPECTED)
async def test_captures_label_by_label(name: str, network: MakeNetwork, meter: Pty) -> None:
    told: dict[str, str] = EXPECTED[name]["last"]
    fields = {}
    for number, label in enumerate(told):
        fields[f"{DIGITS[number // 36]}{DIGITS[number % 36]}"] = label
        fields[f"{DIGITS[10 + number // 36]}{DIGITS[number % 36]}"] = f"{label}.horodate"
    data = (CAPTURES / name).read_bytes()
    house = House(network, meter.path, fields)
    async with house.live():
        await house.plugged()
        await meter.write(data)
        await until(lambda: house.node.reader.bytes == len(data))
        meter.close()
        await until(lambda: not house.node.link.is_open)
        await until(lambda: all(house.ear.heard(code) for code in list(fields)[::2]))
        house.node.send("the end")
        await until(lambda: house.ear.heard("TI"))
    last = {field: house.ear.values(code)[-1:] for code, field in fields.items()}
    for label, expected in told.items():
        value, horodate = last[label], last[f"{label}.horodate"]
        assert as_told([*horodate, *value], expected)
    assert house.node.reader.bad == EXPECTED[name]["bad"]


def as_told(heard: list[object], expected: str) -> bool:
    """Compare what the bus said with the oracle's words: numbers by value, texts by letter."""
    if len(heard) == 1:
        return heard[0] == (int(expected) if isinstance(heard[0], int) else expected)
    horodate, value = heard
    told = expected.removeprefix(f"{horodate} ")
    return told != expected and (value == horodate if not told else value == int(told))
