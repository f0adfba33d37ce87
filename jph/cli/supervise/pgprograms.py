"""Finds PostgreSQL's programs (pg_dump, pg_restore) and runs them on the history."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import IO, Any, Final, NamedTuple

from jph.cli.supervise.servers import PostgresServer
from jph.errors import StoreError

Process = subprocess.Popen[bytes]

_VERSION: Final = re.compile(r"PostgreSQL\) (\d+)")
_SYSTEM: Final = Path("/usr/lib/postgresql")


class Target(NamedTuple):
    """A database: libpq's words without the password, and the environment that has it."""

    dsn: str
    environment: dict[str, str]


def target(dsn: str) -> Target:
    """Split a password off, so that no list of processes shows it."""
    from psycopg2.extensions import make_dsn, parse_dsn

    words = parse_dsn(dsn)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    if password := words.pop("password", None):
        environment["PGPASSWORD"] = password
    return Target(make_dsn(**words), environment)


def find_programs(server: int) -> Path:
    """Return the directory of the programs that suit a server's major version best.

    Raises:
        StoreError: there are none, or only older ones.
    """
    found = {version(each): each for each in reversed(list(_places()))}
    if server in found:
        return found[server]
    if newer := [number for number in found if number > server]:
        return found[min(newer)]
    known = ", ".join(str(number) for number in sorted(found)) or "none"
    raise StoreError(f"pg_dump of PostgreSQL {server} or later is not installed (found: {known})")


def version(directory: Path) -> int:
    """Return the major version of the programs in a directory, 0 if they do not run."""
    try:
        output = subprocess.run(
            [directory / "pg_dump", "--version"], capture_output=True, text=True, timeout=10
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = _VERSION.search(output)
    return int(match[1]) if match else 0


def run(command: Sequence[str | Path], target: Target, into: IO[bytes]) -> None:
    """Run a program to its end; what it writes goes into a file.

    Raises:
        StoreError: it failed; with its words.
    """
    with tempfile.TemporaryFile() as words:
        streams = {"stdin": subprocess.DEVNULL, "stdout": PIPE, "stderr": words}
        with _started(command, target, **streams) as process:
            assert process.stdout is not None
            shutil.copyfileobj(process.stdout, into)
        _check(process, words)


@contextlib.contextmanager
def reading(
    command: Sequence[str | Path], target: Target, archive: IO[bytes]
) -> Iterator[IO[bytes]]:
    """Run a program that reads a file from its start; give what the program writes.

    Raises:
        StoreError: it failed; with its words.
    """
    archive.seek(0)
    with tempfile.TemporaryFile() as words:
        with _started(command, target, stdin=PIPE, stdout=PIPE, stderr=words) as process:
            feeding = threading.Thread(target=_feed, args=(archive, process.stdin))
            feeding.start()
            assert process.stdout is not None
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            finally:
                process.stdout.close()
                feeding.join()
        _check(process, words)


def _feed(archive: IO[bytes], stdin: IO[bytes]) -> None:
    """Give a program all of a file, or as much as it wants; cut short it fails by itself."""
    with contextlib.suppress(BrokenPipeError), stdin:
        shutil.copyfileobj(archive, stdin)


def _started(command: Sequence[str | Path], target: Target, **streams: Any) -> Process:  # noqa: ANN401
    streams = {"stdout": subprocess.DEVNULL, **streams}
    try:
        return subprocess.Popen(command, env=target.environment, **streams)
    except OSError as error:
        raise StoreError(f"cannot run {command[0]}: {error}") from error


def _check(process: Process, words: IO[bytes]) -> None:
    """Raise the error message of a program, if it failed."""
    if process.returncode:
        words.seek(0)
        lines = words.read().decode(errors="replace").split("\n")
        errors = [line for line in lines if "error:" in line.lower()] or [
            line for line in lines if line
        ]
        assert isinstance(process.args, list)
        raise StoreError(f"{Path(process.args[0]).name} failed: {''.join(errors[:1])}")


def _places() -> Iterator[Path]:
    with contextlib.suppress(StoreError):  # without an embedded one the system's may do
        yield PostgresServer().programs
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path).parent
    yield from sorted(_SYSTEM.glob("*/bin"), reverse=True)
