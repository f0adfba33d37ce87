"""Converts what a device wrote to a value of the entry's `DataType`. Pure."""

import json
import re
from typing import Any, Final

from jph.values.paths import MISSING
from jph.values.tolerant import Unknown
from jph.wire.codec import Json, Value

PLAUSIBLE: Final = 1e15
"""Largest magnitude of a number; beyond it a double does not hold each thousandth."""
MAX_TEXT: Final = 1000
"""Longest text or JSON of one value, in characters."""
_NUMBER: Final = re.compile(
    r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)\s*([^\d\s.,;:+-][^\d]{0,11})?\s*"
)
_ON: Final = frozenset({"1", "on", "true", "yes", "open", "detected"})
_OFF: Final = frozenset({"0", "off", "false", "no", "closed", "clear"})
_TEXT_TYPES: Final = frozenset({"string", "text"})


class NoValueError(ValueError):
    """A device gave no value; the message says why."""


def convert(raw: Any, data_type: str) -> Value:  # noqa: ANN401
    """Return `raw` as `data_type`: float, integer, bool, text or json.

    Raises:
        NoValueError: there is none: it is missing, unknown, not finite, or of another type.
    """
    if raw is MISSING:
        raise NoValueError("the answer does not have it")
    if raw is None:
        raise NoValueError("the device has no value (null)")
    if isinstance(raw, Unknown):
        raise NoValueError(f"the device cannot measure it ({raw.text or 'empty'})")
    if data_type == "json":
        return _json(raw)
    if data_type in _TEXT_TYPES:
        return _text(raw)
    if data_type == "bool":
        return _switch(raw)
    number = _number(raw)
    return round(number) if data_type == "integer" else float(number)


def _json(raw: Any) -> Json:  # noqa: ANN401
    try:
        text = json.dumps(raw if isinstance(raw, dict) else {"value": raw}, allow_nan=False)
    except (TypeError, ValueError):
        raise NoValueError("a part of it cannot be measured") from None
    if len(text) > MAX_TEXT:
        raise NoValueError(f"{len(text)} characters, expected up to {MAX_TEXT}")
    return Json(text)


def _text(raw: Any) -> str:  # noqa: ANN401
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if not isinstance(raw, str | int | float):
        raise NoValueError(f"expected a text, found {_kind(raw)}")
    text = str(raw)
    if len(text) > MAX_TEXT:
        raise NoValueError(f"{len(text)} characters, expected up to {MAX_TEXT}")
    return text


def _switch(raw: Any) -> int:  # noqa: ANN401
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word in _ON or word in _OFF:
            return int(word in _ON)
        raise NoValueError(f"expected on or off, found {raw[:40]!r}")
    if isinstance(raw, bool) or raw in (0, 1):
        return int(raw)
    raise NoValueError(f"expected on or off, found {str(raw)[:40]}")


def _number(raw: Any) -> int | float:  # noqa: ANN401
    if isinstance(raw, bool):
        return int(raw)
    if isinstance(raw, str):
        match = _NUMBER.fullmatch(raw)
        if match is None:
            raise NoValueError(f"expected a number such as -3.25, found {raw[:40]!r}")
        digits = match.group(1)
        raw = int(digits) if digits.lstrip("+-").isdecimal() and len(digits) < 20 else float(digits)
    if not isinstance(raw, int | float):
        raise NoValueError(f"expected a number, found {_kind(raw)}")
    if not abs(raw) <= PLAUSIBLE:  # neither is nan
        raise NoValueError(f"expected a number up to {PLAUSIBLE:g}")
    return raw


def _kind(raw: Any) -> str:  # noqa: ANN401
    if isinstance(raw, dict):
        return "an object"
    return "a list" if isinstance(raw, list) else type(raw).__name__
