"""Files of kernel drivers: real trees of files as the kernel has them, then a node on a bus."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nodes.files
from jph.config.model import Network
from jph.devices.kernel.sysfs import find_device, is_power_on, read_value
from jph.errors import ConfigError, DeviceError
from jph.node.node import Node
from jph.wire.codec import Quality
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.files import AdafruitReader, AdcPiReader, Files
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}


def tree(folder: Path, **files: str) -> Path:
    """Write the files of a device; `__` in a name is `:` or `/` in none of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("place", "file", "files", "value"),
    [
        ("hwmon/hwmon2", "temp1_input", {"temp1_input": "48312\n"}, 48.312),
        ("hwmon/hwmon2", "in1_input", {"in1_input": "5012"}, 5.012),
        ("hwmon/hwmon2", "curr1_input", {"curr1_input": "-250"}, -0.25),
        ("hwmon/hwmon2", "power1_input", {"power1_input": "1250000"}, 1.25),
        ("hwmon/hwmon2", "humidity1_input", {"humidity1_input": "48100"}, 48.1),
        ("hwmon/hwmon2", "fan1_input", {"fan1_input": "1250"}, 1250.0),
        ("iio:device0", "in_temp_input", {"in_temp_input": "21500"}, 21.5),
        ("iio:device0", "in_humidityrelative_input", {"in_humidityrelative_input": "55000"}, 55.0),
        ("iio:device0", "in_pressure_input", {"in_pressure_input": "101.3"}, 101.3),
        ("iio:device0", "in_temp_raw",
         {"in_temp_raw": "3000", "in_temp_scale": "10", "in_temp_offset": "-1000"}, 20.0),
        ("iio:device0", "in_voltage1_raw",
         {"in_voltage1_raw": "2000", "in_voltage_scale": "2.5"}, 5.0),
        ("iio:device0", "in_voltage1_raw",
         {"in_voltage1_raw": "1268", "in_voltage1_scale": "0.001", "name": "mcp3424"}, 1.268),
        ("w1/devices/28-0001", "temperature", {"temperature": "-3250"}, -3.25),
        ("w1/devices/28-0001", "w1_slave", {"w1_slave": "50 05 : crc=1c YES\n50 05 t=85000"}, 85.0),
        ("thermal/thermal_zone0", "temp", {"temp": "48312"}, 48.312),
        ("elsewhere", "load", {"load": "0.52 0.6"}, 0.52),
    ],
)  # fmt: skip
def test_units_of_the_classes(
    tmp_path: Path, place: str, file: str, files: dict[str, str], value: float
) -> None:
    found = read_value(tree(tmp_path / place, **files), file)
    assert float(found.text.split()[0]) * found.factor == pytest.approx(value)


def test_a_device_is_found_by_name_and_pin(tmp_path: Path) -> None:
    one = tree(tmp_path / "iio:device0", name="dht11\n")
    tree(tmp_path / "iio:device1", name="bmp280\n")
    two = tree(tmp_path / "iio:device2", name="dht11\n")
    for device, pin in ((one, 21), (two, 20)):
        (device / "of_node").mkdir()
        cells = b"".join(n.to_bytes(4, "big") for n in (7, pin, 0))
        (device / "of_node" / "gpios").write_bytes(cells)
    pattern = str(tmp_path / "iio:device*")
    assert find_device(pattern, "bmp280").name == "iio:device1"
    assert find_device(pattern, "dht11", 20) == two
    with pytest.raises(DeviceError, match="2 devices match"):
        find_device(pattern, "dht11")
    with pytest.raises(DeviceError, match=r"no .*GPIO 4"):
        find_device(pattern, gpio=4)
    with pytest.raises(DeviceError, match="no "):
        find_device(str(tmp_path / "nowhere" / "*"))


def test_85_degrees_after_power_on_are_no_reading() -> None:
    path = Path("/sys/bus/w1/devices/28-1/temperature")
    assert is_power_on(path, 85.0, None)
    assert is_power_on(path, 85.0, 21.0)
    assert not is_power_on(path, 85.0, 84.0)
    assert not is_power_on(Path("/sys/class/hwmon/hwmon0/temp1_input"), 85.0, None)


def test_a_wrong_checksum_is_no_value(tmp_path: Path) -> None:
    device = tree(tmp_path / "28-1", w1_slave="50 05 : crc=1c NO\n50 05 t=21000")
    with pytest.raises(DeviceError, match="checksum"):
        read_value(device, "w1_slave")


def test_10000_mutated_files_never_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    source = random.Random(5)
    content = bytearray()
    monkeypatch.setattr(
        "jph.devices.kernel.sysfs.read_file", lambda _: content.decode("utf-8", "replace")
    )
    for _ in range(10_000):
        content[:] = b"50 05 : crc=1c YES\n50 05 t=21000"
        content[source.randrange(len(content))] = source.randrange(256)
        try:
            float(read_value(Path("/w1/28-1"), "w1_slave").text)
        except DeviceError:
            continue


class Hearing:
    """What a console hears of one node."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.qualities: dict[str, int] = {}

    def take(self, readings: Any) -> None:
        for reading in readings:
            if reading.flag != "n":
                self.values[reading.source] = reading.value
                self.qualities[reading.source] = reading.quality


def entries(kind: str, **settings: Any) -> list[dict[str, Any]]:
    element = {"Type": "Proxy", "Sensor": {"Codifier": "F1"}}
    return [
        {"Codifier": "F1", "Type": kind, "SensorInterval": 0.02, "Sensor": settings},
        {"Codifier": "F2", **element},
        {"Codifier": "F3", **element},
        CONSOLE,
    ]


async def hear(made: Network, node: Node, condition: Callable[[Hearing], object]) -> Hearing:
    """Run a node until a console has heard enough."""
    hearing = Hearing()
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = hearing.take
        async with running(node):
            await until(lambda: condition(hearing))
    return hearing


async def test_one_device_many_values(
    network: MakeNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree(tmp_path / "iio:device3", name="bme280", in_temp_input="21530", in_pressure_input="nan")
    described = [
        {"Codifier": "F1", "File": "in_temp_input"},
        {"Codifier": "F2", "File": "in_pressure_input"},
        {"Codifier": "F3", "File": "in_temp_input", "Filter": [{"Range": [0, 10]}]},
    ]
    made = network(*entries("Files", Path=str(tmp_path / "*"), Name="bme280", Elements=described))
    found = await hear(made, Files("F1", made), lambda h: "F3" in h.values)
    assert found.values == {"F1": 21.53, "F3": 21.53}
    assert found.qualities["F3"] == Quality.IMPLAUSIBLE
    assert "F2: no value" in caplog.text


async def test_the_originals_dht22_by_its_pin(
    network: MakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tree(
        tmp_path / "iio:device0", in_temp_input="21500", in_humidityrelative_input="48100"
    )
    (device / "of_node").mkdir()
    (device / "of_node" / "gpios").write_bytes(bytes([0, 0, 0, 7, 0, 0, 0, 21, 0, 0, 0, 0]))
    monkeypatch.setattr(nodes.files, "IIO", str(tmp_path / "iio:device*"))
    made = network(*entries("ADAfruitReader", Pin="21", Proxy=[{"Codifier": "F2"}]))
    found = await hear(made, AdafruitReader("F1", made), lambda h: "F2" in h.values)
    assert found.values == {"F1": 21.5, "F2": 48.1}


async def test_the_originals_thermistors(
    network: MakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(
        tmp_path / "1-0068" / "iio:device1",
        name="mcp3424", in_voltage1_raw="1268", in_voltage1_scale="0.001",
        in_voltage0_raw="0", in_voltage0_scale="0.001",
    )  # fmt: skip
    monkeypatch.setattr(nodes.files, "I2C", str(tmp_path))
    made = network(*entries("ADCpiReader", Pin="2", Proxy=[{"Codifier": "F2", "Pin": "1"}]))
    found = await hear(made, AdcPiReader("F1", made), lambda h: "F2" in h.values)
    assert found.values["F1"] == pytest.approx(25.8, abs=0.1)
    assert found.qualities["F2"] == Quality.IMPLAUSIBLE  # a short is a fault


@pytest.mark.parametrize(
    "settings",
    [{}, {"Path": "/x"}, {"Path": "/x", "Elements": [{"Codifier": "F1", "Field": -1}]},
     {"Path": "/x", "Elements": [{"Codifier": "F1", "Filter": [{"Skale": 1}]}]}],
)  # fmt: skip
def test_settings_that_cannot_be(network: MakeNetwork, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"Sensors\[F1\]"):
        Files("F1", network(*entries("Files", **settings)))
