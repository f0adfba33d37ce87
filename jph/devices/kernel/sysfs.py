"""Files of kernel drivers: finds a device by glob, name or pin, reads values in their unit.

The kernel's classes have units of their own: hwmon m°C, mV, mA and µW; IIO m°C, m% and mV, as
`_input` or as `_raw`, `_offset` and `_scale`; 1-Wire and thermal zones m°C. A read may block for
a second, so it is called in a thread.
"""

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from jph.errors import DeviceError

MAX_BYTES: Final = 65_536
_MOST_DEVICES: Final = 1000
_HWMON: Final = {"temp": 1e-3, "in": 1e-3, "curr": 1e-3, "power": 1e-6, "energy": 1e-6}
_HWMON_FILE: Final = re.compile(r"(temp|in|curr|power|energy|humidity|fan)[0-9]*_[a-z0-9_]+")
_IIO: Final = {"temp": 1e-3, "humidityrelative": 1e-3, "voltage": 1e-3, "current": 1e-3}
_IIO_FILE: Final = re.compile(r"in_([a-z]+)([0-9a-z_-]*)_(input|raw)")
_IN_VOLTS: Final = re.compile(r"mcp342[1-8]")
"""Drivers whose scale gives volts, although the class has millivolts."""
_POWER_ON_C: Final = 85.0
_NEAR_POWER_ON_K: Final = 10.0


class SysfsValue(NamedTuple):
    """The text of a file, and the factor from its unit to °C, V, A, W, J or %."""

    text: str
    factor: float


def find_device(pattern: str, name: str = "", gpio: int | None = None) -> Path:
    """Return the one path that a glob means, with this driver name and this GPIO.

    Raises:
        DeviceError: there is none, or more than one.
    """
    fixed = re.split(r"[*?\[]", pattern)[0]
    if fixed == pattern:
        candidates = [Path(pattern)] if os.path.lexists(pattern) else []
    else:
        root = Path(fixed).parent if not fixed.endswith("/") else Path(fixed)
        relative = os.path.relpath(pattern, root)
        candidates = sorted(root.glob(relative))[:_MOST_DEVICES]
    found = [path for path in candidates if _is_meant(path, name, gpio)]
    if len(found) == 1:
        return found[0]
    meant = pattern + (f" with the name {name}" if name else "")
    meant += f" on GPIO {gpio}" if gpio is not None else ""
    if not found:
        raise DeviceError(f"no {meant}")
    which = ", ".join(path.name for path in found[:4])
    raise DeviceError(f"{len(found)} devices match {meant}: {which}; say which one")


def _is_meant(path: Path, name: str, gpio: int | None) -> bool:
    if name and _text_of(path / "name") != name:
        return False
    return gpio is None or _gpio_of(path) == gpio


def _text_of(path: Path) -> str:
    try:
        return read_file(path).strip()
    except OSError:
        return ""


def _gpio_of(path: Path) -> int | None:
    """Return the GPIO in the device-tree node of a device: phandle, line, flags."""
    for node in (path / "of_node", path / "device" / "of_node"):
        try:
            cells = (node / "gpios").read_bytes()
        except OSError:
            continue
        if len(cells) >= 8:
            return int.from_bytes(cells[4:8], "big")
    return None


def read_file(path: Path) -> str:
    """Return the text of a file, at most 64 KiB; a FIFO without a writer reads as empty.

    Raises:
        OSError: the kernel has no value: the device does not answer, or the file is not there.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, MAX_BYTES).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def read_value(device: Path, name: str) -> SysfsValue:
    """Return the file `name` of a device, or the device itself where `name` is empty.

    Raises:
        OSError: as `read_file`.
        DeviceError: the sensor says that its value is wrong.
    """
    path = device / name if name else device
    text = read_file(path)
    if match := _IIO_FILE.fullmatch(path.name):
        return _iio(path, match, text)
    if path.name == "w1_slave":
        return _w1_slave(text)
    return SysfsValue(text, factor_of(path))


def factor_of(path: Path) -> float:
    """Return the factor of a file of hwmon, 1-Wire or a thermal zone; 1 for any other."""
    folders = os.path.realpath(path.parent)
    if path.name == "temperature" and "/w1" in f"{folders}{path}":
        return 1e-3
    if path.name == "temp" and "thermal_zone" in f"{folders}{path}":
        return 1e-3
    match = _HWMON_FILE.fullmatch(path.name)
    if match is not None and "hwmon" in f"{folders}{path}":
        return 1e-3 if match.group(1) == "humidity" else _HWMON.get(match.group(1), 1.0)
    return 1.0


def _iio(path: Path, match: re.Match[str], text: str) -> SysfsValue:
    kind, index, form = match.groups()
    factor = _IIO.get(kind, 1.0)
    if form == "input":
        return SysfsValue(text, factor)
    if kind == "voltage" and _IN_VOLTS.fullmatch(_text_of(path.parent / "name")):
        factor = 1.0
    scale = _number_beside(path, f"in_{kind}{index}_scale", f"in_{kind}_scale", 1.0)
    offset = _number_beside(path, f"in_{kind}{index}_offset", f"in_{kind}_offset", 0.0)
    if not offset:
        return SysfsValue(text, scale * factor)
    try:
        return SysfsValue(repr(float(text) + offset), scale * factor)
    except ValueError:
        return SysfsValue(text, scale * factor)


def _number_beside(path: Path, own: str, shared: str, default: float) -> float:
    for name in (own, shared):
        if text := _text_of(path.parent / name):
            try:
                return float(text)
            except ValueError:
                continue
    return default


def _w1_slave(text: str) -> SysfsValue:
    lines = text.splitlines()
    if not lines or not lines[0].rstrip().endswith("YES"):
        raise DeviceError("the sensor's checksum is wrong")
    value = re.search(r"t=(-?[0-9]+)", text)
    if value is None:
        raise DeviceError("the sensor has no temperature")
    return SysfsValue(value.group(1), 1e-3)


def is_power_on(path: Path, value: float, last: float | None) -> bool:
    """Whether a 1-Wire sensor's 85 °C is its value after power-on, not a temperature.

    85 °C after a reading near it is a temperature.
    """
    if value != _POWER_ON_C or path.name not in ("temperature", "w1_slave"):
        return False
    return last is None or abs(value - last) > _NEAR_POWER_ON_K
