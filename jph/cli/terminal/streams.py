"""Standard output and error of a command: any terminal, a closed output, a full disk."""

import contextlib
import errno
import io
import os
import sys
from typing import Final

from jph.errors import JphError

_CANNOT_WRITE: Final = frozenset({errno.ENOSPC, errno.EIO, errno.EBADF, errno.EDQUOT, errno.EFBIG})


class OutputError(JphError):
    """Standard output is closed, or the disk behind it is full."""


def prepare() -> None:
    """Let standard output and error replace characters that their encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors="replace")


def check_output() -> None:
    """Make sure that there is a standard output.

    Raises:
        OutputError: it was closed before the command began.
    """
    if sys.stdout is None:
        raise OutputError("cannot write the output: standard output is closed")


def flush() -> None:
    """Write what is buffered.

    Raises:
        OSError: the disk is full, or the reader has gone.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def as_output_error(error: OSError) -> OutputError | None:
    """Return the error of a write to standard output in words; None for any other error."""
    if error.filename is not None or error.errno not in _CANNOT_WRITE:
        return None
    return OutputError(f"cannot write the output: {error.strerror}")


def forget() -> None:
    """Drop what is still buffered: the reader has gone, or the disk is full."""
    if sys.stdout is None:
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
