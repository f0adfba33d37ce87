"""Functions of the expression language. Pure.

A function without a result raises `ValueError` or another `ArithmeticError`: the expression has no
value then.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

_MAGNUS_A: Final = 17.625
_MAGNUS_B: Final = 243.04


class Signature(NamedTuple):
    """How a function is called: the least and the most numbers it takes."""

    least: int
    most: int
    function: Callable[..., float]


def dew_point(temperature: float, humidity: float) -> float:
    """Return the dew point in °C of air with a temperature in °C and a relative humidity in %."""
    if not 0 < humidity <= 100 or not -100 < temperature < 200:
        raise ValueError("no air has this temperature and humidity")
    gamma = math.log(humidity / 100) + _MAGNUS_A * temperature / (_MAGNUS_B + temperature)
    return _MAGNUS_B * gamma / (_MAGNUS_A - gamma)


def clamp(value: float, low: float, high: float) -> float:
    """Return `value`, or the bound that it exceeds."""
    if low > high:
        raise ValueError("the lower bound is above the upper one")
    return min(max(value, low), high)


def rounded(value: float, digits: float = 0.0) -> float:
    """Return `value` with so many decimals, 0 to 9."""
    if not 0 <= digits <= 9:
        raise ValueError("0 to 9 decimals")
    return float(round(value, int(digits)))


def _sqrt(value: float) -> float:
    return math.sqrt(value)


NUMERIC: Final = {
    "min": Signature(2, 50, min),
    "max": Signature(2, 50, max),
    "abs": Signature(1, 1, abs),
    "round": Signature(1, 2, rounded),
    "clamp": Signature(3, 3, clamp),
    "sqrt": Signature(1, 1, _sqrt),
    "log": Signature(1, 1, math.log),
    "exp": Signature(1, 1, math.exp),
    "dew_point": Signature(2, 2, dew_point),
}
"""Functions of numbers with a number as the result."""

OF_INPUT: Final = {"age": "number", "changed": "number", "fresh": "bool", "last": "", "value": ""}
"""Functions of an input, with the type of the result; empty: the type of the input.

`age(X)` is the seconds since its reading, `changed(X)` since its value became another one,
`fresh(X)` whether it counts now, `last(X)` its last value however old, `value("21")` the input of
a codifier that begins with a digit.
"""
