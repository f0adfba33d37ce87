"""Values out of files of kernel drivers: hwmon, IIO, 1-Wire, thermal zones; any file with a number.

`ADAfruitReader` and `ADCpiReader` are the original's names for a DHT22 and an ADC Pi: here the
kernel's drivers read both.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Final

from jph.config.model import Sensor, expand
from jph.config.settings import described
from jph.devices.kernel.sysfs import SysfsValue, find_device, is_power_on, read_value
from jph.errors import DeviceError
from jph.node.node import Settings
from jph.util.worker import Worker
from jph.values.convert import NoValueError, convert
from jph.values.elements import Element, PathElement, Picker
from jph.values.node import ValueNode
from jph.values.paths import MISSING

_TRIES: Final = 3
_PAUSE_S: Final = 0.5
"""Between two tries of a read that failed; a DHT22 often answers the second time."""
_TEXT_TYPES: Final = frozenset({"string", "text", "json"})
IIO: Final = "/sys/bus/iio/devices/iio:device*"
I2C: Final = "/sys/bus/i2c/devices"


class FileElement(Element, frozen=True):
    """One value of a device: a file of it."""

    file: Annotated[
        str, described("File of the device, empty where Path of the node is the file")
    ] = ""
    regex: Annotated[
        str, described("Pattern in the file; its first group, or all of it, is the value")
    ] = ""
    field: Annotated[int, described("Column of the value among blanks, from 0", ge=0)] = 0
    factor: Annotated[
        float | None,
        described("Factor of the value; without it that of the kernel's class to °C, V, A, W, %"),
    ] = None

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        self.picker()

    def picker(self) -> Picker | None:
        """Return what searches the pattern, None without one; `ValueError` for a wrong one."""
        if not self.regex:
            return None
        return Picker(PathElement(codifier=self.codifier, regex=self.regex))


class FilesSettings(Settings, frozen=True):
    """One device, found by a glob and its driver's name."""

    path: Annotated[str, described("Path or glob of the device's folder, or of one file")]
    elements: Annotated[tuple[FileElement, ...], described("Values of the device")]
    name: Annotated[
        str, described("Content of the device's file `name`: numbers change, names stay")
    ] = ""
    gpio: Annotated[int | None, described("GPIO of the device in the device tree")] = None


class Files(ValueNode, type="Files", settings=FilesSettings):
    """Publish files of one device each `SensorInterval`.

    A read that fails is tried three times; then nothing is sent, and the log names the reason.
    """

    async def open(self) -> None:
        """Prepare the elements and a thread: a read may block for a second."""
        await super().open()
        self._worker = Worker(f"{self.codifier} files")
        self._last_c: dict[str, float] = {}

    async def close(self) -> None:
        """End the thread."""
        self._worker.stop()

    async def read(self, now_ms: int) -> None:
        """Read each file, one after the other."""
        source = self.source
        try:
            device = await self._worker.run(
                find_device, expand(source.path), source.name, source.gpio
            )
        except (DeviceError, OSError) as error:
            self.explain("device", str(error))
            return
        for element in self.described:
            assert isinstance(element, FileElement)
            await self._read_one(device, element)

    async def _read_one(self, device: Path, element: FileElement) -> None:
        for tries_left in reversed(range(_TRIES)):
            try:
                found = await self._worker.run(read_value, device, element.file)
            except (OSError, DeviceError, ValueError) as error:
                if tries_left and not isinstance(error, FileNotFoundError):
                    await asyncio.sleep(_PAUSE_S)
                    continue
                self.explain(element.codifier, str(error))
                return
            self.show_raw(f"{device / element.file}: {found.text.strip()}")
            self._take_file(device / element.file, element, found)
            return

    def _take_file(self, path: Path, element: FileElement, found: SysfsValue) -> None:
        code = element.codifier
        raw: Any = self._word(element, found.text)
        own = self.elements.get(code, self.entry)
        if own.data_type not in _TEXT_TYPES and raw is not MISSING:
            factor = found.factor if element.factor is None else element.factor
            try:
                raw = _scaled(raw, factor) if factor != 1 else raw
            except NoValueError as error:
                self.explain(code, str(error))
                return
            if isinstance(raw, float) and is_power_on(path, raw, self._last_c.get(code)):
                self.explain(code, "85 °C is what the sensor says after power-on, no reading")
                return
        if isinstance(raw, float):
            self._last_c[code] = raw
        self.take(code, raw)

    def _word(self, element: FileElement, text: str) -> Any:  # noqa: ANN401
        if (picker := element.picker()) is not None:
            return picker.pick(text)
        words = text.split()
        return words[element.field] if element.field < len(words) else MISSING


def _scaled(raw: Any, factor: float) -> float:  # noqa: ANN401
    """Return a number in its unit, in decimal arithmetic: 48312 × 0.001 is 48.312."""
    number = convert(raw, "float")
    return float(Decimal(repr(number)) * Decimal(repr(factor)))


class PinEntry(Settings, frozen=True):
    """A further element of the original's settings."""

    codifier: Annotated[str, described("Codifier of the element")]
    pin: Annotated[str, described("Input of the ADC Pi, 1 to 8")] = ""


class PinSettings(Settings, frozen=True):
    """Settings of the original."""

    pin: Annotated[str, described("GPIO of the sensor, or input of the ADC Pi")]
    proxy: Annotated[tuple[PinEntry, ...], described("Further elements")] = ()

    def __post_init__(self) -> None:
        for pin in (self.pin, *(each.pin for each in self.proxy if each.pin)):
            if not pin.isdecimal() or int(pin) > 63:
                raise ValueError(f"Pin: expected a number, found {pin!r}")


class AdafruitReader(Files, type="ADAfruitReader", settings=PinSettings):
    """The original's DHT22: °C of the node, % of its elements, from the IIO device on its pin."""

    @classmethod
    def source_of(cls, entry: Sensor, settings: Any) -> FilesSettings:  # noqa: ANN401
        """Return the IIO device of the pin, with ranges and leaps of a DHT22 refused."""
        assert isinstance(settings, PinSettings)
        own = FileElement(
            codifier=entry.codifier,
            file="in_temp_input",
            filter=({"Range": [-40, 80]}, {"Leap": 5}),
        )
        others = [
            FileElement(
                codifier=each.codifier,
                file="in_humidityrelative_input",
                filter=({"Range": [0, 100]}, {"Leap": 20}),
            )
            for each in settings.proxy
        ]
        return FilesSettings(path=IIO, gpio=int(settings.pin), elements=(own, *others))


class AdcPiReader(ValueNode, type="ADCpiReader", settings=PinSettings):
    """The original's ADC Pi with thermistors: inputs 1 to 4 and 5 to 8 are two chips."""

    @classmethod
    def elements_of(cls, entry: Sensor, settings: Any) -> Sequence[Element]:  # noqa: ANN401
        """Return one element an input, with the original's formula."""
        assert isinstance(settings, PinSettings)
        pins = [(entry.codifier, settings.pin), *((e.codifier, e.pin) for e in settings.proxy)]
        return [
            Element(codifier=code, filter=THERMISTOR) for code, pin in pins if pin in _ADC_INPUTS
        ]

    async def read(self, now_ms: int) -> None:
        """Read each input through the kernel's driver of its chip."""
        pins = [(self.codifier, self.settings.pin)]
        pins += [(each.codifier, each.pin) for each in self.settings.proxy]
        for code, pin in pins:
            if pin not in _ADC_INPUTS:
                self.explain(code, f"the ADC Pi has inputs 1 to 8, not {pin or 'none'}")
                continue
            chip, channel = divmod(int(pin) - 1, 4)
            try:
                device = find_device(f"{I2C}/*-00{68 + chip}/iio:device*")
                found = read_value(device, f"in_voltage{channel}_raw")
                self.show_raw(f"{device}: {found.text.strip()}")
                self.take(code, _scaled(found.text, found.factor))
            except (OSError, DeviceError, NoValueError) as error:
                self.explain(code, str(error))
            await asyncio.sleep(0)


THERMISTOR: Final[tuple[dict[str, Any], ...]] = (
    {"Scale": 2.471},
    {"Divider": [16.8, 5]},
    {"Range": [0.5, 28]},
    {"Polynomial": [60.589, -4.2327, 0.0755]},
)
"""The board's divider, the thermistor behind 16.8 kΩ at 5 V, the original's fit up to 28 kΩ."""
_ADC_INPUTS: Final = frozenset("12345678")
