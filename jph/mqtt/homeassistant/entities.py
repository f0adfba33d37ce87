"""Home Assistant's classes and units of values, and the parts of a device. Pure.

Only platforms, classes and keys that Home Assistant knows since 2024.11 are used: one platform that
it does not know makes it refuse the whole device.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jph.config.model import Sensor

PLATFORMS: Final = frozenset(
    {"binary_sensor", "button", "climate", "number", "select", "sensor", "switch"}
)
TEXTS: Final = frozenset({"text", "string"})
LONGEST_STATE: Final = 255
"""Characters of a state in Home Assistant."""


class Component(NamedTuple):
    """One entity of a device.

    Attributes:
        key: its id within the house: codifier, and a part where the codifier has several.
        platform: climate, sensor …
        name: without the device's name; None: it is the device itself.
        codifier: the codifier that must not be late; empty: only the bridge must live.
        config: further keys of the description.
    """

    key: str
    platform: str
    name: str | None
    codifier: str
    config: Mapping[str, Any]


class Device(NamedTuple):
    """A device of Home Assistant: a node, a heater or a room."""

    codifier: str
    name: str
    model: str
    area: str
    via: str
    components: tuple[Component, ...]


class Measure(NamedTuple):
    """What Home Assistant calls a quantity: class, sort of statistics, unit."""

    device_class: str
    state_class: str
    unit: str


_M: Final = "measurement"
_T: Final = "total_increasing"
MEASURES: Final[Mapping[str, Measure]] = {
    **dict.fromkeys(("°C", "C", "℃", "degC"), Measure("temperature", _M, "°C")),
    "°F": Measure("temperature", _M, "°F"),
    "%": Measure("", _M, "%"),
    "V": Measure("voltage", _M, "V"),
    "mV": Measure("voltage", _M, "mV"),
    "A": Measure("current", _M, "A"),
    "mA": Measure("current", _M, "mA"),
    "W": Measure("power", _M, "W"),
    "kW": Measure("power", _M, "kW"),
    "VA": Measure("apparent_power", _M, "VA"),
    "var": Measure("reactive_power", _M, "var"),
    "Wh": Measure("energy", _T, "Wh"),
    "kWh": Measure("energy", _T, "kWh"),
    "MWh": Measure("energy", _T, "MWh"),
    "Hz": Measure("frequency", _M, "Hz"),
    "hPa": Measure("pressure", _M, "hPa"),
    "mbar": Measure("pressure", _M, "mbar"),
    "kPa": Measure("pressure", _M, "kPa"),
    "bar": Measure("pressure", _M, "bar"),
    "Pa": Measure("pressure", _M, "Pa"),
    "lx": Measure("illuminance", _M, "lx"),
    "W/m²": Measure("irradiance", _M, "W/m²"),
    "m/s": Measure("speed", _M, "m/s"),
    "km/h": Measure("speed", _M, "km/h"),
    "mm": Measure("distance", _M, "mm"),
    "cm": Measure("distance", _M, "cm"),
    "m": Measure("distance", _M, "m"),
    "km": Measure("distance", _M, "km"),
    "ms": Measure("duration", _M, "ms"),
    "s": Measure("duration", _M, "s"),
    "min": Measure("duration", _M, "min"),
    "h": Measure("duration", _M, "h"),
    "dBm": Measure("signal_strength", _M, "dBm"),
    "p/m": Measure("", _M, "/min"),
    "€": Measure("monetary", "total", "EUR"),
    "EUR": Measure("monetary", "total", "EUR"),
    "-": Measure("", _M, ""),
    "": Measure("", _M, ""),
}
"""`Symbol` of the config → what Home Assistant calls it; others are plain sensors."""


def measure_of(sensor: Sensor) -> dict[str, str]:
    """Return the keys of a number's description that tell its quantity."""
    found = MEASURES.get(sensor.symbol, Measure("", _M, sensor.symbol[:20]))
    words = f"{sensor.short_name} {sensor.name}".casefold()
    if sensor.symbol == "%" and "humid" in words:
        found = found._replace(device_class="humidity")
    elif sensor.symbol == "%" and "batter" in words:
        found = found._replace(device_class="battery")
    elif sensor.symbol == "ppm" and "co2" in words.replace("₂", "2"):
        found = found._replace(device_class="carbon_dioxide")
    keys = ("dev_cla", "stat_cla", "unit_of_meas")
    return {key: value for key, value in zip(keys, found, strict=True) if value}


def expiry_s(sensor: Sensor) -> int | None:
    """Return after how long without a message a value is no longer known; None: never.

    A codifier with a `TimeoutWarning` of 0 sends only changes. This covers a broker that lost the
    bridge without noticing; its availability says that the codifier itself is late.
    """
    return max(90, round(3 * sensor.timeout_warning)) if sensor.timeout_warning > 0 else None


def name_of(sensor: Sensor) -> str:
    """Return the name that people see."""
    return sensor.short_name or sensor.name or sensor.codifier


def number_text(value: float) -> str:
    """Return a number as Home Assistant reads it."""
    if isinstance(value, int):
        return str(value)
    return repr(round(value, 6)) if value % 1 or abs(value) >= 1e15 else str(int(value))
