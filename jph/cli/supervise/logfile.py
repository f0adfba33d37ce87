"""Log file of one part: rotates before it fills the disk, and keeps the last lines in memory."""

import contextlib
from pathlib import Path
from typing import BinaryIO, Final

from jph.errors import JphError

LOG_BYTES: Final = 1_000_000
LOG_FILES: Final = 3
_TAIL_LINES: Final = 5
_TAIL_BYTES: Final = 8192


class LogFile:
    """`XX.log`, with `XX.log.1` and `XX.log.2` before it. A full disk loses lines, not the part.

    Raises:
        JphError: the file cannot be written in the first place.
    """

    def __init__(self, path: Path, limit: int = LOG_BYTES, files: int = LOG_FILES) -> None:
        self.path = path
        self._limit = limit
        self._files = files
        self._recent = b""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO | None = path.open("ab", buffering=0)
            self._size = path.stat().st_size
        except OSError as error:
            raise JphError(f"the log {path} cannot be written: {error}") from error

    def write(self, chunk: bytes) -> None:
        """Append what the part wrote."""
        self._recent = (self._recent + chunk)[-_TAIL_BYTES:]
        try:
            if self._file is None or (self._size + len(chunk) > self._limit and self._size):
                self._turn_over()
            self._size += len(chunk)
            if self._file is not None:
                self._file.write(chunk)
        except OSError:
            return  # the last lines in memory are still shown when the part ends

    def tail(self) -> list[str]:
        """Return the last lines of this life, and begin a new one."""
        text = self._recent.decode(errors="replace")
        self._recent = b""
        return [line for line in text.splitlines() if line.strip()][-_TAIL_LINES:]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _turn_over(self) -> None:
        """Begin a new file; where names cannot be changed, the old one grows by another limit."""
        self.close()
        with contextlib.suppress(OSError):
            for age in range(self._files - 1, 0, -1):
                older = self._named(age - 1)
                if older.exists():
                    older.replace(self._named(age))
        self._file = self.path.open("ab", buffering=0)
        self._size = 0

    def _named(self, age: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{age}") if age else self.path
