"""The JSON text of a configuration: encodings, comments, repeated keys. Pure."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from jph.errors import ConfigError, Problem
from jph.util.secrets import remember_in

COMMENT: str = "_"
"""Keys that begin with this are comments."""


def read(document: bytes, name: str) -> tuple[Any, list[Problem]]:
    """Return the content of a JSON document in UTF-8, UTF-16 or UTF-32, and the repeated keys.

    Raises:
        ConfigError: it is no JSON; names line and column.
    """
    repeated: dict[int, tuple[dict[str, Any], list[str]]] = {}

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            repeated[id(made)] = (made, [key for key, count in counts.items() if count > 1])
        return made

    try:
        raw = json.loads(document, object_pairs_hook=build)
        json.dumps(raw, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{name} holds text that is no Unicode: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not JSON: {error}{_hint(document, error)}") from error
    remember_in(raw)  # before anything can print a part of it
    found = _repeated(raw, "", {key: keys for key, (_, keys) in repeated.items()})
    return raw, list(found) if repeated else []


def _hint(document: bytes, error: Exception) -> str:
    """Return the usual reason for a mistake in JSON."""
    if not document.strip():
        return " (the file is empty)"
    if not isinstance(error, json.JSONDecodeError):
        return ""
    rest, before = error.doc[error.pos : error.pos + 1], error.doc[: error.pos].rstrip()
    if "trailing comma" not in error.msg and before.endswith(",") and rest in ("}", "]", '"'):
        return " (a comma before the closing bracket?)" if rest != '"' else ""
    if error.pos >= len(error.doc.rstrip()):
        return " (the document ends too early)"
    return ""


def _repeated(raw: object, path: str, repeated: dict[int, list[str]]) -> Iterator[Problem]:
    """Yield the repeated keys below `raw`, each with its path."""
    if isinstance(raw, dict):
        for key in repeated.get(id(raw), []):
            where = f"{path}.{key}" if path else key
            yield Problem(where, f"the key {key!r} is there twice; only one would count")
        for key, value in raw.items():
            yield from _repeated(value, f"{path}.{key}" if path else key, repeated)
    elif isinstance(raw, list):
        for index, entry in enumerate(raw):
            yield from _repeated(entry, f"{path}[{label(entry, index)}]", repeated)


def label(entry: object, index: int) -> str:
    """Return the name of a list's entry in a path: its codifier, else its number."""
    code = entry.get("Codifier") if isinstance(entry, dict) else None
    return code if isinstance(code, str) else str(index)
