"""Values as text for sentences and for pages before their scripts run. Pure.

Pages that run scripts get number and unit and format them in the browser.
"""

import json
import math
import re
from typing import Final

from jph.config.house.house import DEGREES

LONGEST_TEXT: Final = 80
"""Characters of a text value that a page shows; a sender may put 60 kB there."""

_SPACE: Final = "\u202f"  # the narrow space that separates thousands (SI Brochure, 5.4.4)
_MINUS: Final = "\u2212"
_UNITS: Final = {**dict.fromkeys(DEGREES, "°C"), "p/m": "/min", "-": ""}
_PERIODS: Final = {
    "TH": "all hours",
    "HC": "off-peak",
    "HP": "peak",
    "HN": "normal",
    "PM": "moving peak",
}
"""Tariff periods of a meter in historique mode (Enedis-NOI-CPT_54E, label PTEC); Tempo's add the
colour of the day."""
_COLOURS: Final = {"JB": "blue day", "JW": "white day", "JR": "red day"}
_MISSING: Final = "–"
_TOO_LONG: Final = 1e15
"""From here on a double does not hold each whole number; people do not read so many digits."""
_DIGITS: Final = re.compile(f"[{_MINUS}-]?[0-9{_SPACE}]+(\\.[0-9]+)?(e[-+]?[0-9]+)?")


def unit_of(symbol: str) -> str:
    """Return the unit a config's `Symbol` stands for; the original writes degrees as a bare C."""
    return _UNITS.get(symbol, symbol)


def is_temperature(symbol: str) -> bool:
    """Whether a config's `Symbol` is degrees Celsius."""
    return symbol in DEGREES


def number_of(value: str) -> float | None:
    """Return the finite number that a hash's `Value` holds, None for text.

    A JSON object counts by its `"value"`, as on the wire.
    """
    if value.startswith("{"):
        value = _value_in(value)
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def shown(value: str, symbol: str, data_type: str = "") -> tuple[str, str]:
    """Return `value` as text and its unit, both ready to be shown (not escaped)."""
    number = number_of(value)
    unit = unit_of(symbol)
    if number is None:
        return _text(value), ""
    if data_type == "bool":
        return ("on" if number else "off"), ""
    # A thermometer's second decimal is noise, and a missing one is restless.
    if unit == "°C" and abs(number) < _TOO_LONG:
        return f"{number:.1f}".replace("-", _MINUS), unit
    return figure(number), unit


def encodable(text: str) -> str:
    """Return a text that any encoding can carry: a JSON escape may be half a character."""
    return text.encode("utf-8", "replace").decode()


def tariff(value: str) -> str:
    """Return a tariff period of the meter in words; standard mode has words of its own."""
    code = value.rstrip(". ")
    word = _PERIODS.get(code[:2], "") if len(code) in (2, 4) else ""
    colour = _COLOURS.get(code[2:], "")
    if not word or (code[2:] and not colour):
        return _text(value)
    return f"{word}, {colour}" if colour else word


def figure(number: float) -> str:
    """Return `number` with three or more significant digits, thousands set apart."""
    size = abs(number)
    if size >= _TOO_LONG:
        return f"{number:.3g}".replace("-", _MINUS)
    if float(number).is_integer():
        decimals = 0
    else:
        decimals = 2 if size < 10 else 1
        if size < 0.1:
            return f"{number:.3g}".replace("-", _MINUS)
    text = f"{number:,.{decimals}f}".replace(",", _SPACE)
    return text.replace("-", _MINUS)


def decimal(text: str, language: str) -> str:
    """Return a text of digits with the comma where the language wants one; other texts stay."""
    return text.replace(".", ",") if language == "fr" and _DIGITS.fullmatch(text) else text


def _value_in(text: str) -> str:
    """Return the `"value"` of a JSON object as text, "" when there is none."""
    try:
        value = json.loads(text).get("value", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return encodable(str(value))


def _text(value: str) -> str:
    """Return a text value in one line of bounded length."""
    if value.startswith("{"):
        value = _value_in(value) or value
    line = " ".join(value[: 2 * LONGEST_TEXT].split())
    if len(line) > LONGEST_TEXT:
        return f"{line[: LONGEST_TEXT - 1]}…"
    return line or _MISSING
