"""One supervisor per state directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield
