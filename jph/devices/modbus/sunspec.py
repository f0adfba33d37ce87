"""SunSpec: models that inverters and meters have in their registers. Pure.

A device has the text `SunS` at one of three places, then one model after the other: number, length,
content. Values are integers with their power of ten in another register, or floats.
"""

from typing import Final, NamedTuple

BASES: Final = (40_000, 50_000, 0)
MARK: Final = b"SunS"
END: Final = 0xFFFF
MOST_MODELS: Final = 60
_NONE: Final = {"int16": -0x8000, "uint16": 0xFFFF, "uint32": 0, "uint64": 0}
"""Value of each type that means "not measured"; counters have 0."""


class Point(NamedTuple):
    """A value in a model: place from the model's number on, type, place of its power of ten."""

    models: tuple[int, ...]
    at: int
    kind: str
    factor_at: int | None = None


_INVERTER: Final = (101, 102, 103)
_INVERTER_FLOAT: Final = (111, 112, 113)
_METER: Final = (201, 202, 203, 204)
POINTS: Final[dict[str, tuple[Point, ...]]] = {
    "power.total": (
        Point(_INVERTER, 14, "int16", 15),
        Point(_INVERTER_FLOAT, 22, "float32"),
    ),
    "energy.total": (
        Point(_INVERTER, 24, "uint32", 26),
        Point(_INVERTER_FLOAT, 32, "float32"),
    ),
    **{
        f"current.{n + 1}": (
            Point(_INVERTER, 3 + n, "uint16", 6),
            Point(_INVERTER_FLOAT, 4 + 2 * n, "float32"),
        )
        for n in range(3)
    },
    **{
        f"voltage.{n + 1}": (
            Point(_INVERTER, 10 + n, "uint16", 13),
            Point(_INVERTER_FLOAT, 16 + 2 * n, "float32"),
        )
        for n in range(3)
    },
    "current.total": (Point(_INVERTER, 2, "uint16", 6), Point(_INVERTER_FLOAT, 2, "float32")),
    "frequency": (Point(_INVERTER, 16, "uint16", 17), Point(_INVERTER_FLOAT, 24, "float32")),
    "dc.current": (Point(_INVERTER, 27, "uint16", 28),),
    "dc.voltage": (Point(_INVERTER, 29, "uint16", 30),),
    "dc.power": (Point(_INVERTER, 31, "int16", 32),),
    "temperature": (Point(_INVERTER, 33, "int16", 37),),
    "state": (Point(_INVERTER, 38, "uint16"), Point(_INVERTER_FLOAT, 48, "uint16")),
    "meter.power": (Point(_METER, 18, "int16", 22),),
    **{f"meter.power.{n + 1}": (Point(_METER, 19 + n, "int16", 22),) for n in range(3)},
    "meter.frequency": (Point(_METER, 16, "int16", 17),),
    "meter.export": (Point(_METER, 38, "uint32", 54),),
    "meter.import": (Point(_METER, 46, "uint32", 54),),
}
"""Names of values; the first model that the device has counts."""


def find(name: str, models: dict[int, int]) -> tuple[Point, int] | None:
    """Return a point and the register of its model, by the models that a device has."""
    for point in POINTS[name]:
        for number in point.models:
            if number in models:
                return point, models[number]
    return None


def is_none(kind: str, value: float) -> bool:
    """Whether a value means that the device does not measure it."""
    return _NONE.get(kind) == value


def scaled(kind: str, value: float, power: int) -> float | None:
    """Return a value in its unit; None where it or its power of ten is not measured."""
    if is_none(kind, value) or not -10 <= power <= 10:
        return None
    return float(value * 10**power) if power >= 0 else float(value / 10**-power)
