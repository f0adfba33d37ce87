"""Placeholders of the original's template files, `{{ C4 }}`, filled with Python literals. Pure.

    {{ C4 }}                    newest value of C4
    {{ C4|DTimestamp }}         another field of it
    {{ C4|redis|Value }}        the same with its source: codifier, source, field
    {{ C4|config|Symbol }}      a key of C4's entry in the config

What is not there is `None`. A text of a reading is a quoted literal: no sender on the bus can put
code into a template.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

_PLACEHOLDER: Final = re.compile(r"(?<![\w.])0?\{\{([^{}\n]{0,100})\}\}|\{\{([^{}\n]{0,100})\}\}")
Fields = Mapping[str, Mapping[str, Any]]
"""Codifier to field to value."""


def fill(template: str, readings: Fields, config: Fields) -> str:
    """Return a template with a literal for each placeholder.

    A 0 directly before a placeholder, as the original's files write it for switches, goes.
    """

    def literal(match: re.Match[str]) -> str:
        inside = match.group(1) if match.group(1) is not None else match.group(2)
        parts = [part.strip() for part in inside.split("|")]
        source, field = "redis", "Value"
        if len(parts) == 2:
            field = parts[1]
        elif len(parts) == 3:
            source, field = parts[1:]
        elif len(parts) != 1:
            return "None"
        if source == "redis":
            return _reading(readings.get(parts[0], {}).get(field))
        if source == "config":
            return _setting(config.get(parts[0], {}).get(field))
        return "None"

    return _PLACEHOLDER.sub(literal, template)


def _reading(value: Any) -> str:  # noqa: ANN401
    return repr(value) if isinstance(value, int | float | str) else "None"


def _setting(value: Any) -> str:  # noqa: ANN401
    """Return a key of the config: text as it is, as the original did; other things as literals."""
    return value if isinstance(value, str) else repr(value)


def smallest(*values: Any) -> Any:  # noqa: ANN401
    """Return the smallest, as Python 2 did: `None` is smaller than any number."""
    found = list(values[0]) if len(values) == 1 else list(values)
    return None if any(each is None for each in found) else min(found)


def largest(*values: Any) -> Any:  # noqa: ANN401
    """Return the largest, as Python 2 did: `None` is smaller than any number."""
    found = list(values[0]) if len(values) == 1 else list(values)
    known = [each for each in found if each is not None]
    return max(known) if known else None
