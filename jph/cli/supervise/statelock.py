"""One supervisor per state directory."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jph.errors import JphError


@contextmanager
def state_lock(state: Path) -> Iterator[None]:
    """Hold `up.lock` in the state directory; the kernel lets go of it however we end.

    Raises:
        JphError: another supervisor holds it, or the directory cannot be written.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
        file = (state / "up.lock").open("a+")
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
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
