"""Finds the programs of Redis and PostgreSQL on this machine."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from jph.errors import StoreError

_REDIS_VERSION: Final = re.compile(r"\bv=(\d+(?:\.\d+)*)")
_VERSION_LIMIT_S: Final = 5.0


def first_program(package: str, inside: str, name: str) -> Path:
    """Return a server's program: the wheel's (without importing it), else the system's.

    Raises:
        StoreError: there is none.
    """
    return all_programs(package, inside, name)[0]


def all_programs(package: str, inside: str, name: str) -> list[Path]:
    """Return every installed program of a server, the wheel's first.

    Raises:
        StoreError: there is none.
    """
    spec = importlib.util.find_spec(package)
    places = [Path(root) / inside for root in (spec and spec.submodule_search_locations) or ()]
    if on_path := shutil.which(name):
        places.append(Path(on_path))
    places += sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    if found := [place for place in places if place.exists()]:
        return found
    hint = "install the extra 'embedded', or name a server in the config"
    raise StoreError(f"{name} is not installed ({hint})")


def newest_redis(programs: Sequence[Path]) -> Path:
    """Return the Redis of the highest version; the first one of several with the same."""
    if len(programs) == 1:
        return programs[0]
    return max(programs, key=redis_version)


def redis_version(program: Path) -> tuple[int, ...]:
    """Return the version of a redis-server; empty if it prints none."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = _REDIS_VERSION.search(done.stdout)
    return tuple(int(number) for number in match[1].split(".")) if match else ()
