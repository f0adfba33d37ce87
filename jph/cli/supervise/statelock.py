"""One supervisor per state directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from jph.errors import JphError
from jph.util.statedir import claim, open_lock


@contextmanager
def state_lock(state: Path) -> Iterator[None]:
    """Hold `up.lock` in the state directory; the kernel lets go of it however we end.

    Raises:
        JphError: another supervisor holds it, or the directory cannot be written.
    """
    claim(state)
    try:
        file = os.fdopen(open_lock(state / "up.lock"), "r+")
    except OSError as error:
        raise JphError(f"the state directory {state} cannot be used: {error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise JphError(
                f"{state} is in use by another `control.py up` (pid {holder}): "
                "stop that one, or set JPH_STATE to another directory"
            ) from None
        try:
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), str(os.getpid()).encode(), 0)
        except OSError as error:
            # The lock holds without the number, and the house must go on.
            text = f"control.py: warning: {state} cannot be written: {error.strerror}"
            click.echo(f"{text}; the nodes run, but keep nothing across a restart", err=True)
        yield
