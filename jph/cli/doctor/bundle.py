"""Writes the support bundle: one archive without secrets."""

import io
import json
import platform
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from jph.client.doctor.facts import Facts
from jph.client.doctor.findings import Finding
from jph.config.fetch import fetch
from jph.config.model import state_dir
from jph.errors import ConfigError, StoreError
from jph.util.secrets import HIDDEN, hide_password, is_secret_name, scrub
from jph.version import __version__

_LOG_BYTES: Final = 200_000
_MOST_LOGS: Final = 40


def write_bundle(path: Path, facts: Facts, found: list[Finding], url: str) -> None:
    """Write findings, facts, config, versions and the ends of the logs into one .tar.gz.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        with tarfile.open(path, "w:gz") as archive:
            for name, text in _files(facts, found, url):
                content = scrub(text).encode()
                entry = tarfile.TarInfo(f"jph/{name}")
                entry.size, entry.mtime, entry.mode = len(content), int(time.time()), 0o600
                archive.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def _files(facts: Facts, found: list[Finding], url: str) -> Iterator[tuple[str, str]]:
    yield "findings.json", _json([each._asdict() for each in found])
    plain = facts._replace(network=None)._asdict()  # type: ignore[arg-type]
    yield "facts.json", _json(plain)
    versions = {
        "jph": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    yield "versions.json", _json(versions)
    try:
        yield "config.json", _json(without_secrets(json.loads(fetch(url))))
    except (ConfigError, ValueError) as error:
        yield "config.txt", str(error)
    for log in sorted((state_dir() / "log").glob("*.log"))[:_MOST_LOGS]:
        try:
            with log.open("rb") as opened:
                opened.seek(max(0, log.stat().st_size - _LOG_BYTES))
                yield f"log/{log.name}", opened.read().decode(errors="replace")
        except OSError as error:
            yield f"log/{log.name}", str(error)


def without_secrets(tree: Any, key: str = "") -> Any:  # noqa: ANN401
    """Return a config with `…` for its passwords, tokens and keys."""
    if isinstance(tree, dict):
        return {name: without_secrets(value, str(name)) for name, value in tree.items()}
    if isinstance(tree, list):
        return [without_secrets(value, key) for value in tree]
    if isinstance(tree, str):
        return HIDDEN if is_secret_name(key) else hide_password(tree) if "://" in tree else tree
    return tree


def _json(value: Any) -> str:  # noqa: ANN401
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()
