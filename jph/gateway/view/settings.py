"""Settings of a codifier in the config, as a page may show them. Pure.

Passwords, keys, addresses and file paths are replaced by dots, by the name of the key or by the
value itself.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from jph.config.model import Sensor

HIDDEN: Final = "•••"
MOST_LINES: Final = 60
_LONGEST: Final = 200
_SECRET: Final = re.compile(r"pass|secret|token|key|credential|auth|\bpin\b", re.IGNORECASE)
_SOMEWHERE: Final = re.compile(
    r"user|login|path|file|pipe|device|socket|dir|url|host|address|sql|command", re.IGNORECASE
)
"""Where something is or how to get in, if it is a text: a chip's address is a number."""
_PLACE: Final = re.compile(r"[/\\]|://|@|^~|\$")


class Setting(NamedTuple):
    """One setting: its name with those of what it lies in, and its value as text."""

    name: str
    value: str


def settings_of(sensor: Sensor) -> list[Setting]:
    """Return what the configuration says of a codifier, line by line."""
    own = {
        "Codifier": sensor.codifier,
        "Type": sensor.type,
        "ShortName": sensor.short_name,
        "Name": sensor.name,
        "Symbol": sensor.symbol,
        "DataType": sensor.data_type,
        "Control": sensor.control,
        "Active": sensor.active,
        "KeepAliveInterval": f"{sensor.keep_alive_interval:g} s",
        "SensorInterval": f"{sensor.sensor_interval:g} s",
        "TimeoutWarning": f"{sensor.timeout_warning:g} s",
    }
    lines = [Setting(name, _text(value)) for name, value in own.items() if value != ""]
    return (lines + list(_lines("Sensor", sensor.sensor)))[:MOST_LINES]


def _lines(name: str, value: object) -> Iterator[Setting]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            whole = f"{name}.{key}"
            yield from (
                [Setting(whole, HIDDEN)] if _hidden(str(key), inner) else _lines(whole, inner)
            )
    elif isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        for number, each in enumerate(value, start=1):
            yield from _lines(f"{name}[{number}]", each)
    elif isinstance(value, list):
        yield Setting(name, ", ".join(map(_plain, value))[:_LONGEST])
    else:
        yield Setting(name, _plain(value))


def _hidden(key: str, value: object) -> bool:
    if _SECRET.search(key):
        return True
    return isinstance(value, str) and _SOMEWHERE.search(key) is not None


def _plain(value: object) -> str:
    return HIDDEN if isinstance(value, str) and _PLACE.search(value) else _text(value)


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)[:_LONGEST]
