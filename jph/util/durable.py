"""Small JSON files that survive a power cut: whole in the old state or whole in the new one."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from jph.errors import StoreError


def save(path: Path, content: Mapping[str, object]) -> None:
    """Replace a file, and return only when the disk has it; `StoreError` if it cannot be."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        # The new name itself is durable only with its directory.
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def load(path: Path) -> dict[str, object]:
    """Return a file's content, empty if there is none; `StoreError` if it is damaged."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} cannot be read: it holds no JSON object")
    return content


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, for someone to look at, and return its new name."""
    aside = path.with_name(f"{path.name}.damaged")
    with contextlib.suppress(OSError):
        path.replace(aside)
    return aside
