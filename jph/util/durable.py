"""Replaces small files so that a power cut leaves the old content or the new one, whole."""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from jph.errors import StoreError


def replace(path: Path, parts: Iterable[bytes | memoryview]) -> int:
    """Replace the content of a file, make its folder if needed, and return the file's size.

    Returns when the disk holds the content and the folder's entry of it.

    Raises:
        StoreError: the disk refuses; the file has its old content then.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.writelines(parts)
            size = file.tell()
        put_in_place(fresh, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    return size


def put_in_place(fresh: Path, path: Path) -> None:
    """Replace `path` by the complete file `fresh` of the same folder.

    Returns when the disk holds the content and the folder's entry of it.

    Raises:
        OSError: the disk refuses.
    """
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Write a folder's entries to the disk: fsync of a file alone does not (fsync(2)).

    Raises:
        OSError: the disk refuses.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def save(path: Path, content: Mapping[str, object]) -> None:
    """Replace a JSON file.

    Raises:
        StoreError: the disk refuses; the file has its old content then.
    """
    replace(path, [json.dumps(content, indent=1, sort_keys=True).encode()])


def load(path: Path) -> dict[str, object]:
    """Return the content of a JSON file; empty if the file does not exist.

    Raises:
        StoreError: the file is damaged or cannot be read.
    """
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
    """Rename a damaged file, so that it can be examined later, and return its new name."""
    aside = path.with_name(f"{path.name}.damaged")
    with contextlib.suppress(OSError):
        path.replace(aside)
    return aside
