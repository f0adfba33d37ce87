"""Names what an edit changed in a config, for the person who signs it. Pure."""

import json
from collections.abc import Iterator
from typing import Any, Final

_MOST: Final = 40
_SHOWN: Final = 60


def changes(before: bytes | None, after: bytes) -> list[str]:
    """Return a line for each value that differs, with its path; empty if none does."""
    old: Any = json.loads(before) if before else {}
    found = list(_differences(old, json.loads(after), ""))
    if len(found) > _MOST:
        return [*found[:_MOST], f"and {len(found) - _MOST} more"]
    return found


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    if old == new:
        return
    old, new = _by_code(old), _by_code(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            where = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield f"{where}: removed"
            elif key not in old:
                yield f"{where}: new, {_shown(new[key])}"
            else:
                yield from _differences(old[key], new[key], where)
    else:
        yield f"{path}: {_shown(old)} → {_shown(new)}"


def _by_code(value: Any) -> Any:  # noqa: ANN401
    """Return a list of entries with codifiers as an object, so that one that moved is no change."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(v, dict) and "Codifier" in v for v in value)
    ):
        return {str(v["Codifier"]): v for v in value}
    return value


def _shown(value: Any) -> str:  # noqa: ANN401
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
