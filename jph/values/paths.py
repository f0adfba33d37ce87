"""Paths into an answer: names, indexes, or any JMESPath expression. Pure.

Names with dots and indexes (`temps[0].value`, `"a.b".c`, `[1]`) need no library; any other
expression imports `jmespath` when it is compiled.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from jph.extras import advice
from jph.values.tolerant import Unknown

Find = Callable[[Any], Any]
"""Returns what a path leads to, or `MISSING`."""

MAX_PATH: Final = 500
_STEP: Final = re.compile(
    r'(?:^|\.)([A-Za-z_][A-Za-z0-9_]*)|(?:^|\.)"([^"\\]+)"|\[(-?[0-9]{1,6})\]'
)


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""Result of a path that leads nowhere."""


def compile_path(path: str) -> Find:
    """Return a function that follows `path`; an empty path is the whole answer.

    Raises:
        ValueError: the path is wrong, or its expression needs a library that is missing.
    """
    if len(path) > MAX_PATH:
        raise ValueError(f"a path of {len(path)} characters, expected up to {MAX_PATH}")
    if not path or path == "@":
        return lambda record: record
    steps = _steps(path)
    if steps is not None:
        return lambda record: follow(record, steps)
    try:
        import jmespath  # only answers whose path has more than names need it
    except ImportError:
        raise ValueError(advice(f"the path {path!r}", ["jmespath"])) from None
    try:
        compiled = jmespath.compile(path)
    except Exception as error:
        raise ValueError(f"the path {path!r} is no JMESPath: {_first_line(error)}") from None

    def search(record: Any) -> Any:  # noqa: ANN401
        try:
            found = compiled.search(record)
        except Exception as error:  # a function on a type that it does not take
            return Unknown(_first_line(error)[:80])
        return MISSING if found is None else found

    return search


def literal(key: str) -> Find:
    """Return a function that takes one key of an object, whatever characters the key has."""
    steps = (key,)
    return lambda record: follow(record, steps)


def follow(record: Any, steps: Sequence[str | int]) -> Any:  # noqa: ANN401
    """Return what lies behind keys and indexes, or `MISSING`."""
    for step in steps:
        if isinstance(step, str):
            if not isinstance(record, dict) or step not in record:
                return MISSING
            record = record[step]
        else:
            if not isinstance(record, list) or not -len(record) <= step < len(record):
                return MISSING
            record = record[step]
    return record


def _steps(path: str) -> tuple[str | int, ...] | None:
    steps: list[str | int] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return None
        name, quoted, index = match.groups()
        steps.append(int(index) if index is not None else name or quoted)
        at = match.end()
    return tuple(steps)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
