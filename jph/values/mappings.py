"""Filters that are a function of one value: scale, bounds, tables, formulas of sensors. Pure."""

import math
from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from jph.wire.codec import Value

Mapping = Callable[[Value], Value]
_MOST_POINTS: Final = 200
_ZERO_C: Final = 273.15
_ROOM_K: Final = 298.15


class RejectedError(ValueError):
    """A value that cannot be right; the message says why."""


def number_of(value: Value) -> float:
    """Return a value as a number.

    Raises:
        RejectedError: it is a text.
    """
    if isinstance(value, str):
        raise RejectedError(f"expected a number, found the text {value[:40]!r}")
    return float(value)


def key_of(value: object) -> str:
    """Return a value as the key of a table: 1, 1.0 and true are "1"."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _checked(number: float) -> float:
    if not math.isfinite(number):
        raise RejectedError("the result is no finite number")
    return number


def _number(value: Any) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a number, found {str(value)[:40]}")
    return float(value)


def _numbers(value: Any, least: int, most: int) -> list[float]:  # noqa: ANN401
    if not isinstance(value, list) or not least <= len(value) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise ValueError(f"expected a list of {count} numbers, found {str(value)[:40]}")
    return [_number(each) for each in value]


def _scale(value: Any) -> Mapping:  # noqa: ANN401
    factor = Decimal(repr(_number(value)))
    # Decimal arithmetic: 48312 × 0.001 is 48.312, not 48.312000000000005.
    return lambda raw: _checked(float(Decimal(repr(number_of(raw))) * factor))


def _offset(value: Any) -> Mapping:  # noqa: ANN401
    shift = Decimal(repr(_number(value)))
    return lambda raw: _checked(float(Decimal(repr(number_of(raw))) + shift))


def _round(value: Any) -> Mapping:  # noqa: ANN401
    if type(value) is not int or not 0 <= value <= 9:
        raise ValueError(f"expected 0 to 9 digits, found {str(value)[:40]}")
    return lambda raw: round(number_of(raw), value)


def _bounds(value: Any) -> tuple[float, float]:  # noqa: ANN401
    """Return two bounds; null is none."""
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError(f"expected [lowest, highest], found {str(value)[:40]}")
    low = -math.inf if value[0] is None else _number(value[0])
    high = math.inf if value[1] is None else _number(value[1])
    if low > high:
        raise ValueError(f"the lowest, {low:g}, is above the highest, {high:g}")
    return low, high


def _range(value: Any) -> Mapping:  # noqa: ANN401
    low, high = _bounds(value)

    def check(raw: Value) -> Value:
        number = number_of(raw)
        if not low <= number <= high:
            raise RejectedError(f"{number:g} is outside {low:g} to {high:g}")
        return raw

    return check


def _clamp(value: Any) -> Mapping:  # noqa: ANN401
    low, high = _bounds(value)
    return lambda raw: min(max(number_of(raw), low), high)


def _map(value: Any) -> Mapping:  # noqa: ANN401
    if not isinstance(value, dict) or not value:
        raise ValueError(f"expected an object of values, found {str(value)[:40]}")
    if not all(isinstance(each, str | int | float) for each in value.values()):
        raise ValueError("expected a number or a text for each value")
    table = {key: int(v) if isinstance(v, bool) else v for key, v in value.items()}

    def look_up(raw: Value) -> Value:
        found = table.get(key_of(raw), table.get("*"))
        if found is None:
            raise RejectedError(f"{str(raw)[:40]!r} is not in the table")
        return found

    return look_up


def _calibrate(value: Any) -> Mapping:  # noqa: ANN401
    if not isinstance(value, list) or not 2 <= len(value) <= _MOST_POINTS:
        raise ValueError("expected two or more points [read, true]")
    points = [tuple(_numbers(point, 2, 2)) for point in value]
    if any(one[0] >= other[0] for one, other in pairwise(points)):
        raise ValueError("expected points with rising first numbers")
    read = [point[0] for point in points]

    def correct(raw: Value) -> Value:
        number = number_of(raw)
        at = min(max(bisect_right(read, number) - 1, 0), len(points) - 2)
        (x0, y0), (x1, y1) = points[at], points[at + 1]
        return _checked(y0 + (number - x0) * (y1 - y0) / (x1 - x0))

    return correct


def _polynomial(value: Any) -> Mapping:  # noqa: ANN401
    factors = _numbers(value, 1, 9)

    def evaluate(raw: Value) -> Value:
        number, result = number_of(raw), 0.0
        for factor in reversed(factors):
            result = result * number + factor
        return _checked(result)

    return evaluate


def _divider(value: Any) -> Mapping:  # noqa: ANN401
    resistor, supply = _numbers(value, 2, 2)
    if resistor <= 0 or supply <= 0:
        raise ValueError("expected [resistor, supply voltage], both above 0")

    def resistance(raw: Value) -> Value:
        volt = number_of(raw)
        if volt <= 0.001 * supply:
            raise RejectedError(f"{volt:g} V: the sensor is shorted")
        if volt >= 0.999 * supply:
            raise RejectedError(f"{volt:g} V: the sensor is not connected")
        return (supply - volt) / volt * resistor

    return resistance


def _beta(value: Any) -> Mapping:  # noqa: ANN401
    at_25, beta = _numbers(value, 2, 2)
    if at_25 <= 0 or beta <= 0:
        raise ValueError("expected [resistance at 25 °C, beta], both above 0")

    def celsius(raw: Value) -> Value:
        ohms = number_of(raw)
        inverse = 1 / _ROOM_K + math.log(ohms / at_25) / beta if ohms > 0 else 0.0
        if inverse <= 0:
            raise RejectedError(f"{ohms:g} is no resistance of this thermistor")
        return 1 / inverse - _ZERO_C

    return celsius


MAPPINGS: Final[dict[str, Callable[[Any], Mapping]]] = {
    "Scale": _scale,
    "Offset": _offset,
    "Round": _round,
    "Range": _range,
    "Clamp": _clamp,
    "Map": _map,
    "Calibrate": _calibrate,
    "Polynomial": _polynomial,
    "Divider": _divider,
    "Beta": _beta,
}
"""Makers of the mappings, by the name in the config; a maker raises `ValueError`."""
